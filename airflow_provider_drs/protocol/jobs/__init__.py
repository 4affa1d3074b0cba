"""Jobs: their statuses, details, progress and preconditions, and waiting for a status."""
