"""The verdict on a job: whether it may start, by its pre-check and the alarms that are accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from airflow_provider_drs.protocol.core.errors import DrsConfigError
from airflow_provider_drs.protocol.prechecks.checks import CHECKS
from airflow_provider_drs.protocol.prechecks.messages import ALARM_WORD, CheckItem, PrecheckResult
from airflow_provider_drs.protocol.prechecks.waivers import Waiver, read_waiver


class Verdict(Enum):
    """Whether a job may start, by its pre-check."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """
    What an ALARM item does to the verdict.

    DRS lets a job start with alarms, and its console wants a person to confirm them (drs_03_0002).

    :param allowed: item names that may alarm; ``None`` allows every one.
    :param waivers: beside them, alarms of some jobs that somebody has accepted until a date.
    :param now_s: when it is asked, in epoch seconds; ``None`` leaves open which waivers have expired.
    """

    allowed: frozenset[str] | None = None
    waivers: tuple[Waiver, ...] = ()
    now_s: float | None = None

    def at(self, now_s: float) -> AlarmPolicy:
        """Return the policy as it is at an instant, in epoch seconds."""
        return replace(self, now_s=now_s)

    def fails(self, job_id: str, item: CheckItem) -> bool:
        """Whether this item fails its job."""
        if item.result != ALARM_WORD or self.allowed is None or item.item in self.allowed:
            return False
        return self.find_waiver(job_id, item) is None

    def find_waiver(self, job_id: str, item: CheckItem) -> Waiver | None:
        """Return the waiver by which an alarm is accepted, if that is how."""
        if item.result != ALARM_WORD or self.allowed is None or item.item in self.allowed:
            return None
        covering = (each for each in self.waivers if each.covers(job_id, item.item))
        return next(
            (each for each in covering if self.now_s is None or not each.has_expired(self.now_s)), None
        )

    @property
    def unknown_items(self) -> list[str]:
        """The names of items that this version does not know; one may be spelt wrongly."""
        return sorted({*(self.allowed or ()), *(waiver.item for waiver in self.waivers)} - CHECKS.keys())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the time is left out."""
        return {
            "allowed": None if self.allowed is None else sorted(self.allowed),
            "waivers": [each.to_dict() for each in self.waivers],
        }

    @staticmethod
    def from_dict(fields: Mapping[str, Any]) -> AlarmPolicy:
        """Return the policy that :meth:`to_dict` described."""
        allowed = fields["allowed"]
        waivers = tuple(read_waiver(each, "waiver") for each in fields["waivers"])
        return AlarmPolicy(None if allowed is None else frozenset(allowed), waivers)


def read_alarm_policy(alarms: object) -> AlarmPolicy:
    """
    Return the policy that an operator's ``alarms`` argument stands for.

    :param alarms: ``"allow"``, ``"fail"``, or a list of the names of items that may alarm, and of waivers;
        the text of such a list, JSON or YAML, is understood.
    :raises DrsConfigError: it is none of these, or a waiver is not whole.
    """
    if alarms == "allow":
        return AlarmPolicy()
    if alarms == "fail":
        return AlarmPolicy(frozenset())
    if isinstance(alarms, str):
        alarms = _read_yaml(alarms)
    listed = list(alarms) if isinstance(alarms, (list, tuple, set, frozenset)) else [None]
    if not all(isinstance(each, str | Mapping) for each in listed):
        raise DrsConfigError(
            "alarms: expected 'allow', 'fail', or a list of check item names that may alarm and of waivers, "
            f"not {alarms!r}."
        )
    waivers = [
        read_waiver(each, f"alarms[{n}]") for n, each in enumerate(listed) if isinstance(each, Mapping)
    ]
    return AlarmPolicy(frozenset(each for each in listed if isinstance(each, str)), tuple(waivers))


def _read_yaml(text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise DrsConfigError("alarms: the text, or file, is neither JSON nor YAML.") from None


def judge(result: PrecheckResult, policy: AlarmPolicy) -> Verdict:
    """
    Say whether the job may start.

    DRS's own word decides; without it, every item must be free of failure and the rate be 100%.
    """
    if not result.is_complete:
        return Verdict.PENDING
    if any(policy.fails(result.job_id, item) for item in result.items):
        return Verdict.FAILED
    if result.result is not None:
        return Verdict.PASSED if result.result else Verdict.FAILED
    # Fail closed: a result word that we do not know is no pass.
    spotless = all(item.result == ALARM_WORD for item in result.items)
    return Verdict.PASSED if spotless and result.total_passed_rate == 100 else Verdict.FAILED
