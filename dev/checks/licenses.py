"""
Lists the licences of all that an installation of the provider brings along, and refuses what binds its users.

    make licences

It reads what the installed packages say of themselves, so it needs no network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

_OURS = "airflow-provider-drs"
#: Words of licences that let everybody use, change and pass on, as they stand in the metadata.
_PERMISSIVE = (
    *("apache", "bsd", "mit", "isc", "psf", "python software foundation", "mpl", "mozilla", "unlicense"),
    *("zpl", "zope", "historical permission", "hpnd", "public domain", "cc0", "artistic"),
)
_LONGEST = 60


def main() -> int:
    """Print the list, and return 0 if there is nothing in it that binds."""
    doubtful = []
    for name, found in sorted(_walk(_OURS, "", {})):
        licence = _read_licence(found) or "not named"
        is_good = any(word in licence.lower() for word in _PERMISSIVE)
        print(
            f"{name:<42}{found.version:<14}{licence[:_LONGEST]}{'' if is_good else '   <- look at this one'}"
        )
        doubtful += [] if is_good else [name]
    if doubtful:
        print(f"\n{len(doubtful)} licences are not known to be permissive: {', '.join(doubtful)}")
    return 1 if doubtful else 0


def _walk(name: str, extras: str, seen: dict[str, set[str]]) -> Iterator[tuple[str, Distribution]]:
    known = seen.setdefault(name, set())
    if extras in known:
        return
    is_new, _ = not known, known.add(extras)
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    if is_new:
        yield name, found
    for text in found.requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": extras}):
            for extra in ("", *needed.extras):
                yield from _walk(needed.name.lower().replace("_", "-"), extra, seen)


def _read_licence(found: Distribution) -> str:
    about = found.metadata
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if "License ::" in line]
    plain = (about.get("License") or "").strip().splitlines()
    return about.get("License-Expression") or ", ".join(classifiers) or (plain[0] if plain else "")


if __name__ == "__main__":
    sys.exit(main())
