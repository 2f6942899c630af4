"""The way of an open: from a request's parts to the storage."""
