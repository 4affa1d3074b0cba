"""The page on which people read a pre-check: a tab of its task in Airflow 3.1 and later, and under Browse."""
