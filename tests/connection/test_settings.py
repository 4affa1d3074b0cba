from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_drs.protocol.connection.settings import Auth, Overrides, Settings, read_settings
from airflow_provider_drs.protocol.core.errors import DrsConfigError

SECRET = "s3cret-not-real"
EXTRA = {"region": "eu-de", "domain_name": "OTC-0001"}


def _read(extra: dict[str, Any] | None = None, **fields: Any) -> Settings:
    given = {"host": "", "port": None, "login": "user", "password": SECRET, **fields}
    overrides = given.pop("overrides", None)
    return read_settings("my_drs", extra={**EXTRA, **(extra or {})}, overrides=overrides, **given)


def test_defaults_from_region() -> None:
    settings = _read()

    assert settings.auth is Auth.PASSWORD
    assert settings.drs_url == "https://drs.eu-de.otc.t-systems.com"
    assert settings.iam_url == "https://iam.eu-de.otc.t-systems.com"
    assert (settings.project_name, settings.project_id, settings.language) == ("eu-de", "", "en-us")
    assert (settings.connect_timeout_s, settings.read_timeout_s, settings.retry_timeout_s) == (10, 60, 300)
    assert (settings.batch_size, settings.poll_batch_size, settings.verify, settings.proxy) == (
        10,
        50,
        True,
        None,
    )


def test_huawei_cloud_endpoints() -> None:
    settings = _read({"cloud": "huaweicloud", "region": "cn-north-4"})

    assert settings.drs_url == "https://drs.cn-north-4.myhuaweicloud.com"
    assert settings.iam_url == "https://iam.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "drs.example"}, "https://drs.example"),
        ({"host": "drs.example:8443"}, "https://drs.example:8443"),
        ({"host": "drs.example", "port": 8443}, "https://drs.example:8443"),
        ({"host": "https://drs.example:1", "port": 2}, "https://drs.example:1"),
        ({"host": "https://drs.example/prefix/"}, "https://drs.example/prefix"),
        ({"host": "127.0.0.1:8080", "schema": "http"}, "http://127.0.0.1:8080"),
        ({"host": "http://localhost:8080"}, "http://localhost:8080"),
        ({"host": "http://[::1]:8080"}, "http://[::1]:8080"),
    ],
)
def test_host_formats(fields: dict[str, Any], url: str) -> None:
    assert _read(**fields).drs_url == url


def test_http_requires_allow_http() -> None:
    assert _read({"allow_http": "true"}, host="http://drs.example").drs_url == "http://drs.example"


@pytest.mark.parametrize("given", ["https://iam.example", "https://iam.example/", "https://iam.example/v3/"])
def test_iam_endpoint_with_v3(given: str) -> None:
    assert _read(
        {"iam_endpoint": given, "region": ""} | {"project_name": "p"}, host="drs.example"
    ).iam_url == ("https://iam.example")


def test_arguments_override_the_connection() -> None:
    overrides = Overrides(project_id="other", region="eu-nl", language="ZH-CN")

    settings = _read({"project_id": "mine"}, overrides=overrides)

    assert (settings.project_id, settings.region, settings.language) == ("other", "eu-nl", "zh-cn")
    assert settings.drs_url == "https://drs.eu-nl.otc.t-systems.com"


@pytest.mark.parametrize(
    ("value", "verify"),
    [
        (True, True),
        (False, False),
        ("false", False),
        ("True", True),
        ("", True),
        (None, True),
        ("/ca.pem", "/ca.pem"),
    ],
)
def test_verify_formats(value: object, verify: bool | str) -> None:
    assert _read({"verify": value}).verify == verify


def test_keys_and_tokens_use_no_iam() -> None:
    for auth in ("aksk", "token"):
        settings = _read({"auth": auth, "project_id": "p", "domain_name": ""})
        assert (settings.iam_url, settings.project_id) == ("", "p")


