"""
Runs a real OpenStack Keystone on loopback: the IAM of the public clouds is a descendant of it.

    python3.11 dev/keystone.py                          serve it until Ctrl-C, and print how to reach it
    python3.11 dev/keystone.py --lifetime 5             with tokens that live five seconds
    python3.11 dev/keystone.py --only-environment       make its environment, and do no more

Keystone lives in an environment of its own, which is made when it is missing. Needs nothing but Python 3.11.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Not the folder of this file: in it, this file would be what `import keystone` finds.
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if Path(entry) != ROOT / "dev")]

from dev import environments  # noqa: E402

#: Seconds that it may take to start; it takes eight on a slow machine.
_LONGEST_START_S = 120.0
_LONGEST_STOP_S = 10.0


class Keystone:
    """
    A Keystone with one domain, one project, a user who may use it and one who may not; sqlite, Fernet tokens.

    Ready when :meth:`start` returns; use it in a ``with`` statement.

    :param lifetime_s: whole seconds that a token lives. Keystone cuts the fraction of a second off the expiry,
        so a token can live up to one second less.
    :param project_id: the id of the project; an emulated DRS knows only its own.
    """

    domain = "keystone-domain"
    domain_id = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
    project = "eu-de"
    user = "drs-user"
    #: Its password is right, and it has no role on the project.
    stranger = "stranger"
    password = "keystone-password-not-real"  # noqa: S105  # opens nothing but this Keystone

    def __init__(self, *, lifetime_s: int = 3600, project_id: str = "0123456789abcdef0123456789abcdef") -> None:
        self.lifetime_s = lifetime_s
        self.project_id = project_id
        self.url = ""
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Keystone:
        """Start it."""
        return self.start()

    def __exit__(self, *details: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> Keystone:
        """
        Start it, and return when it answers.

        :raises RuntimeError: it did not come up; the text holds its last words.
        """
        bin_folder = prepare()
        self._folder = Path(tempfile.mkdtemp(prefix="keystone-"))
        # An OS_ variable of a person who works with OpenStack would be taken for an instruction.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        with open(self._folder / "stderr.log", "w") as stderr:
            # -P keeps this folder off the import path. -W: eventlet announces its end, which is not our affair.
            self._process = subprocess.Popen(
                [bin_folder / "python", "-P", "-W", "ignore", ROOT / "dev" / "keystone_server.py"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                text=True,
            )
        try:
            self.url = self._greet(self._process)
            if not self.url:
                last_words = (self._folder / "stderr.log").read_text()[-2000:]
                raise RuntimeError(f"Keystone did not start: {last_words}")
        except BaseException:
            # Ctrl-C included: what was started is stopped.
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it, and remove what it has written."""
        if self._process is not None and self._process.stdin and self._process.stdout:
            # The end of its input is its sign to go; so it goes, too, when this process is killed.
            self._process.stdin.close()
            try:
                self._process.wait(_LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def make_connection(self, drs_url: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a DRS that takes this Keystone's tokens."""
        extra = {"region": self.project, "domain_name": self.domain, "iam_endpoint": self.url}
        return {
            "conn_type": "drs",
            "host": drs_url,
            "login": self.user,
            "password": self.password,
            "extra": extra,
        }

    def _greet(self, process: subprocess.Popen[str]) -> str:
        """Tell the server what to be, and return the URL at which it is; empty if it never is."""
        wanted = {
            name: getattr(self, name)
            for name in (
                *("domain", "domain_id", "project", "project_id"),
                *("user", "stranger", "password", "lifetime_s"),
            )
        }
        killer = threading.Timer(_LONGEST_START_S, process.kill)
        killer.start()
        try:
            assert process.stdin and process.stdout  # noqa: S101  # both are pipes
            process.stdin.write(json.dumps({**wanted, "folder": str(self._folder)}) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()
        except BrokenPipeError:
            return ""
        finally:
            killer.cancel()


def prepare() -> Path:
    """Return the bin folder of Keystone's environment, which is made if it is missing or old."""
    environments.VENVS.mkdir(exist_ok=True)
    with open(environments.VENVS / "keystone.lock", "w") as lock:
        # Test processes that run in parallel must not make it both.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return environments.make("keystone")


def main() -> int:
    """Serve Keystone until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Runs a real OpenStack Keystone on loopback.")
    parser.add_argument("--lifetime", type=int, default=3600, help="seconds that a token lives")
    parser.add_argument("--only-environment", action="store_true", help="make its environment, and do no more")
    options = parser.parse_args()
    if options.only_environment:
        prepare()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Keystone(lifetime_s=options.lifetime) as keystone:
        print(f"Keystone is at {keystone.url}, domain {keystone.domain}, project {keystone.project},")
        print(f"user {keystone.user}, password {keystone.password}. Stop with Ctrl-C.")
        print(f"A DRS that takes its tokens: drs-emulator --iam-url {keystone.url}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
