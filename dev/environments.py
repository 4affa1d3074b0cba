"""
Makes the virtual environments of the project, from its constraints files.

    python3.11 dev/environments.py airflow-3 airflow-2 keystone

An environment is made anew when its constraints or setup.cfg have changed. Needs nothing but Python 3.11 and pip.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"

#: What goes into each environment, beside its constraints file .ci/constraints-<name>.txt.
ENVIRONMENTS = {
    "airflow-3": ["apache-airflow", "-e", ".[test,peer,lint,docs]"],
    "airflow-2": ["apache-airflow", "-e", ".[test]"],
    "keystone": ["keystone", "waitress"],
}

#: What each environment is for, and which version of it; the rest follows when constraints are resolved.
PINS = {"airflow-3": "apache-airflow==3.3.2", "airflow-2": "apache-airflow==2.11.2", "keystone": "keystone==30.0.0"}


def make(name: str) -> Path:
    """Return the bin folder of an environment, which is made if it is missing or old."""
    folder = VENVS / name
    stamp, wanted = folder / "stamp", _fingerprint(name)
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = _find_uv()
        print(f"Making {folder.relative_to(ROOT)}", flush=True)
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        python = str(folder / "bin" / "python")
        constraints = f".ci/constraints-{name}.txt"
        _run(uv, "pip", "install", "--quiet", "--python", python, "-c", constraints, *ENVIRONMENTS[name])
        stamp.write_text(wanted)
    return folder / "bin"


def _fingerprint(name: str) -> str:
    parts = [ROOT / ".ci" / f"constraints-{name}.txt", ROOT / "setup.cfg"]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts))
    return f"{digest.hexdigest()} {' '.join(ENVIRONMENTS[name])}"


def _find_uv() -> str:
    """Return uv, from an environment of its own: it installs these environments in seconds instead of minutes."""
    folder = VENVS / "uv"
    if not (folder / "bin" / "uv").exists():
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv")
    return str(folder / "bin" / "uv")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def resolve(name: str) -> None:
    """Write the constraints file of an environment: the newest versions that go together."""
    wanted = [PINS[name], *ENVIRONMENTS[name][1:]]
    local = [f"airflow-provider-drs{part[1:]} @ {ROOT.as_uri()}" for part in wanted if part[0] == "."]
    others = [part for part in wanted if part[0] not in ".-"]
    command = [_find_uv(), "pip", "compile", "--quiet", "--python-version", "3.11", "--no-header", "--no-annotate"]
    done = subprocess.run(
        [*command, "-"], input="\n".join(others + local), cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("airflow-provider-drs")]
    header = f"# Every version of the environment {name}, for Python 3.11. Made by: make constraints"
    (ROOT / ".ci" / f"constraints-{name}.txt").write_text("\n".join([header, *lines, ""]))


if __name__ == "__main__":
    if sys.argv[1:] == ["--resolve"]:
        for each in ENVIRONMENTS:
            resolve(each)
    else:
        for each in sys.argv[1:] or list(ENVIRONMENTS):
            make(each)
