"""Creating jobs."""
