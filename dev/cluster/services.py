"""What the components of a cluster share: a PostgreSQL and a Redis server, from Debian packages."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import packages
from dev.stacks.airflow_settings import free_port
from dev.stacks.processes import Processes

_POSTGRES = Path("/usr/lib/postgresql")
_NAME = "airflow"
#: The data need not survive a crash of the machine, and the disk is not under test.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@dataclass(frozen=True)
class Services:
    """The ports of both servers, and their password."""

    postgres_port: int
    redis_port: int
    password: str

    @property
    def database_url(self) -> str:
        return f"postgresql+psycopg2://{_NAME}:{self.password}@127.0.0.1:{self.postgres_port}/{_NAME}"

    @property
    def broker_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0"

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """
        Query Airflow's database.

        :param statement: a select statement, with a question mark for each value.
        """
        parts = statement.split("?")
        quoted = ["'" + value.replace("'", "''") + "'" for value in values]
        filled = "".join(part + value for part, value in zip(parts, [*quoted, ""], strict=True))
        # As JSON, so that numbers keep their type.
        query = f"select coalesce(json_agg(to_json(row)), '[]') from ({filled}) as row"  # noqa: S608 - values are parameters, names are ours
        rows = self._run(_NAME, query)
        return [tuple(row.values()) for row in json.loads(rows)]

    def create_database(self) -> None:
        """Create Airflow's database."""
        self._run("postgres", f"create database {_NAME}")

    def is_up(self) -> bool:
        """Return whether PostgreSQL accepts connections."""
        command = [str(_tool("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.postgres_port)]
        return subprocess.run(command, check=False).returncode == 0

    def is_redis_up(self) -> bool:
        """Return whether Redis accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.redis_port)) == 0

    def _run(self, database: str, statement: str) -> str:
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        place = ["-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", _NAME, "-d", database]
        done = subprocess.run(
            [_tool("psql"), *options, *place, "-c", statement],
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"PostgreSQL rejected the statement: {done.stderr}")
        return done.stdout


@contextmanager
def run_services(home: Path) -> Iterator[Services]:
    """
    Run both servers.

    :param home: the folder for their output. Their data is in a temporary folder.
    """
    packages.install("postgresql", "redis-server")
    services = Services(free_port(), free_port(), secrets.token_hex(16))
    folder = Path(tempfile.mkdtemp(prefix="drs-cluster-"))
    try:
        with Processes(home) as processes:
            _start_postgres(processes, services, folder)
            _start_redis(processes, services)
            processes.wait("postgres", services.is_up)
            services.create_database()
            processes.wait("redis", services.is_redis_up)
            yield services
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_postgres(processes: Processes, services: Services, folder: Path) -> None:
    # PostgreSQL refuses to run as root.
    user = None if os.geteuid() else "postgres"
    data, password = folder / "data", folder / "password"
    password.touch(mode=0o600)
    password.write_text(services.password)
    if user:
        account = pwd.getpwnam(user)
        for path in (folder, password):
            os.chown(path, account.pw_uid, account.pw_gid)
    subprocess.run(
        [
            *(_tool("initdb"), "-D", data, "-U", _NAME, "-E", "UTF8", "--locale", "C.UTF-8"),
            *("--no-sync", "-A", "scram-sha-256", "--pwfile", password),
        ],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        stdout=subprocess.DEVNULL,
        check=True,
    )
    place = ("-h", "127.0.0.1", "-p", str(services.postgres_port), "-k", folder)
    options = [part for setting in _FAST for part in ("-c", setting)]
    processes.start("postgres", [_tool("postgres"), "-D", data, *place, *options], user=user)


def _start_redis(processes: Processes, services: Services) -> None:
    lines = (
        "bind 127.0.0.1",
        f"port {services.redis_port}",
        f"requirepass {services.password}",
        # No data is stored on disk.
        'save ""',
    )
    user = None if os.geteuid() else "redis"
    processes.start("redis", ["redis-server", "-"], user=user, stdin="\n".join([*lines, ""]))


def _tool(name: str) -> Path:
    """Return a program of the newest PostgreSQL."""
    found = sorted(_POSTGRES.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return found[-1]
