"""The output of a command: lines, a live table in a terminal, or one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_drs.protocol.core.errors import label_job
from airflow_provider_drs.protocol.prechecks.checks import label_item
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, FAILED_WORD, PASSED_WORD
from airflow_provider_drs.protocol.prechecks.report import (
    JobReport,
    count_items,
    note_item,
    render_report,
    summarize,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from airflow_provider_drs.protocol.watches import Watch


@dataclass(frozen=True, slots=True)
class Result:
    """
    The result of a command.

    :param code: the exit code.
    :param fields: the JSON document, without command and code.
    :param headings: of the table of *rows*.
    :param reports: reports on pre-checks.
    :param text: text after the table or the reports.
    """

    code: int
    fields: dict[str, Any]
    headings: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    reports: Sequence[JobReport] = ()
    text: str = ""


class Screen(Protocol):
    """Where a command shows its output."""

    def note(self, line: str) -> None:
        """Show a line."""

    def watch(self, watch: Watch) -> AbstractContextManager[Any]:
        """Show the state of a wait until the context ends."""

    def refresh(self, watch: Watch, changes: Iterable[str]) -> None:
        """Show the current state of a wait."""

    def show_table(self, result: Result) -> None:
        """Show the current state of a list that is refreshed."""

    def show_result(self, command: str, result: Result) -> None:
        """Show the result."""

    def show_error(self, command: str, code: int, kind: str, text: str) -> None:
        """Show an error."""


def open_screen(*, as_json: bool, plain: bool) -> Screen:
    """Return the screen for the arguments, the terminal and ``NO_COLOR``."""
    if as_json:
        return JsonScreen()
    if plain or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return LineScreen()
    return TerminalScreen()


def clean(text: str) -> str:
    """Return *text* without control characters, which a response of DRS may contain."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _print_error(text: str) -> None:
    print(f"drs: {clean(text)}", file=sys.stderr, flush=True)


