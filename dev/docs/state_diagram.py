"""
Draws the statuses of a job and their transitions, from the table in protocol/jobs/states.py.

Rows are the phases in the order of a job's life. Failed statuses are to the right of the statuses they
follow.
"""

from __future__ import annotations

from html import escape

from airflow_provider_drs.protocol.jobs.states import NEXT, STATUSES, Phase

_ROWS = (
    Phase.CREATING,
    Phase.CONFIGURING,
    Phase.STARTING,
    Phase.FULL,
    Phase.INCREMENTAL,
    Phase.PAUSED,
    Phase.STOPPING,
    Phase.ENDED,
)
_COLUMNS = 4
_LEFT, _TOP, _WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 120, 24, 148, 42, 40, 40
#: Distance between the arrows of two opposite transitions.
_APART = 7
_COLORS = {Phase.FAILED: "#f6d5d5", Phase.ENDED: "#e4e4e4", Phase.PAUSED: "#fdf0cf"}
_STYLE = (
    "text{font:11.5px sans-serif;text-anchor:middle;fill:#222}"
    ".phase{font-weight:bold;fill:#678;text-anchor:start}"
    "path{fill:none;stroke:#678;stroke-width:1.3}rect{stroke:#567;rx:5px}"
)
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#678;stroke:none"/></marker></defs>'
)


def draw() -> str:
    """Return the diagram as SVG."""
    places = _place()
    width = _left(_COLUMNS)
    height = _top(len(_ROWS)) - _GAP_Y + _TOP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>The statuses of a DRS job</title><style>{_STYLE}</style>{_TIP}",
            # Readable in light and dark mode.
            f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>',
            *(
                f'<text x="12" y="{_top(row) + _HEIGHT / 2 + 4}" class="phase">{phase.value}</text>'
                for row, phase in enumerate(_ROWS)
            ),
            *(
                _arrow(places[start], places[end], f"{start} to {end}")
                for start, ends in NEXT.items()
                for end in ends
            ),
            *(_box(word, *place) for word, place in places.items()),
            "</svg>",
            "",
        ]
    )


def _place() -> dict[str, tuple[int, int]]:
    """Return row and column of each status in the table."""
    words = dict.fromkeys([*NEXT, *(word for ends in NEXT.values() for word in ends)])
    taken = [0] * len(_ROWS)
    places: dict[str, tuple[int, int]] = {}
    # Failed statuses come last in the row of the statuses they follow.
    for word in sorted(words, key=lambda word: STATUSES[word].phase is Phase.FAILED):
        phase = STATUSES[word].phase
        row = (
            next(places[start][0] for start, ends in NEXT.items() if word in ends and start in places)
            if phase is Phase.FAILED
            else _ROWS.index(phase)
        )
        places[word] = (row, taken[row])
        taken[row] += 1
    return places


def _left(column: int) -> int:
    return _LEFT + column * (_WIDTH + _GAP_X)


def _top(row: int) -> int:
    return _TOP + row * (_HEIGHT + _GAP_Y)


def _box(word: str, row: int, column: int) -> str:
    status = STATUSES[word]
    color = _COLORS.get(status.phase, "#dcecf7")
    x, y = _left(column), _top(row)
    first, _, last = word.rpartition("_")
    lines = [f"{first}_", last] if first else [last]
    center, baseline = x + _WIDTH / 2, y + _HEIGHT / 2 + 4 - 7 * (len(lines) - 1)
    text = "".join(
        f'<tspan x="{center}" y="{baseline + 14 * n}">{line}</tspan>' for n, line in enumerate(lines)
    )
    return (
        f"<g><title>{escape(status.meaning)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="{color}"/><text>{text}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], title: str) -> str:
    (row, column), (to_row, to_column) = start, end
    x, y, to_x, to_y = _left(column), _top(row), _left(to_column), _top(to_row)
    middle, to_middle = x + _WIDTH / 2, to_x + _WIDTH / 2
    if row == to_row and abs(column - to_column) == 1:
        is_right = to_column > column
        side, to_side = (x + _WIDTH, to_x) if is_right else (x, to_x + _WIDTH)
        level = y + _HEIGHT / 2 + (-_APART if is_right else _APART)
        path = f"M{side} {level}L{to_side} {level}"
    elif row == to_row:
        # Above the boxes between.
        shift, over = (_APART, 30) if to_column > column else (-_APART, 22)
        path = (
            f"M{middle + shift} {y}C{middle + shift} {y - over} {to_middle - shift} {y - over} "
            f"{to_middle - shift} {to_y}"
        )
    elif abs(to_row - row) == 1:
        is_down = to_row > row
        shift = _APART if is_down else -_APART
        begin, finish = (y + _HEIGHT, to_y) if is_down else (y, to_y + _HEIGHT)
        path = f"M{middle + shift} {begin}L{to_middle + shift} {finish}"
    else:
        # Left of the rows between.
        is_down = to_row > row
        level, to_level = y + _HEIGHT / 2, to_y + _HEIGHT / 2
        group = _left(max(column, to_column)) - (_GAP_X * (0.7 if is_down else 0.3)) + 8 * (row % 2)
        side, to_side = x, to_x if to_column == column else to_x + _WIDTH
        shift = _APART if is_down else -_APART
        bend = 30 if is_down else -30
        begin, finish = level + shift, to_level - shift
        path = (
            f"M{side} {begin}C{group} {begin} {group} {begin} {group} {level + bend}"
            f"L{group} {to_level - bend}C{group} {finish} {group} {finish} {to_side} {finish}"
        )
    return f'<path d="{path}" marker-end="url(#tip)"><title>{title}</title></path>'
