"""Sends one request and returns one response: with requests in a worker, with aiohttp in the triggerer."""
