from __future__ import annotations

import datetime
from urllib.parse import quote

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_drs.protocol.connection.grants import authorize, own_grant
from airflow_provider_drs.protocol.connection.settings import read_settings
from airflow_provider_drs.protocol.connection.signing import sign
from airflow_provider_drs.protocol.jobs.messages import build_job_statuses

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


@given(
    keys=st.tuples(
        st.from_regex(r"[A-Z0-9]{20}", fullmatch=True), st.from_regex(r"[A-Za-z0-9]{40}", fullmatch=True)
    ),
    security_token=st.from_regex(r"[A-Za-z0-9+/=_-]{1,200}", fullmatch=True),
    at=st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1)),
    job_ids=st.lists(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True), min_size=1, max_size=3),
)
def test_request_with_temporary_keys_equals_the_sdk(
    keys: tuple[str, str], security_token: str, at: datetime.datetime, job_ids: list[str]
) -> None:
    settings = read_settings(
        "drs_default",
        host=None,
        port=None,
        login=keys[0],
        password=keys[1],
        extra={"auth": "aksk", "region": "eu-de", "project_id": "project", "security_token": security_token},
    )
    request = build_job_statuses(job_ids)
    outgoing = authorize(settings, own_grant(settings), request, at.replace(tzinfo=datetime.UTC))
    names = ("Content-Type", "Accept", "Accept-Encoding", "X-Language")
    expected = SdkRequest(
        method=request.method,
        schema="https",
        host="drs.eu-de.otc.t-systems.com",
        resource_path=request.path.replace("{project_id}", "project"),
        query_params=[],
        header_params={name: outgoing.headers[name] for name in names}
        | {"X-Sdk-Date": at.strftime("%Y%m%dT%H%M%SZ")},
        body=outgoing.body,
    )

    credentials = BasicCredentials(*keys, "project").with_security_token(security_token)
    signed = credentials.sign_request(expected)

    assert outgoing.headers["X-Security-Token"] == security_token
    assert outgoing.headers["Authorization"] == signed.header_params["Authorization"]
