"""
Runs a real OpenStack Keystone on loopback: an IAM that we did not write, ancestor of the clouds' own.

    python3.11 -m dev.stacks.keystone                 serve it until Ctrl-C, and print how to reach it
    python3.11 -m dev.stacks.keystone --lifetime 5     with tokens that live five seconds
    python3.11 -m dev.stacks.keystone --only-environment     make its environment, and do no more

Keystone lives in an environment of its own, which is made when it is missing. Needs only Python 3.11.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from dev import environments

_HERE = Path(__file__).resolve().parent

#: Seconds that it may take to start: eight on an idle machine, and half a minute on a busy one.
_START_S = 180.0
_STOP_S = 10.0


class Keystone:
    """
    One Keystone: a domain, a project, a user who may use it and one who may not; SQLite and fernet tokens.

    Ready when entered; on leaving it is stopped, and what it has written is removed.

    :param lifetime_s: whole seconds that a token lives. Keystone cuts the fraction of a second off,
        so that one can live up to a second less.
    """

    domain = "keystone-domain"
    domain_id = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
    project = "eu-de"
    #: Not that of the emulator's own project.
    project_id = "c0ffee00c0ffee00c0ffee00c0ffee00"
    user = "drs-user"
    #: Has the same password, and no role in the project.
    stranger = "stranger"
    password = "keystone-password-not-real"  # opens nothing but this Keystone

    def __init__(self, lifetime_s: int = 3600) -> None:
        self.lifetime_s = lifetime_s
        self.url = ""
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Keystone:
        """
        Start it, and return when it answers.

        :raises RuntimeError: it did not come up; the text has its last words.
        """
        bin_folder = ensure_environment()
        folder = self._folder = Path(tempfile.mkdtemp(prefix="keystone-"))
        # The OS_ variables of a person who works with OpenStack would be taken for settings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        try:
            with (folder / "stderr.log").open("w") as log:
                # -P keeps this folder, and so this file, from being what `import keystone` finds.
                self._process = subprocess.Popen(
                    [bin_folder / "python", "-P", _HERE / "keystone_server.py"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    text=True,
                    # Ctrl-C is for the one who started it, and who stops it.
                    start_new_session=True,
                )
            self.url = self._greet(self._process, folder)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """Stop it, and remove what it has written. Once is enough; twice does no harm."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            try:
                # The end of its input is its sign to go: so it goes, too, when this process is killed.
                process.communicate(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def make_connection(self, drs_url: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a DRS that takes this Keystone's tokens."""
        extra = {"region": self.project, "domain_name": self.domain, "iam_endpoint": self.url}
        login = {"login": self.user, "password": self.password}
        return {"conn_type": "drs", "host": drs_url, **login, "extra": extra}

    def _greet(self, process: subprocess.Popen[str], folder: Path) -> str:
        """Tell the server what to be, and return the URL at which it is."""
        names = ("domain", "domain_id", "project", "project_id", "user", "stranger", "password", "lifetime_s")
        wanted = {name: getattr(self, name) for name in names}
        timer = threading.Timer(_START_S, process.kill)
        timer.start()
        try:
            if process.stdin and process.stdout:
                process.stdin.write(json.dumps({**wanted, "folder": str(folder)}) + "\n")
                process.stdin.flush()
                if url := process.stdout.readline().strip():
                    return url
        except BrokenPipeError:
            pass  # it is gone; what it said is told below
        finally:
            timer.cancel()
        raise RuntimeError(f"Keystone did not start: {(folder / 'stderr.log').read_text()[-2000:]}")


def ensure_environment() -> Path:
    """Return the bin folder of Keystone's environment, which is made if it is missing or old."""
    return environments.make("keystone")


def main() -> int:
    """Serve Keystone until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Runs a real OpenStack Keystone on loopback.")
    parser.add_argument("--lifetime", type=int, default=3600, metavar="S", help="seconds that a token lives")
    parser.add_argument(
        "--only-environment", action="store_true", help="make its environment, and do no more"
    )
    options = parser.parse_args()
    if options.only_environment:
        ensure_environment()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with Keystone(options.lifetime) as keystone:
            print(f"Keystone is at {keystone.url}: domain {keystone.domain}, project {keystone.project},")
            print(f"user {keystone.user}, password {keystone.password}. Stop it with Ctrl-C.")
            print(f"A DRS that takes its tokens: drs-emulator --iam-url {keystone.url}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
