"""A measured figure and its limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """
    A measured figure. Less is better.

    :param limit: the largest acceptable value.
    :param unit: the unit of both; empty for a ratio.
    """

    group: str
    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def passes(self) -> bool:
        return self.value <= self.limit

    @property
    def verdict(self) -> str:
        return "pass" if self.passes else "falls short"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row of a table."""
        return self.what, f"{_show(self.value)}{self.unit}", f"{_show(self.limit)}{self.unit}", self.verdict


def _show(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def render_line(figure: Figure) -> str:
    """Return a line for a terminal."""
    what, value, limit, verdict = figure.cells
    return f"{f'{figure.group}: {what}':<88}{value:>10}   at most {limit:<10} {verdict}"


def render_rst(figures: Iterable[Figure]) -> str:
    """Return a table for the documentation."""
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - Benchmark", "     - Result", "     - Limit"]
    lines.append("     - Status")
    for figure in figures:
        what, *rest = figure.cells
        lines.append(f"   * - {figure.group}: {what}")
        lines += [f"     - {cell}" for cell in rest]
    return "\n".join(lines) + "\n"
