"""
Draws the statuses of a job, and how it goes from one to another, out of the table in protocol/states.py.

Columns are phases in the order of a job's life; what has failed stands below what it failed in.
"""

from __future__ import annotations

from html import escape

from airflow_provider_drs.protocol.states import NEXT, STATUSES, Phase

_COLUMNS = (
    Phase.CREATING,
    Phase.CONFIGURING,
    Phase.STARTING,
    Phase.FULL,
    Phase.INCREMENTAL,
    Phase.PAUSED,
    Phase.STOPPING,
    Phase.ENDED,
)
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 190, 34, 34, 26, 20
_FAILED_ROW = 3
_COLOURS = {Phase.FAILED: "#f6d5d5", Phase.ENDED: "#e4e4e4", Phase.PAUSED: "#fdf0cf"}


def draw() -> str:
    """Return the diagram as SVG."""
    places = _place()
    boxes = [_box(word, *place) for word, place in places.items()]
    arrows = [
        _arrow(places[start], places[end], f"{start} to {end}")
        for start, ends in NEXT.items()
        for end in ends
    ]
    titles = [
        f'<text x="{_left(column) + _WIDTH / 2}" y="{_MARGIN}" class="phase">{phase.value}</text>'
        for column, phase in enumerate(_COLUMNS)
    ]
    width = _left(len(_COLUMNS)) + _MARGIN
    height = _top(_FAILED_ROW + 1) + _MARGIN
    style = (
        "text{font:11px sans-serif;text-anchor:middle;fill:#222}.phase{font-weight:bold;fill:#666}"
        "path{fill:none;stroke:#678;stroke-width:1.3}rect{stroke:#567;rx:5px}"
    )
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#678;stroke:none"/></marker></defs>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>The statuses of a DRS job</title><style>{style}</style>{marker}",
            *titles,
            *arrows,
            *boxes,
            "</svg>",
            "",
        ]
    )


def _place() -> dict[str, tuple[int, int]]:
    """Return column and row of each status that a job comes to by the table."""
    words = dict.fromkeys([*NEXT, *(word for ends in NEXT.values() for word in ends)])
    places: dict[str, tuple[int, int]] = {}
    rows = dict.fromkeys(range(len(_COLUMNS)), 0)
    for word in words:
        phase = STATUSES[word].phase
        if phase is not Phase.FAILED:
            column = _COLUMNS.index(phase)
            places[word] = (column, rows[column])
            rows[column] += 1
    taken: dict[int, int] = {}
    for word in words:
        if STATUSES[word].phase is Phase.FAILED:
            column = next(
                places[start][0] for start, ends in NEXT.items() if word in ends and start in places
            )
            places[word] = (column, _FAILED_ROW - taken.get(column, 0))
            taken[column] = taken.get(column, 0) + 1
    return places


def _left(column: int) -> int:
    return _MARGIN + column * (_WIDTH + _GAP_X)


def _top(row: int) -> int:
    return _MARGIN * 2 + row * (_HEIGHT + _GAP_Y)


def _box(word: str, column: int, row: int) -> str:
    status = STATUSES[word]
    colour = _COLOURS.get(status.phase, "#dcecf7")
    x, y = _left(column), _top(row)
    return (
        f"<g><title>{escape(status.meaning)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="{colour}"/>'
        f'<text x="{x + _WIDTH / 2}" y="{y + _HEIGHT / 2 + 4}">{word}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], title: str) -> str:
    (from_column, from_row), (to_column, to_row) = start, end
    if from_column == to_column:
        # Side by side, so that there and back do not cover each other.
        is_down = to_row > from_row
        shift = 12 if is_down else -12
        x = _left(from_column) + _WIDTH / 2 + shift
        y1, y2 = (
            (_top(from_row) + _HEIGHT, _top(to_row)) if is_down else (_top(from_row), _top(to_row) + _HEIGHT)
        )
        path = f"M{x} {y1}L{x} {y2}"
    else:
        is_right = to_column > from_column
        x1 = _left(from_column) + (_WIDTH if is_right else 0)
        x2 = _left(to_column) + (0 if is_right else _WIDTH)
        shift = -6 if is_right else 6
        y1, y2 = _top(from_row) + _HEIGHT / 2 + shift, _top(to_row) + _HEIGHT / 2 + shift
        middle = (x1 + x2) / 2
        path = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return f'<path d="{path}" marker-end="url(#tip)"><title>{title}</title></path>'
