"""The database of a new Airflow: created once for each environment, and copied after that."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dev import environments


def make_database(file: Path, bin_folder: Path, migrate: Callable[[], object]) -> None:
    """
    Create an empty database.

    :param file: the file to create, which this Airflow is configured to use.
    :param bin_folder: the bin folder of the Airflow's environment.
    :param migrate: creates the file, which takes about as long as a component takes to start.
    """
    name = bin_folder.parent.name
    cached = environments.ROOT / ".run" / "databases" / f"{name}.db"
    with environments.lock(f"{name}-database"):
        if cached.exists() and cached.stat().st_mtime > (bin_folder.parent / "stamp").stat().st_mtime:
            shutil.copy(cached, file)
            return
        migrate()
        cached.parent.mkdir(parents=True, exist_ok=True)
        # Atomic, in case this process is killed.
        fresh = cached.with_suffix(".new")
        shutil.copy(file, fresh)
        fresh.replace(cached)
