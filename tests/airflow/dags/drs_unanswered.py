"""The example DAG with an approval that expires after 10 seconds. Airflow parses files that contain "dag"."""

from pathlib import Path

_EXAMPLE = Path(__file__).with_name("drs_approved_alarms.py").read_text()
_EXAMPLE = _EXAMPLE.replace('dag_id="drs_approved_alarms"', 'dag_id="drs_unanswered"')
exec(_EXAMPLE.replace("timedelta(hours=12)", "timedelta(seconds=10)"))  # noqa: S102 - our own file
