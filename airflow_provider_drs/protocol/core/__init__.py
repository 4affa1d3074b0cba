"""Requests, responses, retries, batches and errors: what every call to DRS has in common."""
