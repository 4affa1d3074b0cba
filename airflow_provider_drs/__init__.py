"""Apache Airflow provider for the Data Replication Service (DRS) of Open Telekom Cloud and Huawei Cloud."""

__version__ = "1.0.0"
