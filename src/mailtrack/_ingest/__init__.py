"""The way of an open, from the parts of a request to the storage.

`Recorder` takes a `Request`. With a spool it appends the request's line (`lines`), and the `Drainer` of one process
reads the lines back as hits; without one it makes the hit directly. `store_hits` is the last part of both ways: it
looks up pixels and recipients, lets an `Enricher` judge the hits, and stores them as opens.

Beside that way, `pending` reads the hits of a spool without storing them, and `rejudging` judges stored opens again.
"""
