"""Comparing and changing database parameters."""
