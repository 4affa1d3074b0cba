"""The Airflow connection, and how a request is authenticated."""
