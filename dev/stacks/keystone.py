"""
Runs a real OpenStack Keystone on loopback: an independent IAM, from which the IAM of the clouds is derived.

    python3.11 -m dev.stacks.keystone                 serve it until Ctrl-C, and print how to use it
    python3.11 -m dev.stacks.keystone --lifetime 5     with tokens that are valid for 5 seconds

Keystone has an environment of its own, which is created if it is missing. Needs only Python 3.11.
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
from typing import Any

from dev import environments

_HERE = Path(__file__).resolve().parent

#: Seconds that it may take to start: about 8 on an idle machine, and 30 on a busy one.
_START_S = 180.0
_STOP_S = 10.0


class Keystone:
    """
    A Keystone with a domain, a project, a user with access to it and one without; SQLite and fernet tokens.

    Use it in a ``with`` statement, which stops it and removes its files.

    :param lifetime_s: seconds that a token is valid, up to one second less because Keystone truncates
        fractions.
    """

    domain = "keystone-domain"
    domain_id = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
    project = "eu-de"
    #: Different from the project ID of the emulator.
    project_id = "c0ffee00c0ffee00c0ffee00c0ffee00"
    user = "drs-user"
    #: Has the same password, but no role in the project.
    stranger = "stranger"
    password = "keystone-password-not-real"  # opens nothing but this Keystone

    def __init__(self, lifetime_s: int = 3600) -> None:
        self.lifetime_s = lifetime_s
        self.url = ""
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Keystone:
        """
        Start it, and return when it responds.

        :raises RuntimeError: it did not start; the message has the end of its log.
        """
        bin_folder = environments.make("keystone")
        folder = self._folder = Path(tempfile.mkdtemp(prefix="keystone-"))
        # OS_ variables of the user's own OpenStack would be read as settings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        try:
            with (folder / "stderr.log").open("w") as log:
                # With -P, `import keystone` does not find this file.
                self._process = subprocess.Popen(
                    [bin_folder / "python", "-P", _HERE / "keystone_server.py"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    text=True,
                    # Ctrl-C does not reach it: this process stops it.
                    start_new_session=True,
                )
            self.url = self._configure(self._process, folder)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and remove its files. Idempotent."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            try:
                # It exits at the end of its input, so also when this process is killed.
                process.communicate(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def make_connection(self, drs_url: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a DRS that accepts this Keystone's tokens."""
        extra = {"region": self.project, "domain_name": self.domain, "iam_endpoint": self.url}
        login = {"login": self.user, "password": self.password}
        return {"conn_type": "drs", "host": drs_url, **login, "extra": extra}

    def _configure(self, process: subprocess.Popen[str], folder: Path) -> str:
        """Send the server its configuration, and return its URL."""
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
            pass  # it has exited; its log is reported below
        finally:
            timer.cancel()
        raise RuntimeError(f"Keystone did not start: {(folder / 'stderr.log').read_text()[-2000:]}")


def main() -> int:
    """Serve Keystone until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Runs a real OpenStack Keystone on loopback.")
    parser.add_argument(
        "--lifetime", type=int, default=3600, metavar="S", help="seconds that tokens are valid"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with Keystone(options.lifetime) as keystone:
            print(f"Keystone is at {keystone.url}: domain {keystone.domain}, project {keystone.project},")
            print(f"user {keystone.user}, password {keystone.password}. Press Ctrl-C to stop it.")
            print(f"A DRS that accepts its tokens: drs-emulator --iam-url {keystone.url}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
