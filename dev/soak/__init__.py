"""A long run of thousands of deferred waits."""
