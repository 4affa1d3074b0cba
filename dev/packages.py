"""
The Debian packages that `make test-system` needs: reports which are missing, and how to install them, or
installs them as root.

    python3.11 -m dev.packages
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import environments

#: Debian package, its program or folder, and what it is for.
_PACKAGES = {
    "chromium": ("chromium", "the report page in a browser"),
    "postgresql": ("/usr/lib/postgresql", "the database of the cluster"),
    "redis-server": ("redis-server", "the broker of the cluster"),
}
#: What only `make test-matrix` needs.
_MATRIX = {
    "debootstrap": ("debootstrap", "Python of Debian's next release"),
    "mariadb-server": ("mariadbd", "a database of Airflow, for the queries of the report page"),
    "libmariadb-dev": ("mariadb_config", "the driver of that database, which is compiled"),
    "pkg-config": ("pkg-config", "the same"),
}
#: Decides for the scripts of Debian packages whether a service may be started; exit code 101 means no.
_POLICY = Path("/usr/sbin/policy-rc.d")


def find_missing(*packages: str) -> list[str]:
    """Return those packages that are not installed."""
    known = _PACKAGES | _MATRIX
    programs = {name: known[name][0] for name in packages or _PACKAGES}
    return [name for name, path in programs.items() if not (shutil.which(path) or Path(path).is_dir())]


def install(*packages: str) -> None:
    """
    Install packages that are missing. Their services are not started.

    :raises SystemExit: a package is missing and cannot be installed.
    """
    missing = find_missing(*packages)
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise SystemExit(
            f"Debian packages are missing. Install them: sudo apt-get install {' '.join(missing)}"
        )
    print(f"Installing {', '.join(missing)}", flush=True)
    apt = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
    with environments.lock("apt"), _no_services():
        for arguments in (["update"], ["install", "--no-install-recommends", *missing]):
            done = subprocess.run(
                [*apt, *arguments],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"apt-get {arguments[0]} failed:\n{done.stdout[-3000:]}")


@contextmanager
def _no_services() -> Iterator[None]:
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def main() -> int:
    """Return 0 if all packages are installed at the end."""
    missing = find_missing()
    if not missing:
        print("make test-system: all required Debian packages are installed.")
        return 0
    print("make test-system needs Debian packages that are not installed:")
    for name in missing:
        print(f"  {name:<14} {_PACKAGES[name][1]}")
    if os.geteuid() == 0 and shutil.which("apt-get"):
        # Not while the tests run: unpacking a browser keeps disk and processors busy for minutes.
        install(*missing)
        return 0
    print(f"Install them first: sudo apt-get install {' '.join(missing)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
