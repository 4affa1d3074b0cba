"""Comparison and modification of database parameters."""
