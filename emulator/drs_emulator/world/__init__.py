"""The emulated jobs and their rules."""
