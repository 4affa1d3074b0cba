"""Comparisons of the data of source and destination."""
