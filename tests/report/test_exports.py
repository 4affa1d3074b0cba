"""Reports as CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from airflow_provider_drs.report.exports import render_csv, render_markdown
from airflow_provider_drs.report.reports import Report

ITEM = {
    "item": "x",
    "result": "ALARM",
    "failed_reason": "why",
    "raw_error": "because",
    "fix": "fix it",
    "link": "https://docs.otc.t-systems.com/a",
    "waiver": {"reason": "agreed", "expires": "2999-12-31"},
}


def _jobs(*rows: dict[str, Any]) -> Any:
    return Report(json.dumps(rows)).jobs


def _read_csv(*rows: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(_jobs(*rows)), newline="")))


def test_csv_has_a_row_per_item() -> None:
    (row,) = _read_csv({"job_id": "a", "verdict": "passed", "items": [ITEM]})

    assert (row["job_id"], row["item"], row["reason"], row["fix"]) == ("a", "x", "why", "fix it")
    assert (row["waived_until"], row["waived_because"]) == ("2999-12-31", "agreed")


def test_csv_has_a_row_for_a_job_without_items() -> None:
    error = {"type": "DrsError", "message": "No such job"}
    rows = _read_csv(
        {"job_id": "a", "verdict": "passed"}, {"job_id": "b", "verdict": "failed", "error": error}
    )

    assert [(row["job_id"], row["raw_error"]) for row in rows] == [("b", "No such job"), ("a", "")]


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "|calc", '=HYPERLINK("http://x")'],
)
def test_csv_cells_are_no_formulas(formula: str) -> None:
    item = {**ITEM, "raw_error": formula, "item": formula, "group": formula, "fix": formula}
    (row,) = _read_csv({"job_id": formula, "verdict": "failed", "items": [item]})

    for name in ("job_id", "raw_error", "item", "group", "fix"):
        assert row[name] == f"'{formula}"


def test_csv_quotes_and_line_breaks() -> None:
    text = 'a "quoted", text\r\nof two lines'
    (row,) = _read_csv({"job_id": "a", "verdict": "failed", "items": [{**ITEM, "raw_error": text}]})

    assert row["raw_error"] == text


def test_markdown_lists_failed_and_alarming_items() -> None:
    rows = ({"job_id": "a", "verdict": "passed", "items": [ITEM]}, {"job_id": "b", "verdict": "passed"})
    text = render_markdown("Checks", _jobs(*rows), passed=1)

    assert text.startswith("## Checks\n")
    assert (
        "| a | passed | x | ALARM, waived until 2999-12-31: agreed | why because | fix it [manual](https://"
        in text
    )
    assert "| b |" not in text
    assert text.endswith("1 job passed without alarms.\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)\>"),
        ("[click](javascript:alert(1))", r"\[click\](javascript:alert(1))"),
        ("![x](http://evil)", r"\!\[x\](http://evil)"),
        ("`code`", r"\`code\`"),
        ("two\nlines", "two lines"),
        ("&lt;", r"\&lt;"),
    ],
)
def test_markdown_is_escaped(text: str, shown: str) -> None:
    item = {**ITEM, "failed_reason": text, "raw_error": ""}

    assert f"| {shown} |" in render_markdown(
        "t", _jobs({"job_id": "a", "verdict": "failed", "items": [item]}), passed=0
    )


def test_markdown_links_to_the_manual_only() -> None:
    item = {**ITEM, "link": "https://evil.example/"}

    assert "evil" not in render_markdown(
        "t", _jobs({"job_id": "a", "verdict": "failed", "items": [item]}), passed=0
    )
