"""
Checks whether a pinned version is yanked or has a known vulnerability.

    make audit

The package index reports yanked versions. Vulnerabilities are reported by services that not every machine
can reach. If none responds, the advisory database of the Python Packaging Authority is downloaded. If that is
not possible either, its stored copy is used, and the output says how old it is.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dev import environments
from dev.checks import advisories

ROOT = environments.ROOT
#: The dependencies that users install, on both Airflow lines.
PINNED = tuple(ROOT / ".ci" / f"constraints-{line}.txt" for line in ("airflow-3", "airflow-2"))
#: Services of pip-audit; the first one that responds is used.
SERVICES = ("pypi", "osv")
PROBE = "requests==2.31.0"
#: dev.checks.run shows it with the result.
NOTE = ROOT / ".run" / "reports" / "audit.note"

_YANKED = re.compile(r"`([^`]+)` is yanked.*")


def main() -> int:
    """Return 1 if a pinned version must be replaced."""
    findings = [line for file in PINNED for line in find_yanked(file)]
    reports = [report for file in PINNED if (report := query(file))]
    findings += [line for report in reports for line in list_vulnerabilities(report)]
    pins = {name: version for file in PINNED for name, version in advisories.read_pins(file).items()}
    unknown = pins.keys() - {row["name"] for report in reports for row in _rows(report) if "vulns" in row}
    if unknown:
        known = load_advisories()
        for file in PINNED:
            pins = advisories.read_pins(file)
            findings += advisories.find_vulnerabilities(
                {name: pins[name] for name in pins.keys() & unknown}, known
            )
        note = f"{len(unknown)} packages checked with {advisories.describe_age(known, datetime.date.today())}"
        NOTE.parent.mkdir(parents=True, exist_ok=True)
        NOTE.write_text(note)
        print(f"No service of pip-audit ({', '.join(SERVICES)}) knows them or can be reached: {note}.")
    print("\n".join(sorted(set(findings)) or ["No pinned version is yanked or has a known vulnerability."]))
    return 1 if findings else 0


def load_advisories() -> dict[str, Any]:
    """Return the advisories of the database, or its stored copy if it cannot be reached."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "database"
        if advisories.download(clone):
            return advisories.extract(clone)
    stored: dict[str, Any] = json.loads(advisories.FILE.read_text())
    return stored


def find_yanked(pinned: Path, options: Sequence[str] = ()) -> list[str]:
    """
    Return a line for each pinned version that its maintainers have yanked.

    :param options: additional options of uv, such as another index.
    :raises SystemExit: the package index does not respond.
    """
    uv = environments.find_uv()
    if uv is None:
        raise SystemExit("Cannot check for yanked versions: uv cannot be installed.")
    command = [uv, "pip", "compile", "--no-deps", "--no-header", "--python-version", "3.11", *options]
    done = subprocess.run([*command, str(pinned)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{pinned.name} cannot be looked up:\n{done.stderr[-2000:]}")
    return [match.group(0) for match in _YANKED.finditer(done.stderr)]


def query(pinned: Path) -> dict[str, Any] | None:
    """Return the report of pip-audit on pinned versions; ``None`` if no service responds."""
    service = _find_service()
    return _query(service, pinned.read_text()) if service else None


@functools.cache
def _find_service() -> str | None:
    # With one well-known package, because each of about 200 requests to an unreachable service would time
    # out.
    return next((service for service in SERVICES if _query(service, PROBE)), None)


def _query(service: str, pins: str) -> dict[str, Any] | None:
    program = environments.make("audit") / "pip-audit"
    command = [program, "-s", service, "-r", "/dev/stdin", "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "-f", "json", "--progress-spinner", "off", "--timeout", "10"],
        input=pins,
        capture_output=True,
        text=True,
        check=False,
    )
    # The exit code is also 0 if the service knows none of the packages.
    report = json.loads(done.stdout) if done.stdout.startswith("{") else None
    return report if any("vulns" in row for row in _rows(report)) else None


def list_vulnerabilities(report: dict[str, Any] | None) -> Iterator[str]:
    """Yield a line for each known vulnerability."""
    for row in _rows(report):
        for found in row.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"])
            state = f"fixed in {fixed}" if fixed else "not fixed yet"
            yield f"{row['name']} {row['version']} has {found['id']}; {state}"


def _rows(report: dict[str, Any] | None) -> list[dict[str, Any]]:
    return list(report["dependencies"]) if report else []


if __name__ == "__main__":
    sys.exit(main())
