"""
Known vulnerabilities of the pinned packages, from the advisory database of the Python Packaging Authority.

    python -m dev.checks.advisories DIRECTORY

Writes .ci/advisories.json from a clone of that database, so that `make audit` does not need the database. The
database is published under CC BY 4.0; the file has its IDs and version ranges.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from dev.environments import ROOT

DATABASE = "https://github.com/pypa/advisory-database"
FILE = ROOT / ".ci" / "advisories.json"
#: Seconds after which a download counts as impossible.
_DOWNLOAD_S = 60


def read_pins(file: Path) -> dict[str, str]:
    """Return the versions in a constraints file by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", file.read_text(), re.MULTILINE))


def download(folder: Path) -> bool:
    """Clone the database, and return whether it could be reached."""
    command = ["git", "clone", "--quiet", "--depth", "1", DATABASE, folder]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            command, env=environment, stderr=subprocess.DEVNULL, timeout=_DOWNLOAD_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def extract(folder: Path) -> dict[str, Any]:
    """Return the advisories on the packages of all constraints files, from a clone of the database."""
    names = {name for file in (ROOT / ".ci").glob("constraints-*.txt") for name in read_pins(file)}
    packages = {name: list(_read(folder, name)) for name in sorted(names)}
    date = _git(folder, "log", "-1", "--format=%cs")
    return {
        "source": DATABASE,
        "date": date,
        "packages": {name: found for name, found in packages.items() if found},
    }


def _read(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    # A clone without a work tree is read as well.
    for path in _git(folder, "ls-tree", "-r", "--name-only", "HEAD", f"vulns/{name}/").splitlines():
        advisory = yaml.safe_load(_git(folder, "show", f"HEAD:{path}"))
        if "withdrawn" in advisory:
            continue
        for affected in advisory["affected"]:
            kinds = [each for each in affected.get("ranges", ()) if each["type"] == "ECOSYSTEM"]
            ranges = [pair for each in kinds for pair in _pair(each["events"])]
            listed = {} if ranges else {"versions": [str(version) for version in affected["versions"]]}
            yield {"id": advisory["id"], "aliases": advisory.get("aliases", []), "ranges": ranges, **listed}


def _pair(events: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the ranges that a list of events describes; each begins where the fault was introduced."""
    ranges: list[dict[str, str]] = []
    for event in events:
        for kind, version in event.items():
            if kind == "introduced":
                ranges.append({})
            ranges[-1][kind] = str(version)
    return ranges


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def find_vulnerabilities(pins: dict[str, str], advisories: dict[str, Any]) -> list[str]:
    """Return a line for each vulnerability of a pinned version."""
    return [
        f"{name} {version} has {advisory['id']} ({', '.join(advisory['aliases'])}); {_fix(advisory)}"
        for name, version in pins.items()
        for advisory in advisories["packages"].get(name, ())
        if _is_affected(Version(version), advisory)
    ]


def _is_affected(version: Version, advisory: dict[str, Any]) -> bool:
    is_listed = str(version) in advisory.get("versions", ())
    return is_listed or any(_is_within(version, each) for each in advisory["ranges"])


def _is_within(version: Version, limits: dict[str, str]) -> bool:
    return (
        version >= Version(limits.get("introduced", "0"))
        and ("fixed" not in limits or version < Version(limits["fixed"]))
        and ("last_affected" not in limits or version <= Version(limits["last_affected"]))
    )


def _fix(advisory: dict[str, Any]) -> str:
    versions = [each["fixed"] for each in advisory["ranges"] if "fixed" in each]
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def describe_age(advisories: dict[str, Any], today: datetime.date) -> str:
    """Return the date and the age of the advisories."""
    age = today - datetime.date.fromisoformat(advisories["date"])
    return f"advisories of {advisories['date']}, {age.days} days old"


if __name__ == "__main__":
    FILE.write_text(json.dumps(extract(Path(sys.argv[1])), indent=1) + "\n")
