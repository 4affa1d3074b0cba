"""What the parts of a cluster share: a PostgreSQL and a Redis of our own, from Debian's packages."""

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

from dev import environments
from dev.cluster.processes import Processes
from dev.stacks.airflow_settings import free_port

_PACKAGES = ("postgresql", "redis-server")
_POSTGRES = Path("/usr/lib/postgresql")
#: Says to the scripts of Debian's packages whether a service may be started; 101 is no.
_POLICY = Path("/usr/sbin/policy-rc.d")
_NAME = "airflow"
#: Nothing here has to outlive a crash of the machine, and the disk is not what is tested.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


@dataclass(frozen=True)
class Services:
    """
    Where the two are.

    :param password: that of both.
    """

    postgres_port: int
    redis_port: int
    password: str

    @property
    def database_url(self) -> str:
        """What SQLAlchemy connects to."""
        return f"postgresql+psycopg2://{_NAME}:{self.password}@127.0.0.1:{self.postgres_port}/{_NAME}"

    @property
    def broker_url(self) -> str:
        """What Celery takes its messages from."""
        return f"redis://:{self.password}@127.0.0.1:{self.redis_port}/0"

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """
        Read from Airflow's database.

        :param statement: a select, with a question mark for each value.
        """
        parts = statement.split("?")
        quoted = ["'" + value.replace("'", "''") + "'" for value in values]
        filled = "".join(part + value for part, value in zip(parts, [*quoted, ""], strict=True))
        # As JSON, so that a number comes back as one.
        whole = f"select coalesce(json_agg(to_json(found)), '[]') from ({filled}) as found"  # noqa: S608
        rows = self._run(_NAME, whole)
        return [tuple(row.values()) for row in json.loads(rows)]

    def create_database(self) -> None:
        """Make the database of Airflow."""
        self._run("postgres", f"create database {_NAME}")

    def is_up(self) -> bool:
        """Whether PostgreSQL answers."""
        command = [str(_tool("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.postgres_port)]
        return subprocess.run(command, check=False).returncode == 0

    def is_redis_up(self) -> bool:
        """Whether somebody listens where Redis should be."""
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
            raise RuntimeError(f"PostgreSQL refuses: {done.stderr}")
        return done.stdout


@contextmanager
def run_services(home: Path) -> Iterator[Services]:
    """
    Start both, and yield where they are.

    :param home: a folder for what they print; what they keep is elsewhere, and is removed.
    """
    with environments.lock("servers"):
        install()
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


def install() -> None:
    """
    Install what is missing. The servers that Debian would start by itself are none of ours, and stay off.

    :raises SystemExit: something is missing, and this is not root.
    """
    if next(_POSTGRES.glob("*/bin/initdb"), None) and shutil.which("redis-server"):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise SystemExit(f"This needs PostgreSQL and Redis: sudo apt-get install {' '.join(_PACKAGES)}")
    print(f"Installing {' and '.join(_PACKAGES)}", flush=True)
    apt = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _starting_nothing():
        for arguments in (["update"], ["install", "--no-install-recommends", *_PACKAGES]):
            done = subprocess.run(
                [*apt, *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"apt-get {arguments[0]} failed:\n{done.stdout[-3000:]}")


@contextmanager
def _starting_nothing() -> Iterator[None]:
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _start_postgres(processes: Processes, services: Services, folder: Path) -> None:
    # It refuses to run as root.
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
    options = [part for each in _FAST for part in ("-c", each)]
    processes.start("postgres", [_tool("postgres"), "-D", data, *place, *options], user=user)


def _start_redis(processes: Processes, services: Services) -> None:
    lines = (
        "bind 127.0.0.1",
        f"port {services.redis_port}",
        f"requirepass {services.password}",
        # Nothing is kept on disk.
        'save ""',
    )
    user = None if os.geteuid() else "redis"
    processes.start("redis", ["redis-server", "-"], user=user, config="\n".join([*lines, ""]))


def _tool(name: str) -> Path:
    """Return a program of the newest PostgreSQL."""
    found = sorted(_POSTGRES.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return found[-1]
