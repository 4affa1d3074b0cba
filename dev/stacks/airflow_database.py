"""The database of a new Airflow: made once for each environment, and copied from then on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dev import environments


def make_database(file: Path, bin_folder: Path, migrate: Callable[[], object]) -> None:
    """
    Make an empty database.

    :param file: where it is to be; the Airflow's own.
    :param bin_folder: the bin folder of the Airflow's environment.
    :param migrate: makes it there, which takes as long as a component does to start.
    """
    name = bin_folder.parent.name
    kept = environments.ROOT / ".run" / "databases" / f"{name}.db"
    with environments.lock(f"{name}-database"):
        if kept.exists() and kept.stat().st_mtime > (bin_folder.parent / "stamp").stat().st_mtime:
            shutil.copy(kept, file)
            return
        migrate()
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, whatever ends this process.
        fresh = kept.with_suffix(".new")
        shutil.copy(file, fresh)
        fresh.replace(kept)
