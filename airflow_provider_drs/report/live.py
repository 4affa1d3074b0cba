"""
Live results of pre-checks from DRS while a task waits for them.

DRS is polled only while a user views the page, once for all users who view the same jobs. The poll runs in a
thread: a page request waits for DRS for a short time only.
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

from airflow_provider_drs.compat import conf
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

#: Seconds for which a result is reused.
FRESH_S = 5.0
#: Seconds that a page request waits for DRS, and seconds after which it reports that DRS does not respond.
#: The hook itself may retry for minutes.
_WAIT_S, _UNREACHABLE_S = 2.0, 15.0
#: Results that are kept, and polls that may run concurrently.
_MAX_RESULTS, _MAX_POLLS = 64, 4

#: Why DRS could not be polled, without details of the connection. The server's log has more.
_REASONS: dict[type[Exception], str] = {
    DrsConfigError: "the DRS connection is invalid on this API server; see its log",
    DrsAuthError: "DRS or IAM rejected the credentials of the connection",
    DrsPermissionError: "the user of the connection lacks the permission to read pre-checks",
    DrsThrottledError: "too many requests to DRS",
    DrsUnavailableError: "DRS does not respond",
}


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """
    What to poll.

    :param watch: the serialized watch of a trigger, if there is one: it has earlier results.
    """

    conn_id: str
    job_ids: tuple[str, ...]
    alarms: Any = "allow"
    watch: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The key of the query, equal for equal queries."""
        alarms = self.watch.get("alarms") if self.watch else self.alarms
        return json.dumps([self.conn_id, self.job_ids, alarms], default=str)


@dataclass(frozen=True, slots=True)
class LiveResult:
    """
    The latest result.

    :param report: ``None`` before the first result.
    :param at_s: when DRS returned it, in epoch seconds.
    :param reason: why the last poll failed.
    """

    report: Report | None = None
    at_s: float = 0.0
    reason: str = ""


@dataclass
class _QueryState:
    """The state of one query."""

    query: LiveQuery
    result: LiveResult = field(default_factory=LiveResult)
    tried_s: float = float("-inf")
    watch: PrecheckWatch | None = None
    is_running: bool = False
    answered: threading.Event = field(default_factory=threading.Event)


class LiveReports:
    """Polls DRS for all users of the page."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, _QueryState] = OrderedDict()
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_MAX_POLLS)

    def get_result(self, query: LiveQuery) -> LiveResult:
        """Return the latest result; the previous one if DRS takes long."""
        with self._lock:
            state = self._states.setdefault(query.name, _QueryState(query))
            self._states.move_to_end(query.name)
            while len(self._states) > _MAX_RESULTS:
                self._states.popitem(last=False)
            is_due = time.monotonic() - state.tried_s >= FRESH_S
            if is_due and not state.is_running and self._free.acquire(blocking=False):
                state.is_running, state.tried_s = True, time.monotonic()
                state.answered.clear()
                # A daemon thread: a server that stops does not wait for DRS.
                threading.Thread(target=self._poll, args=(state,), daemon=True).start()
        if state.is_running:
            state.answered.wait(_WAIT_S)
        result = state.result
        if state.is_running and time.monotonic() - state.tried_s > _UNREACHABLE_S:
            return replace(result, reason=_REASONS[DrsUnavailableError])
        return result

    def _poll(self, state: _QueryState) -> None:
        from airflow_provider_drs.hooks.drs import DrsHook

        try:
            if state.watch is None:
                state.watch = _create_watch(state.query)
            with DrsHook(state.query.conn_id) as hook:
                hook.poll(state.watch)
            state.watch.set_time(time.time())
            reports = [report.to_dict() for report in state.watch.reports]
            state.result = LiveResult(Report(json.dumps(reports)), time.time())
        except Exception as error:
            # Also errors of others, such as an Airflow connection that does not exist: the page shows them.
            message = str(error) if isinstance(error, DrsError) else type(error).__name__
            log.warning("Polling DRS for the report page failed: %s", message)
            state.result = LiveResult(state.result.report, state.result.at_s, _explain(error))
        finally:
            state.tried_s = time.monotonic()
            state.is_running = False
            state.answered.set()
            self._free.release()


def is_enabled() -> bool:
    """Whether the page may poll DRS: ``[drs] live_report`` of Airflow's configuration."""
    return bool(conf.getboolean("drs", "live_report", fallback=True))


def create_query(
    trigger: Mapping[str, Any], fields: Mapping[str, Any], job_ids: Sequence[str]
) -> LiveQuery | None:
    """
    Return the query for a waiting task; ``None`` if its jobs are not known.

    :param trigger: the arguments of its trigger.
    :param fields: its rendered fields.
    :param job_ids: other known jobs, used if trigger and fields have none.
    """
    watch = trigger.get("watch")
    if isinstance(watch, Mapping) and watch.get("kind") == "precheck":
        return LiveQuery(str(trigger.get("drs_conn_id")), tuple(watch["job_ids"]), watch=watch)
    # Only operators and sensors of pre-checks have these; DrsStartJobsOperator also has a start time.
    if not {"drs_conn_id", "job_ids", "alarms"} <= fields.keys() or "start_time" in fields:
        return None
    found = _read_jobs(fields["job_ids"]) or tuple(job_ids)
    return LiveQuery(str(fields["drs_conn_id"]), found, fields["alarms"]) if found else None


def _read_jobs(value: object) -> tuple[str, ...]:
    from airflow_provider_drs.operators.arguments import read_ids

    try:
        # Airflow truncates a long rendered list, which then cannot be parsed.
        return read_ids(value, log)
    except DrsConfigError:
        return ()


def _create_watch(query: LiveQuery) -> PrecheckWatch:
    from airflow_provider_drs.operators.arguments import read_alarms
    from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy
    from airflow_provider_drs.protocol.watches import PrecheckWatch

    if query.watch is not None:
        return PrecheckWatch.from_dict(query.watch)
    try:
        policy = read_alarms(query.alarms, log)
    except DrsConfigError:
        # A long list of waivers was truncated. The task itself has all of them, and decides.
        policy = AlarmPolicy()
    return PrecheckWatch(query.job_ids, policy)


def _explain(error: Exception) -> str:
    for kind, text in _REASONS.items():
        if isinstance(error, kind):
            return text
    return f"polling failed ({type(error).__name__})"
