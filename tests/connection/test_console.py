from __future__ import annotations

import json

import pytest

from airflow_provider_drs.protocol.connection.console import find_page
from airflow_provider_drs.protocol.connection.settings import Settings, read_settings
from airflow_provider_drs.protocol.conversations import get_job_details
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.core.wire import Observation, Response


def _read(**extra: str) -> Settings:
    extra = {"region": "eu-de", "domain_name": "OTC", **extra}
    return read_settings("c", host=None, port=None, login="user", password="secret", extra=extra)


@pytest.mark.parametrize(
    ("uses", "page"),
    [
        ([], ""),
        (["migration"], "#/drs/migrate/list"),
        (["sync"], "#/drs/synchronization/list"),
        (["cloudDataGuard"], ""),
        (["migration", "sync"], ""),
        (["something new"], ""),
    ],
)
def test_jobs_of_one_kind_link_to_their_list(uses: list[str], page: str) -> None:
    assert find_page("https://c.example", "eu-de", uses) == f"https://c.example/drs/?region=eu-de{page}"


@pytest.mark.parametrize(("region", "query"), [("", ""), ("a&b", "?region=a%26b")])
def test_region_is_in_the_query(region: str, query: str) -> None:
    assert find_page("https://c.example", region) == f"https://c.example/drs/{query}"


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({}, "https://console.otc.t-systems.com"),
        ({"cloud": "huaweicloud"}, "https://console.huaweicloud.com"),
        ({"console_url": "console-intl.huaweicloud.com/"}, "https://console-intl.huaweicloud.com"),
        ({"console_url": "https://cloud.example/console"}, "https://cloud.example/console"),
    ],
)
def test_console_url_of_connection_overrides_the_cloud(extra: dict[str, str], url: str) -> None:
    assert _read(**extra).console_url == url


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a@b.example", "https://c.example/?x=y"])
def test_invalid_console_url_is_rejected(url: str) -> None:
    with pytest.raises(DrsConfigError, match="console_url"):
        _read(console_url=url)


def test_invalid_kind_is_ignored() -> None:
    row = {"id": "a", "status": "CONFIGURATION", "db_use_type": ["migration"]}
    talk = get_job_details(limits := Limits(10, 50, 300.0), ["a"])

    next(talk)
    with pytest.raises(StopIteration):
        talk.send(Observation(Response(200, {}, json.dumps({"results": [row]}).encode()), 0.0, 0.0))

    assert limits.uses == set()
