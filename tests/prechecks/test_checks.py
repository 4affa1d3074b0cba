"""The catalog of check items."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from airflow_provider_drs.protocol.prechecks.checks import CHECKS, MANUAL_URL, explain

#: The check items that DRS documents, and their pages in the user manual; some have none.
ITEMS = Path(__file__).parents[1] / "contract" / "check-items.csv"


def test_catalog_has_every_documented_item_with_its_page() -> None:
    chapter = "troubleshooting/solutions_to_failed_check_items/"
    with ITEMS.open(newline="") as file:
        documented = {row["item"]: row["doc_page"].removeprefix(chapter) for row in csv.DictReader(file)}

    assert {item: text.page for item, text in CHECKS.items()} == documented


@pytest.mark.parametrize("item", CHECKS)
def test_catalog_entry_is_complete(item: str) -> None:
    """Title, problem and fix have the documented form, and the link leads to the manual."""
    text = CHECKS[item]

    assert 1 < len(text.title.split()) <= 6
    assert not text.title.endswith(".")
    assert re.fullmatch(r"[^.]+(\.[^ ][^.]*)*\.", text.problem), "one sentence"
    assert text.fix.endswith(".")
    assert text.fix.split()[0] not in ("The", "It", "A", "This")
    assert text.url.startswith(MANUAL_URL)
    assert text.url.endswith(".html")


def test_titles_are_unique() -> None:
    """A title alone identifies the check item."""
    assert len({text.title for text in CHECKS.values()}) == len(CHECKS)


def test_unknown_item_has_general_texts() -> None:
    """The set of items is open."""
    text = explain("brandNewCheck")

    assert "is not in the catalog" in text.problem
    assert text.url.endswith("index.html")
