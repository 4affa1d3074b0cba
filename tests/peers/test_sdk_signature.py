from __future__ import annotations

import datetime
from urllib.parse import quote

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.connection.signing import sign

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
SEGMENT = TEXT.filter(lambda text: "/" not in text)
HEADER_NAME = st.from_regex(r"X-[A-Za-z]{1,12}", fullmatch=True)
HEADER_VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "post"]),
    host=st.sampled_from(["drs.eu-de.otc.t-systems.com", "127.0.0.1:8080", "host.example:443"]),
    segments=st.lists(SEGMENT, max_size=4),
    query=st.dictionaries(TEXT.filter(bool), TEXT, max_size=4),
    headers=st.dictionaries(HEADER_NAME, HEADER_VALUE, max_size=4),
    body=st.binary(max_size=200),
    keys=st.tuples(st.from_regex(r"[A-Z0-9]{20}", fullmatch=True), st.from_regex(r"\w{40}", fullmatch=True)),
    at=st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1)),
)
def test_signature_equals_the_sdk(
    method: str,
    host: str,
    segments: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    keys: tuple[str, str],
    at: datetime.datetime,
) -> None:
    names = {name.lower() for name in headers}
    headers = {name: value for name, value in headers.items() if len(names) == len(headers)}
    headers["Content-Type"] = "application/json"
    path = "/v3/" + "/".join(quote(segment, safe="") for segment in segments)
    date = at.strftime("%Y%m%dT%H%M%SZ")
    expected = SdkRequest(
        method=method,
        schema="https",
        host=host,
        resource_path=path,
        query_params=list(query.items()),
        header_params={**headers, "X-Sdk-Date": date},
        body=body,
    )
    Signer(BasicCredentials(*keys, "project")).sign(expected)

    pairs = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
    signed = sign(
        method=method,
        url=f"https://{host}{path}" + (f"?{pairs}" if pairs else ""),
        headers=headers,
        body=body,
        access_key=keys[0],
        secret_key=keys[1],
        at=at.replace(tzinfo=datetime.UTC),
    )

    assert signed["Authorization"] == expected.header_params["Authorization"]
    assert signed["X-Sdk-Date"] == expected.header_params["X-Sdk-Date"]
    assert signed["Host"] == expected.header_params["Host"]
