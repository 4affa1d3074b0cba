"""Send one request and return one response: with requests in a worker, with aiohttp in the triggerer."""
