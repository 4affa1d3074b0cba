"""
Makes the virtual environments of the project, from its constraints files.

    python3.11 -m dev.environments airflow-3 airflow-2
    python3.11 -m dev.environments --resolve    writes the constraints files anew

An environment is made anew when its constraints or setup.cfg have changed. Needs only Python 3.11.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"

#: What goes into each environment, beside its constraints file .ci/constraints-<name>.txt.
ENVIRONMENTS = {
    # With what lineage and metrics are sent with.
    "airflow-3": ["apache-airflow[statsd]", "-e", ".[test,peer,lint,docs,openlineage]"],
    "airflow-2": ["apache-airflow[statsd]", "-e", ".[test,openlineage]"],
    "keystone": ["keystone", "waitress"],
    # Knows who to ask about vulnerabilities.
    "audit": ["pip-audit"],
    # With the provider whose DAG parse time ours is compared to.
    "bench": ["apache-airflow", "apache-airflow-providers-amazon", "-e", ".[test,peer]"],
    # Airflow on several machines: Celery for the workers, PostgreSQL for what they share.
    "cluster-3": ["apache-airflow[celery,postgres]", "-e", ".[emulator]"],
    # Airflow's provider for Celery takes 5.7, which has moved what the provider imports.
    "cluster-2": ["apache-airflow[celery,postgres]", "celery<5.7", "-e", ".[emulator]"],
}

#: What each environment is for, and which version of it; the rest follows when constraints are resolved.
PINS = {
    "airflow-3": "apache-airflow[statsd]==3.3.2",
    "airflow-2": "apache-airflow[statsd]==2.11.2",
    "keystone": "keystone==30.0.0",
    "audit": "pip-audit==2.10.1",
    "bench": "apache-airflow==3.3.2",
    "cluster-3": "apache-airflow[celery,postgres]==3.3.2",
    "cluster-2": "apache-airflow[celery,postgres]==2.11.2",
}


def make(name: str) -> Path:
    """Return the bin folder of an environment, which is made if it is missing or old."""
    folder = VENVS / name
    stamp, wanted = folder / "stamp", _fingerprint(name)
    with lock(name):
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"Making {folder.relative_to(ROOT)}", flush=True)
            constraints = f".ci/constraints-{name}.txt"
            fill(folder, "-c", constraints, *ENVIRONMENTS[name])
            stamp.write_text(wanted)
    return folder / "bin"


def fill(folder: Path, *wanted: str) -> None:
    """
    Install some packages into an environment, which is made if it is missing.

    One that exists is changed in place, since this may have been started from it. With uv it takes seconds
    instead of minutes; without, pip does it.
    """
    uv = find_uv()
    python = folder / "bin" / "python"
    if not python.exists():
        maker = (uv, "venv", "--quiet", "--python", sys.executable) if uv else (sys.executable, "-m", "venv")
        _run(*maker, str(folder))
    if uv:
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *wanted)
    else:
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process at a time make an environment, or what has that name; the others find it made."""
    VENVS.mkdir(exist_ok=True)
    with (VENVS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(name: str) -> str:
    parts = [ROOT / ".ci" / f"constraints-{name}.txt", ROOT / "setup.cfg"]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts))
    return f"{digest.hexdigest()} {' '.join(ENVIRONMENTS[name])}"


def find_uv() -> str | None:
    """Return uv, from an environment of its own; ``None`` where it cannot be had."""
    folder = VENVS / "uv"
    with lock("uv"):
        if not (folder / "bin" / "uv").exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv"]
            if subprocess.run(pip, cwd=ROOT, check=False).returncode:
                print("uv cannot be installed; going on with pip, which takes longer", flush=True)
                return None
    return str(folder / "bin" / "uv")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def resolve(name: str) -> None:
    """Write the constraints file of an environment: the newest versions that go together."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("resolving needs uv")
    wanted = [PINS[name], *ENVIRONMENTS[name][1:]]
    local = [f"airflow-provider-drs{part[1:]} @ {ROOT.as_uri()}" for part in wanted if part[0] == "."]
    others = [part for part in wanted if part[0] not in ".-"]
    form = ["--quiet", "--no-header", "--no-annotate", "--no-emit-find-links", "--python-version", "3.11"]
    done = subprocess.run(
        [uv, "pip", "compile", *form, "-"],
        input="\n".join(others + local),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("airflow-provider-drs")]
    header = f"# Every version of the environment {name}, for Python 3.11. Made by: make constraints"
    (ROOT / ".ci" / f"constraints-{name}.txt").write_text("\n".join([header, *lines, ""]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--resolve"]:
        for each in sys.argv[2:] or list(ENVIRONMENTS):
            resolve(each)
    else:
        for each in sys.argv[1:] or list(ENVIRONMENTS):
            make(each)
