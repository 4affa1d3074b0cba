"""
Prints how many jobs of a task the report page shows as passed, according to its queries on the database of a
run.

Runs with the Python of the cluster's environment:

    python dev/cluster/reports.py DAG RUN TASK
"""

from __future__ import annotations

import sys

from airflow.utils.session import create_session

from airflow_provider_drs.report.stored import Address, find_of_run, find_of_task, read_digests, read_report

_LIMIT = 10_000


def main(dag_id: str, run_id: str, task_id: str) -> None:
    with create_session() as session:
        entries = find_of_run(session, Address(dag_id, run_id, task_id, 0), _LIMIT)
        jobs = [job for entry in entries for job in read_report(session, entry).select("passed")]
        # The history uses another query.
        digests = [digest for digest in read_digests(session, entries) if digest]
        shown = find_of_task(session, entries[0].address, 1) == entries[:1]
    agree = shown and sum(digest.jobs - digest.failed - digest.pending for digest in digests) == len(jobs)
    print(len({job.job_id for job in jobs}) if agree else -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
