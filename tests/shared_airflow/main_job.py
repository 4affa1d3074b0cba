"""Four runs of the main example: scheduled, all jobs pass, one job fails, and one that waits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drs_emulator import Emulator

from dev.demos.report_seeds import DAG_ID, TASK_ID
from dev.stacks.airflow_stack import AirflowStack
from tests.shared_airflow.statsd import Statsd

PASSED_RUN, FAILED_RUN, WAITING_RUN = "all-pass", "one-job-fails", "still-waiting"
FAILED_JOB, ALARM_JOB = 2, 5
ALARM = "srcTriggerAndEventCheck"
#: The duration of pre-checks in seconds that finish when the clock of the emulator is advanced.
LONG_S = 3600


@dataclass
class Story:
    """
    What Airflow sent about the finished runs.

    :param scheduled: the scheduled run, in which one job has an alarm.
    :param sent: the number of requests to DRS, by operation.
    :param metrics: the lines that the StatsD server received.
    :param lineage: the OpenLineage events, one in each line.
    """

    scheduled: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    metrics: list[str] = field(default_factory=list)
    lineage: str = ""

    def events(self, run_id: str, task_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the OpenLineage events of a kind for a task."""
        return [
            each
            for each in map(json.loads, self.lineage.splitlines())
            if each["job"]["name"] == f"{DAG_ID}.{task_id}"
            and each["eventType"] == kind
            and run_id in json.dumps(each["run"])
        ]


def run(airflow: AirflowStack, drs: Emulator, lineage: Path, statsd: Statsd) -> Story:
    """Run the example three times, and return what was sent."""
    story = Story()
    drs.set_verdict(drs.job_ids[1], "alarm", items=[ALARM])
    airflow.unpause(DAG_ID)
    story.scheduled = airflow.first_run(DAG_ID)
    _wait(airflow, drs, story, story.scheduled, "success")
    _wait(airflow, drs, story, airflow.trigger(DAG_ID, PASSED_RUN), "success")
    drs.set_verdict(drs.job_ids[FAILED_JOB], "fail", items=["srcBinlogFormatCheck"])
    drs.set_verdict(drs.job_ids[ALARM_JOB], "alarm", items=[ALARM])
    drs.inject("status", status=503, operation="BatchCheckResults", times=2)
    _wait(airflow, drs, story, airflow.trigger(DAG_ID, FAILED_RUN), "failed")

    def has_last_event() -> bool:
        story.lineage = lineage.read_text()
        return bool(story.events(FAILED_RUN, TASK_ID, "FAIL"))

    airflow.until(has_last_event, "the last event was not sent")
    story.metrics = statsd.read()
    return story


def begin_to_wait(airflow: AirflowStack, drs: Emulator) -> None:
    """Trigger a run that waits: some jobs have passed, and the other pre-checks are about 40% done."""
    for job_id in drs.job_ids[4:]:
        drs.set_verdict(job_id, "pass", duration_s=100_000)
    airflow.trigger(DAG_ID, WAITING_RUN)
    airflow.wait_for_task(DAG_ID, WAITING_RUN, TASK_ID, ["deferred"])
    drs.advance(40_000)


def _wait(airflow: AirflowStack, drs: Emulator, story: Story, run_id: str, state: str) -> None:
    """Let a run wait in the triggerer and finish, and reset DRS."""
    airflow.wait_for_task(DAG_ID, run_id, TASK_ID, ["deferred"])
    drs.advance(LONG_S)
    assert airflow.wait(DAG_ID, run_id) == state, airflow.log(DAG_ID, run_id, "*")
    story.sent.update(entry["operation"] for entry in drs.journal())
    drs.reset()
