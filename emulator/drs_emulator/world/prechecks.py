"""Pre-checks: items, verdict, and progress over time or by reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

#: The item that fails or alarms if the test names none.
_DEFAULT_ITEMS = {
    "fail": {
        "mysql": "srcBinlogFormatCheck",
        "mongodb": "srcDbPrivilegesIsEnough",
        "postgresql": "dstDbConnection",
    },
    "alarm": {
        "mysql": "srcTriggerAndEventCheck",
        "mongodb": "srcCollHasTtlIndex",
        "postgresql": "dbVersionMeetRequirement",
    },
}
OUTCOMES = ("pass", "alarm", "fail")
_RESULTS = ("PASSED", "ALARM", "FAILED")


@dataclass
class Plan:
    """
    The plan of a job's next pre-checks.

    :param outcome: ``pass``, ``alarm`` or ``fail``.
    :param items: the items that do not pass, by name or as whole rows.
    :param duration_s: duration in seconds; 0 ends it immediately.
    :param reads: instead of a duration, the number of reads of the result until it ends.
    :param stale_reads: number of reads after a new start that still return the previous run.
    :param stale_s: or the number of seconds.
    :param precheck_id: the ID of the run; by default, the job ID.
    :param without_result: omit ``result`` from the response.
    :raises ValueError: a value is invalid.
    """

    outcome: str = "pass"
    items: Sequence[str | Mapping[str, Any]] = ()
    duration_s: float = 10.0
    reads: int | None = None
    stale_reads: int = 0
    stale_s: float = 0.0
    precheck_id: str | None = None
    without_result: bool = False

    def __post_init__(self) -> None:
        """Reject invalid values now instead of in a later request."""
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, not {self.outcome!r}")
        for name in ("duration_s", "stale_reads", "stale_s"):
            value = getattr(self, name)
            # JSON, and therefore the state file, has no infinity.
            if not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")
        if self.reads is not None and (not isinstance(self.reads, int) or self.reads < 0):
            raise ValueError(f"reads must be an integer of at least 0, not {self.reads!r}")
        if self.precheck_id is not None and not isinstance(self.precheck_id, str):
            raise ValueError(f"precheck_id must be a string, not {self.precheck_id!r}")
        for item in self.items:
            _check_item(item, self.outcome)


@dataclass
class Precheck:
    """One run of a pre-check."""

    plan: Plan
    engine: str
    precheck_id: str
    started_s: float
    unreachable: Sequence[str] = ()
    reads: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Determine all items; the progress only reveals them."""
        self.rows = _make_rows(self.engine, self.plan, self.unreachable)

    def percent(self, now_s: float) -> int:
        """Return the progress."""
        if self.plan.reads is not None:
            return 100 if not self.plan.reads else min(100, 100 * self.reads // self.plan.reads)
        if self.plan.duration_s <= 0:
            return 100
        return max(0, min(100, int(100 * (now_s - self.started_s) / self.plan.duration_s)))

    def is_running(self, now_s: float) -> bool:
        """Return whether it has not ended."""
        return self.percent(now_s) < 100

    def has_passed(self, now_s: float) -> bool:
        """Return whether the job may start."""
        return not self.is_running(now_s) and all(row["result"] != "FAILED" for row in self.rows)

    def to_row(self, now_s: float, job_direction: str, instance_id: str) -> dict[str, Any]:
        """Return the result row; until it ends, with the items so far and ``result`` false."""
        percent = self.percent(now_s)
        finished = self.rows[: len(self.rows) * percent // 100]
        not_failed = sum(row["result"] != "FAILED" for row in finished)
        row: dict[str, Any] = {
            "precheck_id": self.precheck_id,
            "result": self.has_passed(now_s),
            "process": f"{percent}%",
            "total_passed_rate": f"{100 * not_failed // len(self.rows)}%",
            "rds_instance_id": instance_id,
            "job_direction": job_direction,
            "precheck_result": finished,
        }
        if self.plan.without_result:
            del row["result"]
        return row


@lru_cache(maxsize=1)
def load_items() -> dict[str, list[list[str]]]:
    """Return name and group of each engine's items, as in the service's examples."""
    items: dict[str, list[list[str]]] = json.loads(
        resources.files("drs_emulator.api").joinpath("check_items.json").read_text("utf-8")
    )
    return items


def _check_item(item: object, outcome: str) -> None:
    if isinstance(item, str) and outcome != "pass":
        return
    if not isinstance(item, Mapping) or not isinstance(item.get("item"), str):
        raise ValueError(
            f"an item must be a name (if the outcome is not 'pass') or a row with 'item', not {item!r}"
        )
    if item.get("result", "PASSED") not in _RESULTS:
        raise ValueError(
            f"the result of an item must be one of {', '.join(_RESULTS)}, not {item['result']!r}"
        )


def _make_rows(engine: str, plan: Plan, unreachable: Iterable[str]) -> list[dict[str, Any]]:
    family = next((name for name in ("mongodb", "postgresql") if name in engine), "mysql")
    rows = {name: {"item": name, "result": "PASSED", "group": group} for name, group in load_items()[family]}
    word = {"fail": "FAILED", "alarm": "ALARM"}.get(plan.outcome, "PASSED")
    named = plan.items or ((_DEFAULT_ITEMS[plan.outcome][family],) if word != "PASSED" else ())
    for item in named:
        row = {"result": word, **(item if isinstance(item, Mapping) else {"item": item})}
        known = rows.get(row["item"], {"group": "db_params"})
        rows[row["item"]] = known | _explain(row) | row
    for name in unreachable:
        failed = {"result": "FAILED", "failed_reason": "CONNECTION_NOT_TESTED"}
        rows[name] = rows.get(name, {"item": name, "group": "network"}) | failed
    return list(rows.values())


def _explain(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["result"] == "PASSED":
        return {}
    reason = re.sub(r"(?<!^)(?=[A-Z])", "_", row["item"]).upper()
    return {"failed_reason": f"{reason}_NOT_MET", "data": ""}
