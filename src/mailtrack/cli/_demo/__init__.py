"""The demonstration: made-up mailings, the requests that they cause, and a small server for the pages."""
