"""How a pre-check runs and ends: its items, its verdict, and its progress over time or from read to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

#: What an outcome puts into its item when the test names none.
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
    How the next pre-checks of a job go.

    :param outcome: ``pass``, ``alarm`` or ``fail``.
    :param items: items that do not pass, by name or as whole rows.
    :param duration_s: seconds that it takes; 0 ends it at once.
    :param reads: instead of time, how many reads of the result it takes.
    :param stale_reads: how many reads after a new start still show the run before.
    :param stale_s: or for how many seconds they do.
    :param precheck_id: what the service calls the run; the job's id if not given.
    :param without_result: leave ``result`` out of the answer.
    :raises ValueError: a value that makes no sense.
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
        """Refuse what would only fail later, in the middle of somebody else's request."""
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}, not {self.outcome!r}")
        for name in ("duration_s", "stale_reads", "stale_s"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name} must be a number from 0 on, not {value!r}")
        if self.reads is not None and (not isinstance(self.reads, int) or self.reads < 0):
            raise ValueError(f"reads must be a whole number from 0 on, not {self.reads!r}")
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
        """Decide all items; the progress only uncovers them."""
        self.rows = _make_rows(self.engine, self.plan, self.unreachable)

    def percent(self, now_s: float) -> int:
        """Return how far it is."""
        if self.plan.reads is not None:
            return 100 if not self.plan.reads else min(100, 100 * self.reads // self.plan.reads)
        if self.plan.duration_s <= 0:
            return 100
        return max(0, min(100, int(100 * (now_s - self.started_s) / self.plan.duration_s)))

    def is_running(self, now_s: float) -> bool:
        """Whether it has not ended."""
        return self.percent(now_s) < 100

    def has_passed(self, now_s: float) -> bool:
        """Whether the job may start."""
        return not self.is_running(now_s) and all(row["result"] != "FAILED" for row in self.rows)

    def to_row(self, now_s: float, job_direction: str, instance_id: str) -> dict[str, Any]:
        """Return the row of the result; while it runs, with the items so far and without permission."""
        percent = self.percent(now_s)
        seen = self.rows[: len(self.rows) * percent // 100]
        good = sum(row["result"] != "FAILED" for row in seen)
        row: dict[str, Any] = {
            "precheck_id": self.precheck_id,
            "result": self.has_passed(now_s),
            "process": f"{percent}%",
            "total_passed_rate": f"{100 * good // len(self.rows)}%",
            "rds_instance_id": instance_id,
            "job_direction": job_direction,
            "precheck_result": seen,
        }
        if self.plan.without_result:
            del row["result"]
        return row


@lru_cache(maxsize=1)
def load_items() -> dict[str, list[list[str]]]:
    """Return name and group of the items of each engine, as the service's examples list them."""
    items: dict[str, list[list[str]]] = json.loads(
        resources.files("airflow_provider_drs.emulator.api").joinpath("check_items.json").read_text("utf-8")
    )
    return items


def _check_item(item: object, outcome: str) -> None:
    if isinstance(item, str) and outcome != "pass":
        return
    if not isinstance(item, Mapping) or not isinstance(item.get("item"), str):
        raise ValueError(f"an item is the name of one that does not pass, or a row with 'item', not {item!r}")
    if item.get("result", "PASSED") not in _RESULTS:
        raise ValueError(f"the result of an item is one of {', '.join(_RESULTS)}, not {item['result']!r}")


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
