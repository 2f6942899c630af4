-- For wrk: sends the requests of a file in turn, and prints the figures on a line of their own.
--
-- Arguments: the file, and the number of the first request. A line of the file is a path, and its headers as name and
-- value; tabs separate all.

function init(args)
  requests = {}
  for line in io.lines(args[1]) do
    local parts = {}
    for part in string.gmatch(line, "[^\t]+") do
      parts[#parts + 1] = part
    end
    local headers = {}
    for place = 2, #parts, 2 do
      headers[parts[place]] = parts[place + 1]
    end
    requests[#requests + 1] = wrk.format("GET", parts[1], headers)
  end
  number = tonumber(args[2]) - 1
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "FIGURES %d %d %d %d %d\n",
    summary.requests,
    summary.duration,
    latency:percentile(50),
    latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
