"""
How far pre-checks are, from DRS itself, while a task waits for them.

DRS is asked only while somebody looks, and once for all who look at the same jobs. A question runs in a
thread of its own: a request never waits for DRS longer than a moment, whatever DRS does.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsPermissionError,
    DrsThrottledError,
    DrsUnavailableError,
)
from airflow_provider_drs.report.reports import Report

if TYPE_CHECKING:
    from airflow_provider_drs.protocol.watches import PrecheckWatch

log = logging.getLogger(__name__)

#: Seconds for which an answer of DRS is good for everybody.
FRESH_S = 5.0
#: Seconds that a request waits for DRS before it says that the answer is to come, and after which it says
#: that there seems to be none. The hook itself may try for minutes.
_PATIENCE_S, _HOPE_S = 2.0, 15.0
#: Questions that are kept, and those that may be under way at once.
_KEPT, _UNDER_WAY = 64, 4

#: Why DRS could not be asked, in words that tell nothing of the connection. The log of the server has more.
_REASONS: dict[type[Exception], str] = {
    DrsConfigError: "the connection does not work on this server",
    DrsAuthError: "DRS refuses the credentials of the connection",
    DrsPermissionError: "the user of the connection may not read pre-checks",
    DrsThrottledError: "DRS is asked too often",
    DrsUnavailableError: "DRS does not answer this server",
}


@dataclass(frozen=True, slots=True)
class Question:
    """
    What to ask.

    :param watch: the watch of a trigger as plain JSON values, if there is one: it knows what else there is.
    """

    conn_id: str
    job_ids: tuple[str, ...]
    alarms: Any = "allow"
    watch: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The same for all who ask the same."""
        alarms = self.watch.get("alarms") if self.watch else self.alarms
        return json.dumps([self.conn_id, self.job_ids, alarms], default=str)


@dataclass(frozen=True, slots=True)
class Look:
    """
    What is known now.

    :param report: ``None`` as long as there is no answer.
    :param at_s: when DRS gave it, in epoch seconds.
    :param trouble: why the last try has failed.
    """

    report: Report | None = None
    at_s: float = 0.0
    trouble: str = ""


@dataclass
class _Subject:
    """What one question has led to so far."""

    question: Question
    look: Look = field(default_factory=Look)
    tried_s: float = float("-inf")
    watch: PrecheckWatch | None = None
    is_under_way: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


class LiveReports:
    """Asks DRS for all who look."""

    def __init__(self) -> None:
        self._subjects: OrderedDict[str, _Subject] = OrderedDict()
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_UNDER_WAY)

    def look(self, question: Question) -> Look:
        """Return what DRS says; what it said last, if it takes its time."""
        with self._lock:
            subject = self._subjects.setdefault(question.name, _Subject(question))
            self._subjects.move_to_end(question.name)
            while len(self._subjects) > _KEPT:
                self._subjects.popitem(last=False)
            is_due = time.monotonic() - subject.tried_s >= FRESH_S
            if is_due and not subject.is_under_way and self._free.acquire(blocking=False):
                subject.is_under_way, subject.tried_s = True, time.monotonic()
                subject.answered.clear()
                # A daemon: a server that stops does not wait for DRS.
                threading.Thread(target=self._ask, args=(subject,), daemon=True).start()
        if subject.is_under_way:
            subject.answered.wait(_PATIENCE_S)
        look = subject.look
        if subject.is_under_way and time.monotonic() - subject.tried_s > _HOPE_S:
            return replace(look, trouble=_REASONS[DrsUnavailableError])
        return look

    def _ask(self, subject: _Subject) -> None:
        from airflow_provider_drs.hooks.drs import DrsHook

        try:
            if subject.watch is None:
                subject.watch = _make_watch(subject.question)
            with DrsHook(subject.question.conn_id) as hook:
                hook.poll(subject.watch)
            subject.watch.set_time(time.time())
            reports = [each.to_dict() for each in subject.watch.reports]
            subject.look = Look(Report(json.dumps(reports)), time.time())
        except Exception as error:
            # Also what is not ours, such as a connection that Airflow does not find: the page says so.
            told = str(error) if isinstance(error, DrsError) else type(error).__name__
            log.warning("The report cannot ask DRS: %s", told)
            subject.look = Look(subject.look.report, subject.look.at_s, _explain(error))
        finally:
            subject.tried_s = time.monotonic()
            subject.is_under_way = False
            subject.answered.set()
            self._free.release()


def is_switched_on() -> bool:
    """Tell whether the page may ask DRS: ``live_report`` in section ``drs`` of Airflow's configuration."""
    return bool(conf.getboolean("drs", "live_report", fallback=True))


def make_question(
    trigger: Mapping[str, Any], fields: Mapping[str, Any], job_ids: Sequence[str]
) -> Question | None:
    """
    Return what to ask for a task that waits; ``None`` if that is not known.

    :param trigger: the arguments of the trigger that it waits with.
    :param fields: its fields after rendering.
    :param job_ids: the jobs that are known otherwise; those of trigger and fields go first.
    """
    watch = trigger.get("watch")
    if isinstance(watch, Mapping) and watch.get("kind") == "precheck":
        return Question(str(trigger.get("drs_conn_id")), tuple(watch["job_ids"]), watch=watch)
    # Only operators that look at pre-checks have these; DrsStartJobsOperator has a start time, too.
    if not {"drs_conn_id", "job_ids", "alarms"} <= fields.keys() or "start_time" in fields:
        return None
    found = _read_jobs(fields["job_ids"]) or tuple(job_ids)
    return Question(str(fields["drs_conn_id"]), found, fields["alarms"]) if found else None


def _read_jobs(value: object) -> tuple[str, ...]:
    from airflow_provider_drs.operators.arguments import read_ids

    try:
        # A long list was cut when Airflow kept it, and is no list any more.
        return read_ids(value, log)
    except DrsConfigError:
        return ()


def _make_watch(question: Question) -> PrecheckWatch:
    from airflow_provider_drs.operators.arguments import read_alarms
    from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
    from airflow_provider_drs.protocol.watches import PrecheckWatch

    if question.watch is not None:
        return PrecheckWatch.from_dict(question.watch)
    try:
        policy = read_alarms(question.alarms, log)
    except DrsConfigError:
        # A long list of waivers was cut. The task knows better, and has the last word.
        policy = AlarmPolicy()
    return PrecheckWatch(question.job_ids, policy)


def _explain(error: Exception) -> str:
    for kind, text in _REASONS.items():
        if isinstance(error, kind):
            return text
    return f"this server cannot ask ({type(error).__name__})"