class LineScreen:
    """A line per change, and tables as lines, for logs and pipes."""

    def __init__(self) -> None:
        self._shown: frozenset[tuple[str, ...]] = frozenset()

    def note(self, line: str) -> None:
        """Print a line."""
        print(clean(line), flush=True)

    def watch(self, watch: Watch) -> AbstractContextManager[Any]:
        """Show changes only."""
        return nullcontext()

    def refresh(self, watch: Watch, changes: Iterable[str]) -> None:
        """Show changes only."""
        for line in changes:
            self.note(line)

    def show_table(self, result: Result) -> None:
        """Print the rows that have changed."""
        for row in result.rows:
            if row not in self._shown:
                self.note("  ".join(row).rstrip())
        self._shown = frozenset(result.rows)

    def show_result(self, command: str, result: Result) -> None:
        """Print the table or the report."""
        lines = [result.headings, *result.rows] if result.rows else []
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.note("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if result.reports:
            self.note(render_report(result.reports))
        if result.text:
            self.note(result.text)

    def show_error(self, command: str, code: int, kind: str, text: str) -> None:
        """Print the error to standard error."""
        _print_error(text)


class JsonScreen(LineScreen):
    """One JSON document on standard output, and lines on standard error."""

    def note(self, line: str) -> None:
        """Print a line to standard error."""
        print(clean(line), file=sys.stderr, flush=True)

    def show_result(self, command: str, result: Result) -> None:
        """Print the document."""
        print(json.dumps({"command": command, "exit_code": result.code, "error": None, **result.fields}))

    def show_error(self, command: str, code: int, kind: str, text: str) -> None:
        """Print the error, and a document with it."""
        super().show_error(command, code, kind, text)
        print(json.dumps({"command": command, "exit_code": code, "error": {"type": kind, "text": text}}))


#: The styles of words, as in Airflow's UI.
_STYLES = {
    PASSED_WORD: "green",
    "passed": "green",
    "OK": "green",
    ALARM_WORD: "yellow",
    "WARN": "yellow",
    FAILED_WORD: "bold red",
    "failed": "bold red",
    "FAIL": "bold red",
    "pending": "cyan",
}
_BAR_WIDTH = 20
#: Lines of the terminal that are not used for jobs.
_MARGIN = 5


class TerminalScreen:
    """A live table, in colors."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(highlight=False)
        self._live: Any = None

    def note(self, line: str) -> None:
        """Print a line, above the table if there is one."""
        self._console.print(_text(line))

    def watch(self, watch: Watch) -> AbstractContextManager[Any]:
        """Show the table until the context ends."""
        from rich.live import Live

        # The final result replaces the table.
        self._live = Live(self._draw(watch), console=self._console, auto_refresh=False, transient=True)
        return self._live  # type: ignore[no-any-return]

    def refresh(self, watch: Watch, changes: Iterable[str]) -> None:
        """Draw the table again."""
        self._live.update(self._draw(watch), refresh=True)

    def show_table(self, result: Result) -> None:
        """Replace what is on the terminal by the table."""
        self._console.clear()
        self.show_result("", result)

    def show_result(self, command: str, result: Result) -> None:
        """Show the table or the report, in colors."""
        if result.rows:
            self._console.print(
                _table(result.headings, [[_text(cell) for cell in row] for row in result.rows])
            )
        for report in result.reports:
            self._show(report)
        if result.reports:
            self._console.print(_text(summarize(result.reports)))
        if result.text:
            self._console.print(_text(result.text))

    def show_error(self, command: str, code: int, kind: str, text: str) -> None:
        """Print the error to standard error."""
        _print_error(text)

    def _draw(self, watch: Watch) -> RenderableType:
        """Draw as many jobs as fit: first those that have not finished, then those that failed."""
        from rich.progress_bar import ProgressBar

        failed = watch.failures
        rows = sorted(
            watch.results, key=lambda row: (not watch.needs_poll(row["job_id"]), row["job_id"] not in failed)
        )
        shown = rows[: max(self._console.height - _MARGIN, 1)]
        cells: list[list[RenderableType]] = []
        for row in shown:
            percent = row.get("progress", row.get("percent"))
            word = row.get("verdict") or row.get("status") or "?"
            bar = ProgressBar(100, percent or 0, width=_BAR_WIDTH)
            label = label_job(row["job_id"], watch.names.get(row["job_id"]))
            cells.append([_text(label), _text(word), bar, _text(describe_row(row))])
        table = _table(("JOB", "STATE", "", ""), cells)
        if len(shown) < len(rows):
            table.caption = f"and {len(rows) - len(shown)} more"
        return table

    def _show(self, report: JobReport) -> None:
        counts = ", ".join(f"{count} {name}" for name, count in count_items(report).items() if count)
        self._console.print(_text(f"{report.label}  {report.verdict.value}  {counts}".rstrip()))
        if report.error:
            self._console.print(_indent(4, _text(str(report.error))))
        for item in report.result.items if report.result else ():
            title = _text(
                f"{report.describe_result(item)}  {label_item(item.item)}  {item.failed_reason}".rstrip()
            )
            self._console.print(_indent(2, title))
            notes, link = note_item(item, report.waivers.get(item.item))
            for note in notes:
                self._console.print(_indent(4, _text(note)))
            # Let the terminal break the line, so that the link stays intact.
            self._console.print(_text(f"    manual: {link}"), style="dim", soft_wrap=True)


def describe_row(row: Mapping[str, Any]) -> str:
    """Return the progress of a job as text."""
    parts = []
    if (percent := row.get("progress", row.get("percent"))) is not None:
        parts.append(f"{percent}%")
    if row.get("remaining_s"):
        parts.append(f"{row['remaining_s']} s left")
    if row.get("delay_s") is not None:
        parts.append(f"lag {row['delay_s']} s")
    return ", ".join(parts)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    shown = Text(clean(text), style=style)
    for word, color in _STYLES.items():
        shown.highlight_regex(rf"\b{word}\b", color)
    return shown


def _indent(columns: int, text: Text) -> RenderableType:
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, columns))


def _table(headings: Sequence[str], rows: Iterable[Sequence[RenderableType]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "JOB")
    for row in rows:
        table.add_row(*row)
    return table
