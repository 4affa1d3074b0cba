"""What a person or a script sees: lines, a live table on a terminal, or one JSON document."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, FAILED_WORD, PASSED_WORD
from airflow_provider_drs.protocol.prechecks.report import (
    JobReport,
    count_items,
    note_item,
    render_report,
    summarise,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from airflow_provider_drs.protocol.watches import Watch


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a command ends with.

    :param code: the exit code.
    :param fields: the JSON document, apart from command and code.
    :param headings: of a table, with *rows*.
    :param reports: on pre-checks.
    :param text: what is said below all that.
    """

    code: int
    fields: dict[str, Any]
    headings: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    reports: Sequence[JobReport] = ()
    text: str = ""


class Screen(Protocol):
    """Where a command shows what it does."""

    def note(self, line: str) -> None:
        """Show what has happened."""

    def watch(self, watch: Watch) -> AbstractContextManager[Any]:
        """Show how a wait stands, until the context ends."""

    def refresh(self, watch: Watch, changes: Iterable[str]) -> None:
        """Show how it stands now."""

    def conclude(self, command: str, result: Result) -> None:
        """Show what came of it."""

    def complain(self, command: str, code: int, kind: str, text: str) -> None:
        """Show why nothing came of it."""


def open_screen(*, as_json: bool, plain: bool) -> Screen:
    """Return what fits the arguments, the terminal and ``NO_COLOR``."""
    if as_json:
        return JsonScreen()
    if plain or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return LineScreen()
    return TerminalScreen()


def clean(text: str) -> str:
    """Return a text without what would move the cursor, or turn letters around: it may be DRS's."""
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def _complain(text: str) -> None:
    print(f"drs: {clean(text)}", file=sys.stderr, flush=True)


class LineScreen:
    """A line for each change, and tables of lines, for logs and pipes."""

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

    def conclude(self, command: str, result: Result) -> None:
        """Print the table, or the report."""
        lines = [result.headings, *result.rows] if result.rows else []
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.note("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if result.reports:
            self.note(render_report(result.reports))
        if result.text:
            self.note(result.text)

    def complain(self, command: str, code: int, kind: str, text: str) -> None:
        """Print it where errors go."""
        _complain(text)


class JsonScreen(LineScreen):
    """One document on standard output, and what happens meanwhile on standard error."""

    def note(self, line: str) -> None:
        """Keep standard output for the document."""
        print(clean(line), file=sys.stderr, flush=True)

    def conclude(self, command: str, result: Result) -> None:
        """Print the document."""
        print(json.dumps({"command": command, "exit_code": result.code, "error": None, **result.fields}))

    def complain(self, command: str, code: int, kind: str, text: str) -> None:
        """Print a document nevertheless."""
        super().complain(command, code, kind, text)
        print(json.dumps({"command": command, "exit_code": code, "error": {"type": kind, "text": text}}))


#: How words are shown, here as in Airflow: what is well, what wants a look, what is wrong, what goes on.
_STYLES = {
    PASSED_WORD: "green",
    "passed": "green",
    "good": "green",
    ALARM_WORD: "yellow",
    "warning": "yellow",
    FAILED_WORD: "bold red",
    "failed": "bold red",
    "bad": "bold red",
    "pending": "cyan",
}
_BAR_WIDTH = 20
#: Lines of a terminal that are kept free of jobs.
_MARGIN = 5


class TerminalScreen:
    """A table that moves while jobs do, and colours."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(highlight=False)
        self._live: Any = None

    def note(self, line: str) -> None:
        """Print a line; above the table while there is one."""
        self._console.print(_text(line))

    def watch(self, watch: Watch) -> AbstractContextManager[Any]:
        """Show the table until the context ends."""
        from rich.live import Live

        # It gives way to what came of it.
        self._live = Live(self._draw(watch), console=self._console, auto_refresh=False, transient=True)
        return self._live  # type: ignore[no-any-return]

    def refresh(self, watch: Watch, changes: Iterable[str]) -> None:
        """Draw it anew; what has changed is in it."""
        self._live.update(self._draw(watch), refresh=True)

    def conclude(self, command: str, result: Result) -> None:
        """Show the table, or the report, in colours."""
        if result.rows:
            self._console.print(
                _table(result.headings, [[_text(cell) for cell in row] for row in result.rows])
            )
        for report in result.reports:
            self._show(report)
        if result.reports:
            self._console.print(_text(summarise(result.reports)))
        if result.text:
            self._console.print(_text(result.text))

    def complain(self, command: str, code: int, kind: str, text: str) -> None:
        """Print it where errors go."""
        _complain(text)

    def _draw(self, watch: Watch) -> RenderableType:
        """Draw as many jobs as the terminal has room for: those that move, then those that failed."""
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
            cells.append([_text(row["job_id"]), _text(word), bar, _text(describe_row(row))])
        table = _table(("JOB", "STATE", "", ""), cells)
        if len(shown) < len(rows):
            table.caption = f"and {len(rows) - len(shown)} more"
        return table

    def _show(self, report: JobReport) -> None:
        said = ", ".join(f"{count} {name}" for name, count in count_items(report).items() if count)
        self._console.print(_text(f"{report.job_id}  {report.verdict.value}  {said}".rstrip()))
        if report.error:
            self._console.print(_indent(4, _text(str(report.error))))
        for item in report.result.items if report.result else ():
            title = _text(f"{item.result}  {item.item}  {item.failed_reason}".rstrip())
            self._console.print(_indent(2, title))
            notes, link = note_item(item, report.waivers.get(item.item))
            for note in notes:
                self._console.print(_indent(4, _text(note)))
            # The terminal breaks it, so that it stays a link.
            self._console.print(_text(f"    see: {link}"), style="dim", soft_wrap=True)


def describe_row(row: Mapping[str, Any]) -> str:
    """Return what is known of how far a job is, in a few words."""
    parts = []
    if (percent := row.get("progress", row.get("percent"))) is not None:
        parts.append(f"{percent}%")
    if row.get("remaining_s"):
        parts.append(f"{row['remaining_s']} s left")
    if row.get("delay_s") is not None:
        parts.append(f"{row['delay_s']} s behind")
    return ", ".join(parts)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    shown = Text(clean(text), style=style)
    for word, colour in _STYLES.items():
        shown.highlight_regex(rf"\b{word}\b", colour)
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
