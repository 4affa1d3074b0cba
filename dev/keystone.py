"""
Runs a real OpenStack Keystone on loopback: the IAM that we did not write.

    .venvs/airflow-3/bin/python dev/keystone.py        runs it in the foreground

SQLite, fernet tokens with a lifetime of seconds, one domain, user and project.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

sys.path.insert(0, str(Path(__file__).resolve().parent))

import environments

USER, PASSWORD, PROJECT, DOMAIN = "drs-user", "keystone-password", "eu-de", "Default"

_CONFIGURATION = """\
[DEFAULT]
max_token_size = 2048
[database]
connection = sqlite:///{home}/keystone.db
[token]
provider = fernet
expiration = {lifetime_s}
[fernet_tokens]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
[oslo_policy]
enforce_scope = false
"""

# Keystone reads sys.argv, so the server cannot be started by a command line of its own.
_SERVER = """
import sys
sys.argv = ["keystone"]
from keystone.server.wsgi import initialize_public_application
from waitress import serve
serve(initialize_public_application(), listen="127.0.0.1:{port}")
"""

_START_S = 60.0


class Keystone:
    """
    One Keystone, in a ``with`` statement; ready when entered.

    :param lifetime_s: whole seconds that a token lives.
    """

    def __init__(self, lifetime_s: int = 3600) -> None:
        self._bin = environments.make("keystone")
        self._home = Path(tempfile.mkdtemp(prefix="keystone-"))
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        (self._home / "keystone.conf").write_text(_CONFIGURATION.format(home=self._home, lifetime_s=lifetime_s))

    def __enter__(self) -> Keystone:
        """Make the database and the keys, add user and project, and serve."""
        try:
            self._manage("db_sync")
            owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
            for name in ("fernet", "credential"):
                (self._home / name).mkdir(mode=0o700)
                self._manage(f"{name}_setup", *owner)
            identity = ["--bootstrap-username", USER, "--bootstrap-password", PASSWORD]
            place = ["--bootstrap-project-name", PROJECT, "--bootstrap-public-url", f"{self.url}/v3"]
            self._manage("bootstrap", *identity, *place)
            self._serve()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, and remove what it kept."""
        self.stop()

    def stop(self) -> None:
        """Stop it, and remove what it kept."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        shutil.rmtree(self._home, ignore_errors=True)

    def _manage(self, *arguments: str) -> None:
        command = [self._bin / "keystone-manage", "--config-file", self._home / "keystone.conf", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"keystone-manage {arguments[0]} failed:\n{done.stderr[-2000:]}")

    def _serve(self) -> None:
        environment = {**os.environ, "OS_KEYSTONE_CONFIG_DIR": str(self._home)}
        with (self._home / "keystone.out").open("wb") as output:
            self._process = subprocess.Popen(
                [self._bin / "python", "-c", _SERVER.format(port=self._port)],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/v3", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(f"Keystone did not come up:\n{(self._home / 'keystone.out').read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with Keystone() as running:
        print(f"Keystone is at {running.url}/v3: user {USER}, domain {DOMAIN}, project {PROJECT}. Stop with Ctrl-C.")
        try:
            time.sleep(10**9)
        except KeyboardInterrupt:
            pass
