"""All links in the documentation and in messages exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.protocol.prechecks.checks import CHECKS, explain

ROOT = Path(__file__).parents[2]
SERVICE = "https://docs.otc.t-systems.com/data-replication-service/"
PAGES = frozenset((ROOT / "tests" / "contract" / "service-pages.txt").read_text("ascii").splitlines()[1:])
MARKDOWN = (ROOT / "README.md", ROOT / "CHANGELOG.md")
SOURCES = (
    *MARKDOWN,
    *sorted((ROOT / "docs").glob("*.rst")),
    *sorted((ROOT / "airflow_provider_drs").rglob("*.py")),
)
# Not requested by tests; checked by hand.
OTHER_HOSTS = frozenset(
    {
        "127.0.0.1",
        "169.254.169.254",
        "airflow.apache.org",
        "console-intl.huaweicloud.com",
        "console.huaweicloud.com",
        "console.otc.t-systems.com",
        "docs.otc.t-systems.com",
        "github.com",
        "keepachangelog.com",
        "openlineage.io",
        "proxy.example",
        "semver.org",
    }
)


def _is_there(address: str) -> bool:
    page = address.removeprefix(SERVICE).partition("#")[0]
    # A folder is the prefix of a URL that code completes, or an abbreviated URL.
    return page in PAGES or any(each.startswith(page) for each in PAGES if page.endswith("/")) or not page


@pytest.mark.parametrize("item", [*CHECKS, "aCheckThatIsNew"])
def test_check_item_link_exists(item: str) -> None:
    assert _is_there(explain(item).url)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_link_exists(operation: str) -> None:
    assert f"api-ref/api/{OPERATIONS[operation].address}.html" in PAGES


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_external_links_are_known(source: Path) -> None:
    text = source.read_text("utf-8")
    addresses = re.findall(r"https?://[A-Za-z0-9][\w./#%-]*", text)
    roles = re.findall(r":drs:`(?:[^`<]*<)?([\w/-]+)>?`", text)

    assert not [f"api-ref/api/{page}" for page in roles if f"api-ref/api/{page}.html" not in PAGES]
    assert not [each for each in addresses if each.startswith(SERVICE) and not _is_there(each.rstrip("."))]
    hosts = {re.split(r"[/:]", each.split("//")[1])[0].rstrip(".") for each in addresses}
    assert not hosts - OTHER_HOSTS


@pytest.mark.parametrize("source", MARKDOWN, ids=lambda path: path.name)
def test_file_links_exist(source: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", source.read_text("utf-8"))

    assert not [link for link in links if not (ROOT / link).exists()]
