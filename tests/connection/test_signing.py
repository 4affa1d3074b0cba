from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.connection.signing import sign

AT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def _sign(**changes: object) -> dict[str, str]:
    arguments = {
        "method": "POST",
        "url": "https://drs.eu-de.otc.t-systems.com/v3/p/jobs/batch-status",
        "headers": {"Content-Type": "application/json"},
        "body": b"{}",
        "access_key": "AK",
        "secret_key": "not-real",
        "at": AT,
    }
    return sign(**{**arguments, **changes})  # type: ignore[arg-type]


def test_signature_headers() -> None:
    headers = _sign()

    assert headers["X-Sdk-Date"] == "20260102T030405Z"
    assert headers["Host"] == "drs.eu-de.otc.t-systems.com"
    assert headers["Authorization"].startswith(
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=content-type;host;x-sdk-date, Signature="
    )


def test_signature_hides_the_secret_key() -> None:
    assert "not-real" not in str(_sign())


def test_signature_time_is_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))

    assert _sign(at=AT.astimezone(zone)) == _sign()


@given(st.sampled_from(["method", "url", "body", "secret_key", "headers"]))
def test_every_part_of_a_request_changes_the_signature(part: str) -> None:
    other = {
        "method": "PUT",
        "url": "https://drs.eu-de.otc.t-systems.com/v3/p/jobs/batch-status?a=1",
        "body": b"[]",
        "secret_key": "another",
        "headers": {"Content-Type": "text/plain"},
    }

    assert _sign(**{part: other[part]})["Authorization"] != _sign()["Authorization"]


def test_query_parameters_are_sorted() -> None:
    url = "https://host.example/v3/a%20b/"

    assert _sign(url=f"{url}?b=2&a=1") == _sign(url=f"{url}?a=1&b=2")
