"""
Controls Airflow 2 from within; runs in its environment, see airflow_control.py.

Each line of standard input is a JSON list of an action and its arguments; each line of output is a JSON
result.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO


def set_connection(connection_id: str, connection: dict[str, Any]) -> None:

    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Connection).filter_by(conn_id=connection_id).delete()
        session.add(Connection(conn_id=connection_id, **connection))


def unpause(dag_id: str) -> None:

    from airflow.models import DagModel

    DagModel.get_dagmodel(dag_id).set_is_paused(is_paused=False)


def trigger(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:

    from airflow.api.common.trigger_dag import trigger_dag

    trigger_dag(dag_id, run_id=run_id, conf=conf, replace_microseconds=False)


def clear(dag_id: str, run_id: str, task_ids: list[str]) -> None:

    from airflow.models import DagBag, DagRun

    date = DagRun.find(dag_id=dag_id, run_id=run_id)[0].execution_date
    dag = DagBag(read_dags_from_db=True).get_dag(dag_id)
    part = dag.partial_subset(task_ids, include_downstream=True, include_upstream=False)
    part.clear(start_date=date, end_date=date)


def xcom(dag_id: str, run_id: str, task_id: str, key: str, map_index: int) -> Any:

    from airflow.models.xcom import XCom

    return XCom.get_one(dag_id=dag_id, run_id=run_id, task_id=task_id, key=key, map_index=map_index)


def links(dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, str | None]:
    """Return the extra links of a task, as the web server finds them."""
    from airflow.models import DagBag, TaskInstance
    from airflow.utils.session import create_session

    task = DagBag(read_dags_from_db=True).get_dag(dag_id).get_task(task_id)
    with create_session() as session:
        keys = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        ti = session.query(TaskInstance).filter_by(**keys).one()
        return {name: task.get_extra_links(ti, name) or None for name in task.extra_links}


ACTIONS: dict[str, Callable[..., Any]] = {
    action.__name__: action for action in (set_connection, unpause, trigger, clear, xcom, links)
}


def main(output: TextIO) -> None:
    """Run actions until standard input is closed."""
    for line in sys.stdin:
        action, arguments = json.loads(line)
        try:
            result = {"value": ACTIONS[action](**arguments)}
        except Exception as error:
            traceback.print_exc()
            result = {"error": repr(error)}
        print(json.dumps(result), file=output, flush=True)


if __name__ == "__main__":
    # Airflow also writes to standard output; results go to a copy of it.
    with os.fdopen(os.dup(1), "w") as own:
        os.dup2(2, 1)
        main(own)
