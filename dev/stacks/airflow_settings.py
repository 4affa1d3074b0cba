"""The settings of an Airflow that runs on loopback, in a folder of its own, with short intervals."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Mapping
from pathlib import Path

USER, PASSWORD = "admin", "admin-not-secret"
_SECRET = "for-tests-only-and-long-enough-for-a-signature-0123456789abcdef"
#: Below the port range of Linux for clients.
_PORTS = (20_000, 32_000)

#: Seconds that a process waits for a locked database. Airflow 3's server writes its audit log in its event
#: loop, which the transaction that holds the lock may need to finish: a long wait does not help.
_LOCK_S, _SERVER_LOCK_S = 60, 10
#: Timeout of requests to Airflow in seconds: the server may have to wait for its database.
RESPONSE_S = 2 * _LOCK_S

#: Settings of both Airflow lines, as section__option.
_COMMON = {
    "CORE__LOAD_EXAMPLES": False,
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": 4,
    "CORE__FERNET_KEY": "Zm9yLXRlc3RzLW9ubHktLS0tLS0tLS0tLS0tLS0tLS0=",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 1,
    "TRIGGERER__JOB_HEARTBEAT_SEC": 1,
    # Seconds until the triggers of a killed triggerer are reassigned.
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": 5,
    "USAGE_DATA_COLLECTION__ENABLED": False,
}

_AIRFLOW_3 = {
    "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
    "API_AUTH__JWT_SECRET": _SECRET,
    # Seconds until the task of a killed worker is detected. On a busy machine, a task can be delayed for many
    # seconds.
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
    # Seconds that a task waits for the API server, which is slow at first on a busy machine. With the default
    # of 5, the first tasks fail.
    "WORKERS__EXECUTION_API_TIMEOUT": 60,
    # Maximum seconds until the end of a task's process is detected. A trigger that fires before that fails
    # the task, because the scheduler attributes the end to the resumed task.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 600,
    "DAG_PROCESSOR__REFRESH_INTERVAL": 600,
}

_AIRFLOW_2 = {
    "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": 30,
    "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": 3,
    "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": 2,
    # With SQLite, the scheduler parses the DAG files itself, and does nothing else in the meantime.
    "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": 600,
    "SCHEDULER__DAG_DIR_LIST_INTERVAL": 600,
}


def shorten_lock_timeout(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server, which waits less for a locked database."""
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    return {
        **environment,
        name: environment[name].replace(f"?timeout={_LOCK_S}", f"?timeout={_SERVER_LOCK_S}"),
    }


def write_settings(home: Path, dags: Path, *, major: int, url: str) -> dict[str, str]:
    """
    Return the environment of all components, and write the files that it refers to.

    :param home: an existing folder for all files.
    :param dags: the folder of the DAGs.
    :param major: the Airflow line, 2 or 3.
    :param url: the URL of the API server, or the webserver.
    """
    # Several processes write; they wait while the database is locked.
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
        # Airflow 2 refuses to run tasks concurrently with SQLite, whose writers used not to wait for each
        # other. With a timeout and a write-ahead log they do. Airflow 3 does not have this check.
        plain["_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK"] = "1"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return inherited | plain | {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}


def free_port() -> int:
    """
    Return a free port of loopback, outside of the range that the system assigns to clients.
    """
    while True:
        port = random.SystemRandom().randrange(*_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
