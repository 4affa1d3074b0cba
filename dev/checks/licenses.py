"""
Lists the licenses of all dependencies of the provider, and fails if one is not known to be permissive.

    make licenses

Reads the metadata of the installed packages, so it needs no network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

_OURS = "airflow-provider-drs"
#: Words that identify permissive licenses in the metadata.
_PERMISSIVE = (
    *("apache", "bsd", "mit", "isc", "psf", "python software foundation", "mpl", "mozilla", "unlicense"),
    *("zpl", "zope", "historical permission", "hpnd", "public domain", "cc0", "artistic"),
)
_WIDTH = 60


def main() -> int:
    """Print the list, and return 0 if all licenses are permissive."""
    unknown = []
    for name, found in sorted(_walk(_OURS, "", {})):
        name_of_license = _read_license(found) or "not specified"
        is_permissive = any(word in name_of_license.lower() for word in _PERMISSIVE)
        print(
            f"{name:<42}{found.version:<14}{name_of_license[:_WIDTH]}{'' if is_permissive else '   <- CHECK'}"
        )
        unknown += [] if is_permissive else [name]
    if unknown:
        print(f"\n{len(unknown)} licenses are not known to be permissive: {', '.join(unknown)}")
    return 1 if unknown else 0


def _walk(name: str, extras: str, seen: dict[str, set[str]]) -> Iterator[tuple[str, Distribution]]:
    known = seen.setdefault(name, set())
    if extras in known:
        return
    is_new = not known
    known.add(extras)
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


def _read_license(found: Distribution) -> str:
    about = found.metadata
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if "License ::" in line]
    plain = (about.get("License") or "").strip().splitlines()
    return about.get("License-Expression") or ", ".join(classifiers) or (plain[0] if plain else "")


if __name__ == "__main__":
    sys.exit(main())
