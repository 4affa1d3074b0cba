"""Secrets in free text from a service, a library or a driver are masked."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.redact import MASK, redact, redact_text
from tests.security.canaries import Canaries

CANARIES = Canaries()
PLAIN = CANARIES.add("plain", "plain-canary-not-real-0f7d")
#: Characters that a parser may take for the end of a value.
AWKWARD = [f"awkward{inner}tail-not-real" for inner in "\"'\\,;&}@/:= "]
TAIL = "tail-not-real"
NAMES = [
    *("password", "db_password", "dbPassword", "DB-PASSWORD", "ssl_cert_password", "sslCertPassword"),
    *("ssl_cert_key", "secret_key", "secretKey", "X-Auth-Token", "x-subject-token", "token", "access_token"),
    *("Authorization", "passwd", "pwd"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secret", [PLAIN, *AWKWARD], ids=ascii)
def test_json_values_are_masked(name: str, secret: str) -> None:
    document = {"first": "kept", name: secret, "last": "kept, too"}
    for text in (
        json.dumps(document),
        json.dumps(document, separators=(",", ":")),
        json.dumps(json.dumps(document)),
        repr(document),
    ):
        shown = redact_text(text)

        assert MASK in shown
        assert TAIL not in shown
        assert PLAIN not in shown
        assert "kept" in shown
        assert "too" in shown


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("glue", ["=", ": ", " = ", ":"])
@pytest.mark.parametrize("secret", [PLAIN, "a,b;c-tail-not-real", "p&q-tail-not-real", "x@y/z-tail-not-real"])
def test_unquoted_values_are_masked(name: str, glue: str, secret: str) -> None:
    shown = redact_text(f"jdbc:mysql://h:1/d?user=root&{name}{glue}{secret}&useSSL=false, host=h refused")

    assert PLAIN not in shown
    assert TAIL not in shown
    assert "useSSL=false" in shown
    assert "refused" in shown


@pytest.mark.parametrize(
    "secret",
    [
        PLAIN,
        "p/w-tail-not-real",
        "p@w-tail-not-real",
        "p:w-tail-not-real",
        "?#-tail-not-real",
        "p w-tail-not-real",
        "p\" 'w-tail-not-real",
    ],
)
def test_url_passwords_are_masked(secret: str) -> None:
    shown = redact_text(f"Cannot connect to proxy http://user:{secret}@proxy.example:3128/ (refused)")

    assert "-not-real" not in shown
    assert "proxy.example:3128" in shown
    assert "refused" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect IAM authentication information: verify aksk signature fail",
        "Access denied for user 'root'@'192.0.2.1'",
        "see https://docs.example/a/b?c=d#e for more, or write to help@docs.example",
        "invalid token",
        "http://proxy.example:3128 refuses us; write to help@docs.example",
        "http://proxy.example:3128/path, or write to help@docs.example",
        "The password of the source is wrong.",
    ],
)
def test_other_text_is_kept(text: str) -> None:
    assert redact_text(text) == text


def test_texts_in_rows_are_masked() -> None:
    row = {"rows": [{"error_log": f"db_password={PLAIN}", "property": json.dumps({"dbpassword": PLAIN})}]}

    assert CANARIES.search({"row": json.dumps(redact(row))}) == []


@given(st.text(), st.sampled_from(NAMES), st.text())
@example("", "password", ":=x")
@example("", "password", '""0')
@example("", "password", '"x", user=root')
def test_redaction_is_idempotent(before: str, name: str, after: str) -> None:
    once = redact_text(f"{before}{name}={after}")

    assert redact_text(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "http://",
        "http://a",
        "password",
        "password=",
        "password:'",
        'password="\\',
        'password: \\"',
        "a,b;",
        " ",
        "password= ",
        "token=a,",
        "token=,a",
        '\\\\\\"',
        "@",
        "\\",
        "://",
        "authorization: a, b=",
        'password=\\"\\\\\\"',
    ],
)
def test_redaction_is_fast(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    for begin in ("", "password=", 'password="', "password='", 'password=\\"', "http://a:"):
        began_s = time.process_time()
        redact_text(f"{begin}{text}")

        assert time.process_time() - began_s < 2
