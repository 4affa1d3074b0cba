"""The search finds secrets in every encoding; the tests that find none rely on it."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.canaries import Canaries, Hit

SECRETS = Canaries()
PLAIN = SECRETS.make("plain")
AWKWARD = SECRETS.make("awkward", awkward=True)


def _disguised(secret: str) -> dict[str, str | bytes]:
    raw = secret.encode()
    return {
        "raw": f"x{secret}y",
        "bytes": b"\xff" + raw,
        **{f"base64 {n}": base64.b64encode(b"u" * n + b":" + raw + b"tail") for n in range(3)},
        **{f"base64 {n} at its end": base64.b64encode(b"u" * n + raw) for n in range(3)},
        **{f"urlsafe base64 {n}": base64.urlsafe_b64encode(b"u" * n + raw + b"~") for n in range(3)},
        "base64 in lines": base64.encodebytes(b"-" * 70 + raw),
        "base64 in lines in JSON": json.dumps(base64.encodebytes(b"-" * 70 + raw).decode()),
        "percent": quote(secret, safe=""),
        "percent with slash": quote(secret),
        "lower-case percent": quote(secret, safe="").lower(),
        "plus": quote_plus(secret),
        "form": urlencode({"password": secret}),
        "JSON": json.dumps({"password": secret}),
        "JSON in UTF-8": json.dumps({"password": secret}, ensure_ascii=False),
        "JSON in JSON": json.dumps(json.dumps({"password": secret})),
        "repr": repr({"password": secret}),
        "repr of bytes": repr(raw),
        "pickle": pickle.dumps({"password": secret}),
        "hexadecimal": raw.hex(),
        "truncated": secret[: -len(secret) // 5],
    }


@pytest.mark.parametrize("name", ["plain", "awkward"])
@pytest.mark.parametrize("disguise", _disguised(PLAIN))
def test_every_encoding_is_found(name: str, disguise: str) -> None:
    text = _disguised(SECRETS.by_name[name])[disguise]

    found = SECRETS.search({"elsewhere": "nothing here", "here": text})

    assert {(hit.name, hit.place) for hit in found} == {(name, "here")}


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_base64_is_found_at_any_alignment(before: bytes, after: bytes) -> None:
    for secret in (PLAIN, AWKWARD):
        assert SECRETS.search({"text": base64.b64encode(before + secret.encode() + after)})


def test_other_text_is_not_found() -> None:
    other = Canaries().make("plain")

    assert SECRETS.search({"other": other, "mark": "canary-not-real-plain", "none": b""}) == []


def test_files_are_searched(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"password={PLAIN}")

    assert SECRETS.search_files(tmp_path.rglob("*")) == [Hit("plain", str(tmp_path / "log"), "raw")]
    assert SECRETS.search_files([tmp_path]) == []


def test_short_secret_is_rejected() -> None:
    with pytest.raises(AssertionError):
        SECRETS.add("short", "admin")
