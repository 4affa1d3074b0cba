"""Creation of jobs."""
