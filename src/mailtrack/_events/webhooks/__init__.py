"""Webhooks: from the feed into an outbox for each, and from there to its URL."""
