"""Switching virtual IP addresses over."""
