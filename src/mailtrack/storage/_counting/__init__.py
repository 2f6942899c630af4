"""Counting that is the same for every storage: plain functions and values, without SQL.

Times are whole milliseconds since 1970 (UTC), as tables hold them.
"""
