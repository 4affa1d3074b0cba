"""
Looks whether a version that we pin was withdrawn, or has a known vulnerability.

    make audit

What was withdrawn the registry itself says. Vulnerabilities are known to services that not every machine
reaches; where none answers, this says so as loudly as it can, and does not take silence for good news.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dev import environments

ROOT = environments.ROOT
#: What users have beside the provider, on both Airflow lines.
PINNED = tuple(ROOT / ".ci" / f"constraints-{line}.txt" for line in ("airflow-3", "airflow-2"))
#: Services of pip-audit, the first that answers counts.
SERVICES = ("pypi", "osv")
PROBE = "requests==2.31.0"
#: -m dev.checks.run shows it beside the outcome.
NOTE = ROOT / ".run" / "reports" / "audit.note"

_YANKED = re.compile(r"`([^`]+)` is yanked.*")


def main() -> int:
    """Return 1 if there is something to do about it."""
    faults = [line for file in PINNED for line in find_yanked(file)]
    answers = [ask(file) for file in PINNED]
    faults += [line for answer in answers for line in list_vulnerabilities(answer)]
    unknown = sorted({name for answer in answers for name in list_unanswered(answer)})
    for line in faults:
        print(line)
    if unknown:
        note = f"{len(unknown)} packages NOT AUDITED for vulnerabilities: no service answers here"
        NOTE.parent.mkdir(parents=True, exist_ok=True)
        NOTE.write_text(note)
        asked = f"Asked: {', '.join(SERVICES)}. Withdrawn versions were looked for."
        print("*" * 80, f"{note}.", asked, "*" * 80, sep="\n")
    if not faults:
        print("No version that is pinned was withdrawn.")
    return 1 if faults else 0


def find_yanked(pinned: Path, options: Sequence[str] = ()) -> list[str]:
    """
    Return a line for each pinned version that was withdrawn by those who made it.

    :param options: more of them for uv, e.g. another index.
    :raises SystemExit: the registry does not answer.
    """
    uv = environments.find_uv()
    if uv is None:
        raise SystemExit("looking for withdrawn versions needs uv")
    command = [uv, "pip", "compile", "--no-deps", "--no-header", "--python-version", "3.11", *options]
    done = subprocess.run([*command, str(pinned)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{pinned.name} cannot be looked up:\n{done.stderr[-2000:]}")
    return [match.group(0) for match in _YANKED.finditer(done.stderr)]


def ask(pinned: Path) -> dict[str, Any] | None:
    """Return what a service knows of each version, as pip-audit writes it; ``None`` if none answers."""
    service = _find_service()
    return _ask(service, pinned.read_text()) if service else None


@functools.cache
def _find_service() -> str | None:
    # Asked of a package that everybody knows: one that knows nothing would be asked about 200.
    return next((service for service in SERVICES if _ask(service, PROBE)), None)


def _ask(service: str, pins: str) -> dict[str, Any] | None:
    program = environments.make("audit") / "pip-audit"
    command = [program, "-s", service, "-r", "/dev/stdin", "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "-f", "json", "--progress-spinner", "off", "--timeout", "10"],
        input=pins,
        capture_output=True,
        text=True,
        check=False,
    )
    # It ends with 0 as well if the service knows not one of the packages.
    answer = json.loads(done.stdout) if done.stdout.startswith("{") else None
    return answer if any("vulns" in each for each in _rows(answer)) else None


def list_vulnerabilities(answer: dict[str, Any] | None) -> Iterator[str]:
    """Yield a line for each that is known."""
    for each in _rows(answer):
        for found in each.get("vulns", ()):
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            yield f"{each['name']} {each['version']} has {found['id']}; mended in {fixed}"


def list_unanswered(answer: dict[str, Any] | None) -> Iterator[str]:
    """Yield the packages that nobody has said anything about: every one, if there is no answer."""
    if answer is None:
        for file in PINNED:
            yield from re.findall(r"^([a-z0-9-]+)==", file.read_text(), re.MULTILINE)
    yield from (each["name"] for each in _rows(answer) if "vulns" not in each)


def _rows(answer: dict[str, Any] | None) -> list[dict[str, Any]]:
    return list(answer["dependencies"]) if answer else []


if __name__ == "__main__":
    sys.exit(main())
