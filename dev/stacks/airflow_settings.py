"""How an Airflow is set up that runs on loopback, keeps to its own folder, and reacts fast."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

USER, PASSWORD = "admin", "admin-not-secret"
_SECRET = "for-tests-only-and-long-enough-for-a-signature-0123456789abcdef"
#: Below those of Linux for clients.
_PORTS = (20_000, 32_000)

#: Seconds that a process waits for a locked database. Airflow 3's server writes its log of actions in its
#: event loop, which the one that holds the lock may need to go on: nothing is won by waiting long.
_LOCK_S, _SERVER_LOCK_S = 60, 10
#: Seconds that whoever asks Airflow has to wait for an answer: it may have to wait for its database first.
ANSWER_S = 2 * _LOCK_S

#: Settings of both Airflow lines, as section__option.
_COMMON = {
    "CORE__LOAD_EXAMPLES": False,
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": 4,
    "CORE__FERNET_KEY": "Zm9yLXRlc3RzLW9ubHktLS0tLS0tLS0tLS0tLS0tLS0=",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.3,
    "TRIGGERER__JOB_HEARTBEAT_SEC": 1,
    # The waits of a dead triggerer are somebody else's after so many seconds.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 5,
    "USAGE_DATA_COLLECTION__ENABLED": False,
}

_AIRFLOW_3 = {
    "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
    "API_AUTH__JWT_SECRET": _SECRET,
    # A worker that was killed is missed after so many seconds.
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 15,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
    # For so long a task's process that has ended can go unnoticed, and keeps its worker. And a trigger that
    # fires meanwhile fails the task: to the scheduler it seems to have ended in the middle of its next turn.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 60,
    "DAG_PROCESSOR__REFRESH_INTERVAL": 60,
}

_AIRFLOW_2 = {
    "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 15,
    "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": 3,
    "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": 2,
    # On sqlite the scheduler parses the DAG files itself, and does nothing else meanwhile.
    "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": 600,
    "SCHEDULER__DAG_DIR_LIST_INTERVAL": 600,
}


def hurry(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server, which waits less for a locked database."""
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    return {
        **environment,
        name: environment[name].replace(f"?timeout={_LOCK_S}", f"?timeout={_SERVER_LOCK_S}"),
    }


def write_settings(home: Path, dags: Path, *, major: int, url: str) -> dict[str, str]:
    """
    Return the environment of all components, and write the files that it names.

    :param home: the folder that everything is kept in; it exists.
    :param dags: the folder of the DAGs.
    :param major: 2 or 3, the line of Airflow.
    :param url: where the API server, or the webserver, is to be.
    """
    # Several processes write; the ones that find the database locked wait for their turn.
    database = f"sqlite:///{home}/airflow.db?timeout={_LOCK_S}"
    settings = {
        **_COMMON,
        "CORE__DAGS_FOLDER": dags,
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "LOGGING__WORKER_LOG_SERVER_PORT": free_port(),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": free_port(),
    }
    plain = {"AIRFLOW_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": ""}
    if major == 3:
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD}))
        passwords.chmod(0o600)
        settings |= {
            **_AIRFLOW_3,
            "API__BASE_URL": url,
            "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
        }
    else:
        settings |= {**_AIRFLOW_2, "WEBSERVER__SECRET_KEY": _SECRET, "WEBSERVER__BASE_URL": url}
        # Airflow 2 runs tasks side by side only with a database server, since writers of sqlite used not to
        # wait for each other; with a time-out and a write-ahead log they do. Airflow 3 has no such rule.
        plain["_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK"] = "1"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return inherited | plain | {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}


def free_port() -> int:
    """
    Return a port of loopback that nobody listens on.

    It is none of those that the system gives to clients, so that nobody gets it until it is used.
    """
    while True:
        port = random.SystemRandom().randrange(*_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
