from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.core.redact import MASK, redact, redact_text

SECRET = "s3cret-not-real"


def test_redact_masks_secret_fields_at_any_depth() -> None:
    row = {"id": "a", "source_sharding": [{"db_password": SECRET, "ip": "1"}], "ssl_cert_key": SECRET}

    assert redact(row) == {
        "id": "a",
        "source_sharding": [{"db_password": MASK, "ip": "1"}],
        "ssl_cert_key": MASK,
    }


def test_redact_keeps_empty_secrets() -> None:
    assert redact({"db_password": ""}) == {"db_password": ""}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["a", "db_password", "dbPassword"]), inner)
        ),
    )
)
def test_redact_is_idempotent(document: object) -> None:
    assert redact(redact(document)) == redact(document)


@pytest.mark.parametrize(
    "text",
    [
        f"db_password={SECRET}",
        f'{{"password": "{SECRET}"}}',
        f"'secret_key': '{SECRET}'",
        f"X-Auth-Token: {SECRET}",
        f"Authorization: SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature={SECRET}",
        f"http://user:{SECRET}@proxy.example:3128/",
        f"sslCertPassword: {SECRET}",
    ],
)
def test_redact_text_masks_secrets(text: str) -> None:
    assert SECRET not in redact_text(text)
    assert MASK in redact_text(text)


def test_redact_text_keeps_other_text() -> None:
    text = "Unable to connect to DBMS: url=jdbc:mysql://172.22.74.56:3306?useSSL=false user=root"

    assert redact_text(text) == text
