"""Whether a job may start, based on its pre-check and on the alarms that are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec.structs import replace

from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.core.values import Value
from airflow_provider_drs.protocol.prechecks.checks import CHECKS
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.waivers import Waiver, read_waiver


class Verdict(Enum):
    """The provider's decision whether a job may start; ``PENDING`` until its pre-check has finished."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class AlarmPolicy(Value, frozen=True):
    """
    Which alarms are accepted. An alarm that is not accepted fails its job.

    DRS starts jobs with alarms, and its console requires a user to confirm them (drs_03_0002).

    :param allowed: the check items whose alarms are accepted for all jobs; ``None`` accepts all alarms.
    :param waivers: accept further alarms, each for some jobs until it expires.
    :param now_s: epoch seconds. A waiver that has expired then accepts no alarm; ``None`` ignores the expiry.
    """

    allowed: frozenset[str] | None = None
    waivers: tuple[Waiver, ...] = ()
    now_s: float | None = None

    def at(self, now_s: float) -> AlarmPolicy:
        """Return the policy with the expiry of its waivers checked at a time, in epoch seconds."""
        return replace(self, now_s=now_s)

    def fails(self, job_id: str, item: CheckItem) -> bool:
        """Whether the item is an alarm that is not accepted."""
        return self._needs_waiver(item) and self.find_waiver(job_id, item) is None

    def find_waiver(self, job_id: str, item: CheckItem) -> Waiver | None:
        """Return the waiver that accepts an alarm; ``None`` if there is none, or if it needs none."""
        for waiver in self.waivers if self._needs_waiver(item) else ():
            is_expired = self.now_s is not None and waiver.has_expired(self.now_s)
            if waiver.covers(job_id, item.item) and not is_expired:
                return waiver
        return None

    def _needs_waiver(self, item: CheckItem) -> bool:
        return item.result == ALARM_WORD and self.allowed is not None and item.item not in self.allowed

    @property
    def unknown_items(self) -> list[str]:
        """The item names that are not in the catalog of this version; they may be misspelled."""
        return sorted({*(self.allowed or ()), *(waiver.item for waiver in self.waivers)} - CHECKS.keys())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the time."""
        return {
            "allowed": None if self.allowed is None else sorted(self.allowed),
            "waivers": [waiver.to_dict() for waiver in self.waivers],
        }


def read_alarm_policy(alarms: object) -> AlarmPolicy:
    """
    Return the policy that an operator's ``alarms`` argument describes.

    :param alarms: ``"allow"``, ``"fail"``, or a list of the names of check items that may alarm, and of
        waivers; also as JSON or YAML text.
    :raises DrsConfigError: it is none of these, or a waiver is invalid.
    """
    if alarms in ("allow", "fail"):
        return AlarmPolicy(None if alarms == "allow" else frozenset())
    listed = _read_yaml(alarms) if isinstance(alarms, str) else alarms
    entries = list(listed) if isinstance(listed, (list, tuple, set, frozenset)) else [None]
    if not all(isinstance(entry, str | Mapping) for entry in entries):
        expected = "'allow', 'fail', or a list of check items and waivers"
        raise DrsConfigError(f"alarms is invalid: expected {expected}, not {quote(alarms)}.")
    waivers = [
        read_waiver(entry, f"alarms[{n}]") for n, entry in enumerate(entries) if isinstance(entry, Mapping)
    ]
    return AlarmPolicy(frozenset(entry for entry in entries if isinstance(entry, str)), tuple(waivers))


def _read_yaml(text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise DrsConfigError("alarms is invalid: the text or file is neither JSON nor YAML.") from None


def judge(result: PrecheckResult, policy: AlarmPolicy) -> Verdict:
    """
    Return the verdict on a job.

    An alarm that is not accepted fails the job. Otherwise the ``result`` that DRS returned decides. Without
    it, the job passes if 100% of the items passed and no item has another result than an alarm.
    """
    if not result.is_complete:
        return Verdict.PENDING
    if any(policy.fails(result.job_id, item) for item in result.items):
        return Verdict.FAILED
    is_passed = result.result
    if is_passed is None:
        # Unknown item results fail the job.
        has_only_alarms = all(item.result == ALARM_WORD for item in result.items)
        is_passed = has_only_alarms and result.total_passed_rate == 100
    return Verdict.PASSED if is_passed else Verdict.FAILED
