"""Switchovers of virtual IP addresses."""
