"""The documented API: its error codes, and the schemas of its requests."""
