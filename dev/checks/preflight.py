"""
Report what `make test-system` needs and this machine lacks, and how to install it.

    python3.11 -m dev.checks.preflight
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

#: Debian package, what it is for, and where its program is.
_PACKAGES = (
    ("chromium", "the report page in a browser", "chromium"),
    ("postgresql", "the database of the cluster", "/usr/lib/postgresql"),
    ("redis-server", "the broker of the cluster", "redis-server"),
)


def main() -> int:
    """Return 0 if everything is there, or can be installed by the tests."""
    missing = [
        (package, purpose)
        for package, purpose, program in _PACKAGES
        if shutil.which(program) is None and not Path(program).is_dir()
    ]
    if not missing:
        print("make test-system: this machine has all Debian packages that the tests need.")
        return 0
    names = " ".join(package for package, _ in missing)
    print("make test-system needs Debian packages that this machine lacks:")
    for package, purpose in missing:
        print(f"  {package:<14} {purpose}")
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("The tests install them now with apt-get.", flush=True)
        return 0
    print(f"Install them first: sudo apt-get install {names}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
