-- For wrk: as `requests.lua`, whose path is in the variable REQUESTS_LUA, but each connection pauses for 20 ms or so before
-- each request.

dofile(os.getenv("REQUESTS_LUA"))

function delay()
  return math.random(10, 30)
end
