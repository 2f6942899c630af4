"""The pages for people: their endpoints, templates and static files."""
