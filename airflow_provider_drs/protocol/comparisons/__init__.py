"""Comparing the data of source and destination."""
