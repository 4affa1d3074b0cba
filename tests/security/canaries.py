"""
Unique secrets for tests, and a search that finds them in every encoding.

A secret also leaks in base64 (a header, a pickled value), quoted for a URL, or escaped for JSON. Each
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

#: The prefix of every canary; obviously not a real credential.
MARK = "canary-not-real"
#: Characters that base64, URLs, JSON and reprs write in different ways, and that passwords may contain.
_AWKWARD = 'é/+&% "\\'
# Part of a secret is a leak, too: a library may truncate a long text. The start of a long one is enough.
_LEAST_PART = 12
_LONGEST_PART = 64


@dataclass(frozen=True)
class Hit:
    """
    A secret that was found where it must not be.

    :param name: of the canary.
    :param place: what was searched.
    :param disguise: its encoding.
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
        """Search for a secret that was made elsewhere, too."""
        assert len(secret) >= _LEAST_PART, "too short to be distinguished from other text"
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
    """A text to search, as it is and normalized."""

    def __init__(self, content: bytes) -> None:
        self.as_it_is = content
        self.small = content.lower()
        # Without line breaks (PEM, mail), also those escaped by JSON; in the URL-safe alphabet.
        joined = re.sub(rb"\\*[\r\n]|\\+[rn]", b"", content)
        self.in_base64 = joined.translate(_TO_URL_ALPHABET)


_TO_URL_ALPHABET = bytes.maketrans(b"+/", b"-_")
_As = Callable[[_Text], bytes]


@functools.cache
def disguises(secret: str) -> tuple[tuple[str, _As, bytes], ...]:
    """Return each encoding of a secret: its name, the form of the text to search, and the bytes to find."""
    return tuple(_list_disguises(secret[:_LONGEST_PART]))


def _list_disguises(secret: str) -> Iterator[tuple[str, _As, bytes]]:
    raw = secret.encode()
    yield "raw", _as_it_is, raw
    for number, core in enumerate(_in_base64(raw)):
        yield f"base64 at {number}", lambda text: text.in_base64, core
    # Hexadecimal digits occur in either case, and a slash may be unquoted.
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield "in a URL", _small, quoted.lower().encode()
    # JSON in JSON is escaped twice, as in serialized task instances and some logs.
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
    """Yield the base64 text that is independent of its neighbors, for each of the three alignments."""
    for before in range(3):
        encoded = base64.urlsafe_b64encode(b"\0" * before + raw).rstrip(b"=")
        # A character holds six bits: those shared with a neighbor are left out at both ends.
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        yield encoded[first:last]
