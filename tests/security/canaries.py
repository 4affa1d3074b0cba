"""
Secrets that can be told from everything else, and a search that finds them also in disguise.

A secret leaks as well in base64 (a header, a pickled value), quoted for a URL, or escaped for JSON. Each
canary is unique, so that a hit names the field that it came from.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

#: What a canary begins with; obviously no credential of anybody.
MARK = "canary-not-real"
#: Characters that base64, URLs, JSON and reprs write in different ways, as a password may have them.
_AWKWARD = 'é/+&% "\\'
# A part of a secret is a leak, too: a library may cut a long text short. What begins like a long one is it.
_LEAST_PART = 12
_LONGEST_PART = 64


@dataclass(frozen=True)
class Hit:
    """
    A secret where it must not be.

    :param name: of the canary.
    :param place: what was searched.
    :param disguise: how it was written.
    """

    name: str
    place: str
    disguise: str


@dataclass
class Canaries:
    """The secrets of one test, by the name of the field that holds them."""

    by_name: dict[str, str] = field(default_factory=dict)

    def make(self, name: str, *, awkward: bool = False) -> str:
        """
        Return a new secret.

        :param awkward: with characters that encodings write differently.
        """
        text = f"{MARK}-{secrets.token_hex(8)}-{name}{_AWKWARD if awkward else ''}"
        return self.add(name, text)

    def add(self, name: str, secret: str) -> str:
        """Look for a secret that somebody else has made, too."""
        assert len(secret) >= _LEAST_PART, "too short to be told from other text"
        self.by_name[name] = secret
        return secret

    def search(self, places: Mapping[str, str | bytes]) -> list[Hit]:
        """Return every hit, by place."""
        found = []
        for place, content in places.items():
            text = _Text(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
            for name, secret in self.by_name.items():
                match = next((how for how, look, needle in disguises(secret) if needle in look(text)), None)
                found += [Hit(name, place, match)] if match else []
        return found

    def search_files(self, files: Iterable[Path]) -> list[Hit]:
        """Return every hit in some files."""
        return self.search({str(file): file.read_bytes() for file in files if file.is_file()})


class _Text:
    """A text to search, and what it looks like to who overlooks some of its differences."""

    def __init__(self, content: bytes) -> None:
        self.as_it_is = content
        self.small = content.lower()
        # In lines, as in PEM and in mails, also where JSON has escaped their ends; in the alphabet of URLs.
        joined = re.sub(rb"\\*[\r\n]|\\+[rn]", b"", content)
        self.in_base64 = joined.translate(_TO_URL_ALPHABET)


_TO_URL_ALPHABET = bytes.maketrans(b"+/", b"-_")
_As = Callable[[_Text], bytes]


@functools.cache
def disguises(secret: str) -> tuple[tuple[str, _As, bytes], ...]:
    """Return each way in which a secret may be written, in what to look for it, and for what."""
    return tuple(_list_disguises(secret[:_LONGEST_PART]))


def _list_disguises(secret: str) -> Iterator[tuple[str, _As, bytes]]:
    raw = secret.encode()
    yield "raw", _as_it_is, raw
    for number, core in enumerate(_in_base64(raw)):
        yield f"base64 at {number}", lambda text: text.in_base64, core
    # Some write the hexadecimal digits large, some small, and some leave a slash as it is.
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield "in a URL", _small, quoted.lower().encode()
    # JSON in JSON is escaped twice: so do serialized task instances and some logs.
    once = json.dumps(secret)[1:-1]
    yield "in JSON", _as_it_is, once.encode()
    yield "in JSON as it is", _as_it_is, json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    yield "in JSON twice", _as_it_is, json.dumps(once)[1:-1].encode()
    yield "in a repr", _as_it_is, repr(secret)[1:-1].encode()
    yield "in a repr of bytes", _as_it_is, repr(raw)[2:-1].encode()
    yield "in hexadecimal", _small, raw.hex().encode()
    yield "in part", _as_it_is, raw[: max(_LEAST_PART, len(raw) * 3 // 4)]


def _as_it_is(text: _Text) -> bytes:
    return text.as_it_is


def _small(text: _Text) -> bytes:
    return text.small


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """Yield the part of its base64 that depends on nothing around it, for each of the three alignments."""
    for before in range(3):
        encoded = base64.urlsafe_b64encode(b"\0" * before + raw).rstrip(b"=")
        # A character holds six bits: those that share some with a neighbour are left out at both ends.
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        yield encoded[first:last]
