"""An Airflow as if on several machines: its components and DRS fail while it starts 500 jobs."""
