"""An Airflow as if on several machines: parts of it die, and DRS fails, while it starts 500 jobs."""
