"""The command line: ``drs``, and ``airflow drs`` in Airflow 3.2 and later."""
