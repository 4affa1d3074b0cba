"""
Steers an Airflow 2 from within; runs in the environment that has it, see airflow_control.py.

Each line of standard input is JSON: what to do, and its arguments. Each is answered by one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO


def add_connection(connection_id: str, connection: dict[str, Any]) -> None:
    """Put a connection into the database."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id=connection_id, **connection))


def unpause(dag_id: str) -> None:
    """Let a DAG run."""
    from airflow.models import DagModel

    DagModel.get_dagmodel(dag_id).set_is_paused(is_paused=False)


def trigger(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    """Begin a run."""
    from airflow.api.common.trigger_dag import trigger_dag

    trigger_dag(dag_id, run_id=run_id, conf=conf, replace_microseconds=False)


def clear(dag_id: str, run_id: str, task_ids: list[str]) -> None:
    """Clear tasks of a run, and what comes after them."""
    from airflow.models import DagBag, DagRun

    date = DagRun.find(dag_id=dag_id, run_id=run_id)[0].execution_date
    dag = DagBag(read_dags_from_db=True).get_dag(dag_id)
    part = dag.partial_subset(task_ids, include_downstream=True, include_upstream=False)
    part.clear(start_date=date, end_date=date)


def xcom(dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:
    """Return an XCom."""
    from airflow.models.xcom import XCom

    return XCom.get_one(dag_id=dag_id, run_id=run_id, task_id=task_id, key=key, map_index=map_index)


def links(dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
    """Return the links of a task, found as the web server finds them."""
    from airflow.models import DagBag, TaskInstance
    from airflow.utils.session import create_session

    task = DagBag(read_dags_from_db=True).get_dag(dag_id).get_task(task_id)
    with create_session() as session:
        found = session.query(TaskInstance).filter_by(
            dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index
        )
        ti = found.one()
        return {name: task.get_extra_links(ti, name) or None for name in task.extra_links}


ACTIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (add_connection, unpause, trigger, clear, xcom, links)
}


def main(answers: TextIO) -> None:
    """Answer until standard input is closed."""
    for line in sys.stdin:
        action, arguments = json.loads(line)
        try:
            answer = {"value": ACTIONS[action](**arguments)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": repr(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    # Airflow writes what it likes to standard output; the answers go where nothing else does.
    with os.fdopen(os.dup(1), "w") as own:
        os.dup2(2, 1)
        main(own)
