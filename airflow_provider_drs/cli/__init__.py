"""The command line, ``drs``, and ``airflow drs`` where Airflow takes commands from providers."""
