"""The report page on pre-checks: a tab of the task in Airflow 3.1 and later, and a page under Browse."""
