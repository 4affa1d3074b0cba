"""What the commands do: conversations of the protocol, held over one client."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_drs.cli.connection import find_settings
from airflow_provider_drs.cli.screen import Result, Screen, describe_row, open_screen
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsPermissionError,
)
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.wire import Conversation
from airflow_provider_drs.protocol.jobs.messages import read_start_time_ms
from airflow_provider_drs.protocol.jobs.states import STATUSES
from airflow_provider_drs.protocol.lifecycle.preconditions import admit_starts
from airflow_provider_drs.protocol.prechecks.operation import begin_prechecks
from airflow_provider_drs.protocol.prechecks.report import JobReport
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, read_alarm_policy
from airflow_provider_drs.protocol.watches import PrecheckWatch, Watch, watch_action
from airflow_provider_drs.transport.sync import SyncClient

T = TypeVar("T")
P = ParamSpec("P")

PASSED, FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
#: Whoever runs the command has to mend these.
_WRONG_USE = (DrsConfigError, DrsAuthError, DrsPermissionError)


class TimeIsUp(Exception):
    """The jobs are not where they were waited for."""


def run(arguments: argparse.Namespace) -> int:
    """
    Do what a command line says, and show it.

    :return: the exit code.
    """
    screen = open_screen(as_json=arguments.json, plain=arguments.plain)
    try:
        result = _COMMANDS[arguments.command](arguments, screen)
    except (DrsError, TimeIsUp) as error:
        code = WRONG_USE if isinstance(error, _WRONG_USE) else _code_of([error])
        screen.complain(arguments.command, code, type(error).__name__, str(error))
        return code
    except KeyboardInterrupt:
        text = "Interrupted. What was started goes on in DRS; drs results and drs status show it."
        screen.complain(arguments.command, INTERRUPTED, "KeyboardInterrupt", text)
        return INTERRUPTED
    screen.conclude(arguments.command, result)
    return result.code


class _Session:
    """One client for one command."""

    def __init__(self, arguments: argparse.Namespace, screen: Screen) -> None:
        settings = find_settings(arguments.conn_id)
        self._limits = Limits(settings.batch_size, settings.poll_batch_size, settings.retry_timeout_s)
        self._client = SyncClient(settings)
        self._screen = screen

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return self._client.run(operation(self._limits, *args, **kwargs))

    def wait(self, watch: Watch, *, interval_s: float, timeout_s: float) -> None:
        """Ask until the watch is over. A passing fault is a line, and the wait goes on."""
        deadline_s = time.monotonic() + timeout_s
        with self._screen.watch(watch):
            while True:
                try:
                    self._screen.refresh(watch, self.run(watch.poll))
                except DrsError as error:
                    if not error.is_transient:
                        raise
                    self._screen.note(f"Polling DRS failed (transient, will retry): {error}")
                left_s = deadline_s - time.monotonic()
                if watch.is_done or left_s <= 0:
                    return
                time.sleep(min(interval_s, left_s))


def _precheck(arguments: argparse.Namespace, screen: Screen) -> Result:
    job_ids, alarms = _read_jobs(arguments), _read_alarms(arguments, screen)
    with _Session(arguments, screen) as session:
        answers = session.run(begin_prechecks, job_ids, arguments.mode)
        refused = _pick_errors(answers)
        accepted = [job_id for job_id in answers if job_id not in refused]
        if not arguments.wait:
            rows = {job_id: each.to_dict() for job_id, each in answers.items() if job_id in accepted}
            return _conclude_jobs(answers, rows, "PRE-CHECK")
        reports = {job_id: JobReport(job_id, Verdict.FAILED, error=each) for job_id, each in refused.items()}
        if accepted:
            watch = PrecheckWatch(accepted, alarms)
            session.wait(watch, interval_s=arguments.interval, timeout_s=arguments.timeout)
            watch.set_time(time.time())
            reports |= {report.job_id: report for report in watch.reports}
    return _conclude_reports([reports[job_id] for job_id in answers], is_late=True)


def _results(arguments: argparse.Namespace, screen: Screen) -> Result:
    watch = PrecheckWatch(_read_jobs(arguments), _read_alarms(arguments, screen))
    with _Session(arguments, screen) as session:
        session.run(watch.poll)
    watch.set_time(time.time())
    return _conclude_reports(watch.reports, is_late=False)


def _status(arguments: argparse.Namespace, screen: Screen) -> Result:
    with _Session(arguments, screen) as session:
        answers = session.run(conversations.get_job_statuses, _read_jobs(arguments))
    return _conclude_jobs(answers, _rows(answers), "STATUS")


def _progress(arguments: argparse.Namespace, screen: Screen) -> Result:
    with _Session(arguments, screen) as session:
        answers = session.run(conversations.get_job_progresses, _read_jobs(arguments))
    return _conclude_jobs(answers, _rows(answers), "STATUS")


def _start(arguments: argparse.Namespace, screen: Screen) -> Result:
    job_ids, alarms = _read_jobs(arguments), _read_alarms(arguments, screen)
    # What makes no sense is said at once; an instant that is over matters if there is something to start.
    begins_s = (_read_instant(arguments.at, now_s=0.0) or 0) / 1000
    with _Session(arguments, screen) as session:
        answers = dict(session.run(admit_starts, job_ids, alarms.at(time.time())))
        ready = [job_id for job_id in job_ids if job_id not in answers]
        if ready and not _pick_errors(answers):
            start_time_ms = _read_instant(arguments.at, now_s=time.time())
            answers |= session.run(conversations.start_jobs, ready, start_time_ms, check_preconditions=False)
        kept_back = [job_id for job_id in job_ids if job_id not in answers]
        started = [job_id for job_id in answers if job_id not in _pick_errors(answers)]
        if arguments.wait and not _pick_errors(answers):
            watch = watch_action("start_jobs", started)
            until_then_s = max(0.0, begins_s - time.time())
            session.wait(watch, interval_s=arguments.interval, timeout_s=until_then_s + arguments.timeout)
            if not watch.is_done:
                raise TimeIsUp(
                    f"Not running yet: {', '.join(watch.pending)}. drs status shows where they are."
                )
            answers |= watch.failures
    result = _conclude_jobs(answers, _rows(answers), "START")
    held = [{"job_id": job_id, "adopted": False, "status": None, "error": None} for job_id in kept_back]
    result.fields["jobs"] += held
    if kept_back:
        text = f"{result.text}\nNot started, because another job is refused: {', '.join(kept_back)}"
        return replace(result, text=text)
    return result


def _doctor(arguments: argparse.Namespace, screen: Screen) -> Result:
    from airflow_provider_drs.transport.diagnosis import State, examine

    settings = find_settings(arguments.conn_id)
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        screen.note(f"{finding.state.value:<8} {finding}")
    bad = findings[-1] if findings[-1].state is State.BAD else None
    text = f"Mend this first: {bad}" if bad else f"Connection {settings.conn_id!r} works."
    code = PASSED if bad is None else UNREACHABLE if bad.is_about_the_way else WRONG_USE
    return Result(code, {"findings": [each.to_dict() for each in findings]}, text=text)


_COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], Result]] = {
    "precheck": _precheck,
    "results": _results,
    "status": _status,
    "progress": _progress,
    "start": _start,
    "doctor": _doctor,
}


def _read_jobs(arguments: argparse.Namespace) -> tuple[str, ...]:
    given: list[str] = []
    for each in arguments.job_ids:
        given += sys.stdin.read().split() if each == "-" else [each]
    return check_job_ids(given)


def _read_alarms(arguments: argparse.Namespace, screen: Screen) -> AlarmPolicy:
    alarms: str = arguments.alarms
    if alarms not in ("allow", "fail"):
        try:
            alarms = Path(alarms).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise DrsConfigError(
                f"--alarms: give allow, fail, or a file; {alarms!r} cannot be read ({type(error).__name__})."
            ) from None
    policy = read_alarm_policy(alarms)
    if unknown := policy.unknown_items:
        screen.note(f"--alarms: this version knows no check item {', '.join(unknown)}; is it spelt right?")
    return policy


def _read_instant(text: str | None, *, now_s: float) -> int | None:
    if text is None:
        return None
    try:
        return read_start_time_ms(datetime.fromisoformat(text), now_s=now_s)
    except ValueError as error:
        raise DrsConfigError(f"--at: {error}") from None


def _rows(answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: each.to_dict() for name, each in answers.items() if not isinstance(each, DrsError)}


def _pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    return {name: each for name, each in answers.items() if isinstance(each, DrsError)}


def _conclude_jobs(
    answers: Mapping[str, object], found: Mapping[str, dict[str, Any]], heading: str
) -> Result:
    """Show a row for each job, and below them why nothing came of some."""
    errors = _pick_errors(answers)
    rows, lines = [], []
    for job_id in answers:
        error = errors.get(job_id)
        row = {**found.get(job_id, {"job_id": job_id}), "error": error.to_dict() if error else None}
        rows.append(row)
        lines.append((job_id, "refused" if error else _name_state(row), "" if error else _describe(row)))
    code = _code_of(errors.values()) if errors else PASSED
    text = "\n".join(f"{job_id}: {error}" for job_id, error in errors.items())
    return Result(code, {"jobs": rows}, ("JOB", heading, ""), lines, text=text)


def _name_state(row: Mapping[str, Any]) -> str:
    if "adopted" in row:
        return "started before" if row["adopted"] else "started"
    return str(row.get("status") or "")


def _describe(row: Mapping[str, Any]) -> str:
    status = STATUSES.get(row["status"]) if "phase" in row else None
    return status.meaning if status else describe_row(row)


def _conclude_reports(reports: Sequence[JobReport], *, is_late: bool) -> Result:
    """Show the reports. A job that still is checked has not passed; after a wait, its time is up."""
    open_ids = [report.job_id for report in reports if report.verdict is Verdict.PENDING]
    failed = [report for report in reports if report.verdict is Verdict.FAILED]
    code = PASSED
    if failed:
        code = _code_of([report.error for report in failed])
    elif open_ids:
        code = UNREACHABLE if is_late else FAILED
    text = f"The time is up, and {len(open_ids)} are still checked." if open_ids and is_late else ""
    return Result(code, {"jobs": [report.to_dict() for report in reports]}, reports=reports, text=text)


def _code_of(errors: Collection[object]) -> int:
    """Return the code for errors: of the service, if nothing else is to blame."""
    passing = all(
        isinstance(each, TimeIsUp) or (isinstance(each, DrsError) and each.is_transient) for each in errors
    )
    return UNREACHABLE if passing else FAILED
