"""Configuration of jobs before they start."""
