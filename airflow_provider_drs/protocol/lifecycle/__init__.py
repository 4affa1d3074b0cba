"""Starting, pausing, resuming, stopping and deleting jobs."""