@pytest.mark.parametrize(
    ("extra", "fields", "field"),
    [
        ({"region": ""}, {}, "extra.region"),
        ({"region": ""}, {"host": "drs.example"}, "extra.region"),
        ({"region": "", "project_name": "p"}, {"host": "drs.example"}, "extra.region"),
        ({"region": "", "project_name": "p", "iam_endpoint": "iam.example"}, {}, "host"),
        ({"auth": "magic"}, {}, "extra.auth"),
        ({"cloud": "aws"}, {}, "extra.cloud"),
        ({"language": "de"}, {}, "language"),
        ({"domain_name": ""}, {}, "extra.domain_name"),
        ({"domain_id": "d"}, {}, "extra.domain_name"),
        ({"region": 7}, {}, "extra.region"),
        ({}, {"login": ""}, "login"),
        ({}, {"password": None}, "password"),
        ({"auth": "token"}, {}, "extra.project_id"),
        ({"security_token": "t"}, {}, "extra.security_token requires extra.auth=aksk"),
        ({"auth": "aksk", "security_token": "t\nt"}, {}, "extra.security_token"),
        ({"agency_name": "a"}, {}, "extra.agency_domain_name is missing"),
        ({"agency_domain_name": "a"}, {}, "extra.agency_name is missing"),
        (
            {"agency_name": "a", "agency_domain_name": "d", "auth": "aksk"},
            {},
            "requires extra.auth=password or",
        ),
        ({"metadata_endpoint": "http://127.0.0.1"}, {}, "requires extra.auth=metadata, not password"),
        ({"auth": "metadata"}, {}, "login and password must be empty"),
        ({"auth": "metadata"}, {"login": ""}, "login and password must be empty"),
        (
            {"auth": "metadata", "metadata_endpoint": "http://metadata.example"},
            {"login": "", "password": ""},
            "without TLS",
        ),
        ({"auth": "token"}, {"login": None}, "extra.project_id"),
        ({"auth": "token", "project_id": "p"}, {"password": f"{SECRET}\n"}, "password"),
        ({}, {"host": "http://drs.example"}, "host"),
        ({}, {"host": "ftp://drs.example"}, "host"),
        ({}, {"host": "https://"}, "host"),
        ({}, {"host": "https://drs.example:port"}, "host"),
        ({}, {"host": f"https://user:{SECRET}@drs.example"}, "host"),
        ({"iam_endpoint": "http://iam.example"}, {}, "extra.iam_endpoint"),
        ({"proxy": "proxy"}, {}, "extra.proxy"),
        ({"proxy": "http://[bad"}, {}, "extra.proxy"),
        ({"allow_http": "maybe"}, {"host": "http://drs.example"}, "extra.allow_http"),
        ({"verify": 7}, {}, "extra.verify"),
        ({"read_timeout": "long"}, {}, "extra.read_timeout"),
        ({"read_timeout": True}, {}, "extra.read_timeout"),
        ({"retry_timeout": 0}, {}, "extra.retry_timeout"),
        ({"batch_size": 0}, {}, "extra.batch_size"),
        ({"batch_size": 101}, {}, "extra.batch_size"),
        ({"poll_batch_size": 1.5}, {}, "extra.poll_batch_size"),
    ],
)
def test_error_names_connection_and_field(extra: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    with pytest.raises(DrsConfigError) as caught:
        _read(extra, **fields)

    assert "my_drs" in str(caught.value)
    assert field in str(caught.value)
    assert SECRET not in str(caught.value)


def test_numbers_as_strings() -> None:
    settings = _read(
        {"batch_size": "4", "read_timeout": "2.5", "poll_batch_size": "", "proxy": "http://proxy:3128"}
    )

    assert (settings.batch_size, settings.read_timeout_s, settings.poll_batch_size) == (4, 2.5, 50)
    assert settings.proxy == "http://proxy:3128"


def test_identity_depends_on_credentials_and_hides_them() -> None:
    assert _read().identity == _read({"read_timeout": 5}).identity
    assert _read().identity != _read(password="other-not-real").identity
    assert SECRET not in _read().identity


def test_settings_repr_has_no_secret() -> None:
    assert SECRET not in repr(_read({"proxy": f"http://user:{SECRET}@proxy:3128"}))


@pytest.mark.parametrize(
    ("extra", "drs_url", "iam_url"),
    [
        ({"region": "eu-nl"}, "https://drs.eu-nl.otc.t-systems.com", "https://iam.eu-nl.otc.t-systems.com"),
        ({"region": "EU-DE"}, "https://drs.eu-de.otc.t-systems.com", "https://iam.eu-de.otc.t-systems.com"),
        (
            {"region": "eu-ch2"},
            "https://drs.eu-ch2.sc.otc.t-systems.com",
            "https://iam-pub.eu-ch2.sc.otc.t-systems.com",
        ),
        (
            {"cloud": "huaweicloud", "region": "eu-west-101"},
            "https://drs.eu-west-101.myhuaweicloud.eu",
            "https://iam.eu-west-101.myhuaweicloud.eu",
        ),
    ],
)
def test_endpoints_by_region(extra: dict[str, str], drs_url: str, iam_url: str) -> None:
    settings = _read(extra)

    assert (settings.drs_url, settings.iam_url) == (drs_url, iam_url)


@pytest.mark.parametrize(
    ("zone", "region"), [("eu-de-01", "eu-de"), ("EU-NL-03", "eu-nl"), ("cn-north-4a", "cn-north-4")]
)
def test_availability_zone_is_named(zone: str, region: str) -> None:
    with pytest.raises(DrsConfigError, match=f"is an availability zone. Set it to the region, {region}"):
        _read({"region": zone})


def test_version_at_the_end_of_the_host_is_ignored() -> None:
    assert _read({}, host="https://drs.example/base/v3/").drs_url == "https://drs.example/base"


def test_metadata_endpoint_of_the_server_may_be_plain_http() -> None:
    settings = _read({"auth": "metadata", "domain_name": ""}, login="", password="")
    other = _read({"auth": "metadata", "metadata_endpoint": "http://169.254.1.1/"}, login="", password="")

    assert settings.metadata_url == "http://169.254.169.254"
    assert other.metadata_url == "http://169.254.1.1"
    with pytest.raises(DrsConfigError, match="without TLS"):
        _read({}, host="http://169.254.1.1")
    assert settings.iam_url
    assert not _read({"auth": "metadata", "project_id": "p"}, login="", password="").iam_url


def test_agency_owns_the_project() -> None:
    agency = {"agency_name": "a", "agency_domain_name": "customer"}

    settings = _read({**agency, "auth": "token"}, login="")

    assert (settings.project_id, settings.project_name) == ("", settings.region)
    assert settings.iam_url
    assert settings.identity != _read({**agency, "auth": "token", "agency_name": "b"}, login="").identity
