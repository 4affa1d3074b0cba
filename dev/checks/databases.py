"""Runs the queries of the report page in each kind of database that Airflow supports."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import environments
from dev.cluster.services import run_services
from dev.stacks.airflow_settings import free_port
from dev.stacks.processes import Processes

ROOT = environments.ROOT
#: The drivers. Debian has MariaDB as its MySQL.
DRIVERS = ("psycopg2-binary", "mysqlclient", "asyncpg", "aiomysql")
_USER, _PASSWORD = "airflow", "airflow-not-secret"


def check(bin_folder: Path) -> list[str]:
    """
    Return the databases in which the queries of an Airflow work, with their versions.

    :param bin_folder: an environment with the provider and the drivers.
    :raises RuntimeError: a query fails, or the database cannot be migrated.
    """
    return [_check(bin_folder, kind) for kind in ("sqlite", "postgresql", "mariadb")]


def _check(bin_folder: Path, kind: str) -> str:
    with tempfile.TemporaryDirectory(prefix="drs-database-") as folder, _serve(kind, Path(folder)) as url:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            # Airflow 3 derives it otherwise, and would need an asynchronous driver.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "sqlite+aiosqlite:///unused.db",
        }
        for command in (
            ["airflow", "db", "migrate"],
            ["python", "-W", "ignore", "-m", "tests.report.queries"],
        ):
            done = subprocess.run(
                [bin_folder / command[0], *command[1:]],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{kind}: {' '.join(command)} failed:\n{done.stderr[-4000:]}")
        return done.stdout.strip().splitlines()[-1]


@contextmanager
def _serve(kind: str, folder: Path) -> Iterator[str]:
    """Run a database server, and yield the URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/airflow.db"
    elif kind == "postgresql":
        with run_services(folder) as services:
            yield services.database_url
    else:
        with _serve_mariadb(folder) as url:
            yield url


@contextmanager
def _serve_mariadb(folder: Path) -> Iterator[str]:
    port, data, socket = free_port(), folder / "data", folder / "socket"
    account = pwd.getpwnam("mysql") if os.geteuid() == 0 else None
    if account:
        # MariaDB refuses to run as root.
        os.chown(folder, account.pw_uid, account.pw_gid)
    user = account.pw_name if account else None
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal"],
        user=user,
        group=user,
        cwd="/",
        stdout=subprocess.DEVNULL,
        check=True,
    )
    with Processes(folder) as processes:
        place = ["--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}"]
        fast = [
            "--bind-address=127.0.0.1",
            "--explicit-defaults-for-timestamp=1",
            "--character-set-server=utf8mb4",
        ]
        processes.start("mariadb", ["mariadbd", *place, *fast], user=user)
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
        processes.wait(
            "mariadb", lambda: subprocess.run([*client, "-e", ""], stderr=subprocess.DEVNULL).returncode == 0
        )
        statements = (
            f"create database {_USER}; create user {_USER}@'%' identified by '{_PASSWORD}'; "
            f"grant all on *.* to {_USER}@'%'"
        )
        subprocess.run([*client, "-e", statements], check=True)
        yield f"mysql+mysqldb://{_USER}:{_PASSWORD}@127.0.0.1:{port}/{_USER}?charset=utf8mb4"


if __name__ == "__main__":
    print("\n".join(check(Path(sys.argv[1]))))
