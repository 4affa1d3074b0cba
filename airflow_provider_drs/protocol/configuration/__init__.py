"""Configuring a job before it starts: connections, objects, policies, flow control."""
