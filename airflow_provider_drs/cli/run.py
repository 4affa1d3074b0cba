"""Run the commands: conversations of the protocol with one client."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
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
    label_error,
    label_job,
    quote,
)
from airflow_provider_drs.protocol.core.job_ids import check_job_ids
from airflow_provider_drs.protocol.core.watch import has_no_result_yet
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
NOT_WRITTEN, CLOSED = 74, 141
#: The defaults of a wait.
_INTERVAL_S, _TIMEOUT_S = 10.0, 3600.0
#: Errors that the user must fix.
_WRONG_USE = (DrsConfigError, DrsAuthError, DrsPermissionError)


class TimedOut(Exception):
    """The jobs have not finished within the timeout."""


def run(arguments: argparse.Namespace) -> int:
    """
    Run a command, and show its result.

    :return: the exit code.
    """
    try:
        code = _run(arguments, open_screen(as_json=arguments.json, plain=arguments.plain))
        sys.stdout.flush()
    except OSError as error:
        # Python would report the same error again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # The reader, such as head, has read enough.
            return CLOSED
        print(f"drs: cannot write the output: {error.strerror}", file=sys.stderr)
        return NOT_WRITTEN
    return code


def _run(arguments: argparse.Namespace, screen: Screen) -> int:
    try:
        result = _COMMANDS[arguments.command](arguments, screen)
    except (DrsError, TimedOut) as error:
        code = WRONG_USE if isinstance(error, _WRONG_USE) else _code_of([error])
        screen.show_error(arguments.command, code, type(error).__name__, _say_command(str(error)))
        return code
    except KeyboardInterrupt:
        text = "Interrupted. Jobs and pre-checks continue in DRS. Run drs results or drs status to view them."
        screen.show_error(arguments.command, INTERRUPTED, "KeyboardInterrupt", text)
        return INTERRUPTED
    screen.show_result(arguments.command, result)
    return result.code


#: What the errors of tasks say, and what a command says instead.
_REWORDED = {
    "If it comes from an XCom, check the upstream task's return value.": "Separate IDs by spaces or commas.",
    "the template has rendered a missing value. Check the XCom, the parameter or the variable that it "
    "reads.": "expected a DRS job ID. Check the variable or command that it comes from.",
    "run the task again": "run the command again",
}


def _say_command(text: str) -> str:
    """Return the text of an error for a terminal instead of a task."""
    for said, reworded in _REWORDED.items():
        text = text.replace(said, reworded)
    return text


class _Session:
    """The client of a command."""

    def __init__(self, arguments: argparse.Namespace, screen: Screen) -> None:
        settings = find_settings(arguments.conn_id)
        self._limits = Limits(settings.batch_size, settings.poll_batch_size, settings.retry_timeout_s)
        self._client = SyncClient(settings)
        self._screen = screen

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def names(self) -> Mapping[str, str]:
        """The names by job ID of the jobs whose details were read."""
        return self._limits.names

    def read_names(self, job_ids: Iterable[str]) -> None:
        """Read the names of jobs, which most responses lack. Without them, the output has their IDs only."""
        if to_read := [job_id for job_id in job_ids if job_id not in self.names]:
            with suppress(DrsError):
                self.run(conversations.get_job_details, to_read)

    def run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return self._client.run(operation(self._limits, *args, **kwargs))

    def wait(self, watch: Watch, *, interval_s: float, timeout_s: float) -> None:
        """
        Poll until the watch is done or the timeout has passed. Transient errors are shown, and the wait
        continues.
        """
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
    interval_s, timeout_s = _read_waiting(arguments)
    job_ids, alarms = _read_jobs(arguments), _read_alarms(arguments, screen)
    with _Session(arguments, screen) as session:
        answers = session.run(
            begin_prechecks,
            job_ids,
            arguments.mode,
            recheck=arguments.recheck,
            alarms=alarms.at(time.time()),
        )
        refused = _pick_errors(answers)
        accepted = [job_id for job_id in answers if job_id not in refused]
        if not arguments.wait:
            rows = {job_id: answer.to_dict() for job_id, answer in answers.items() if job_id in accepted}
            return _show_jobs(answers, rows, "PRE-CHECK", session.names)
        reports = {
            job_id: JobReport(job_id, Verdict.FAILED, error=error) for job_id, error in refused.items()
        }
        if accepted:
            watch = PrecheckWatch(accepted, alarms)
            watch.names |= session.names
            session.wait(watch, interval_s=interval_s, timeout_s=timeout_s)
            watch.set_time(time.time())
            reports |= {report.job_id: report for report in watch.reports}
        shown = _add_names([reports[job_id] for job_id in answers], session.names)
    return _show_reports(shown, has_waited=True)


def _results(arguments: argparse.Namespace, screen: Screen) -> Result:
    watch = PrecheckWatch(_read_jobs(arguments), _read_alarms(arguments, screen))
    with _Session(arguments, screen) as session:
        session.run(watch.poll)
        watch.set_time(time.time())
        session.read_names(report.job_id for report in watch.reports if report.result)
        return _show_reports(_add_names(watch.reports, session.names), has_waited=False)


def _status(arguments: argparse.Namespace, screen: Screen) -> Result:
    with _Session(arguments, screen) as session:
        answers = session.run(conversations.get_job_statuses, _read_jobs(arguments))
        session.read_names(_rows(answers))
    return _show_jobs(answers, _rows(answers), "STATUS", session.names)


def _progress(arguments: argparse.Namespace, screen: Screen) -> Result:
    with _Session(arguments, screen) as session:
        answers = session.run(conversations.get_job_progresses, _read_jobs(arguments))
        session.read_names(_rows(answers))
    return _show_jobs(answers, _rows(answers), "STATUS", session.names)


def _start(arguments: argparse.Namespace, screen: Screen) -> Result:
    interval_s, timeout_s = _read_waiting(arguments)
    job_ids, alarms = _read_jobs(arguments), _read_alarms(arguments, screen)
    # Reject an invalid time immediately; a time that has passed is an error only if there is a job to start.
    requested_ms = _read_instant(arguments.at, now_s=0.0)
    begins_s = (requested_ms or 0) / 1000
    with _Session(arguments, screen) as session:
        answers = dict(session.run(admit_starts, job_ids, alarms.at(time.time()), requested_ms))
        ready = [job_id for job_id in job_ids if job_id not in answers]
        if ready and not _pick_errors(answers):
            start_time_ms = _read_instant(arguments.at, now_s=time.time())
            answers |= session.run(conversations.start_jobs, ready, start_time_ms, check_preconditions=False)
        not_started = [job_id for job_id in job_ids if job_id not in answers]
        started = [job_id for job_id in answers if job_id not in _pick_errors(answers)]
        if arguments.wait and not _pick_errors(answers):
            watch = watch_action("start_jobs", started)
            watch.names |= session.names
            until_then_s = max(0.0, begins_s - time.time())
            session.wait(watch, interval_s=interval_s, timeout_s=until_then_s + timeout_s)
            if not watch.is_done:
                pending = [label_job(job_id, watch.names.get(job_id)) for job_id in watch.pending]
                raise TimedOut(
                    f"Timed out: jobs not running yet: {', '.join(pending)}. Increase --timeout, or run drs "
                    "status."
                )
            answers |= watch.failures
    result = _show_jobs(answers, _rows(answers), "START", session.names)
    held = [
        {"job_id": job_id, "name": session.names.get(job_id), "adopted": False, "status": None, "error": None}
        for job_id in not_started
    ]
    result.fields["jobs"] += held
    if not_started:
        text = f"{result.text}\nNot started because another job was refused: {', '.join(not_started)}"
        return replace(result, text=text)
    return result


def _doctor(arguments: argparse.Namespace, screen: Screen) -> Result:
    from airflow_provider_drs.protocol.connection.permissions import permissions_by_face
    from airflow_provider_drs.transport.diagnosis import State, examine

    settings = find_settings(arguments.conn_id)
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        screen.note(f"{finding.state.value:<5} {finding}")
    failure = findings[-1] if findings[-1].state is State.FAIL else None
    text = f"Fix this first: {failure}" if failure else f"Connection {settings.conn_id!r} works."
    code = PASSED if failure is None else UNREACHABLE if failure.is_network else WRONG_USE
    fields: dict[str, Any] = {"findings": [finding.to_dict() for finding in findings]}
    rows: list[tuple[str, ...]] = []
    if arguments.permissions:
        found = permissions_by_face(settings.cloud)
        fields["permissions"] = {face: list(permissions) for face, permissions in found.items()}
        rows = [(face, ", ".join(permissions)) for face, permissions in found.items()]
    return Result(code, fields, headings=("Operator or sensor", "Permissions"), rows=rows, text=text)


_COMMANDS: dict[str, Callable[[argparse.Namespace, Screen], Result]] = {
    "precheck": _precheck,
    "results": _results,
    "status": _status,
    "progress": _progress,
    "start": _start,
    "doctor": _doctor,
}


def _read_waiting(arguments: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds between two polls, and the maximum of seconds to wait."""
    if not arguments.wait and (arguments.interval, arguments.timeout) != (None, None):
        raise DrsConfigError("--interval and --timeout apply to a wait. Add --wait, or omit them.")
    return arguments.interval or _INTERVAL_S, arguments.timeout or _TIMEOUT_S


def _read_jobs(arguments: argparse.Namespace) -> tuple[str, ...]:
    given: list[str] = []
    for argument in arguments.job_ids:
        text = sys.stdin.read() if argument == "-" else argument
        is_list = argument != "-" or text.lstrip().startswith("[")
        given += [text] if is_list else text.split()
    return check_job_ids(given)


def _read_alarms(arguments: argparse.Namespace, screen: Screen) -> AlarmPolicy:
    alarms: str = arguments.alarms
    if alarms not in ("allow", "fail"):
        try:
            alarms = Path(alarms).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise DrsConfigError(
                f"--alarms: cannot read {alarms!r} ({type(error).__name__}). Use allow, fail, or the path "
                "of a readable file."
            ) from None
    policy = read_alarm_policy(alarms)
    if unknown := policy.unknown_items:
        screen.note(f"--alarms: unknown check item {', '.join(unknown)}. Check the spelling.")
    return policy


def _read_instant(text: str | None, *, now_s: float) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DrsConfigError(
            f"--at: {quote(text)} is not a time. Use ISO 8601 with a time zone, such as 2027-01-31T20:00:00Z."
        ) from None
    try:
        return read_start_time_ms(moment, now_s=now_s)
    except ValueError as error:
        raise DrsConfigError(f"--at: {error}") from None


def _rows(answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        job_id: answer.to_dict() for job_id, answer in answers.items() if not isinstance(answer, DrsError)
    }


def _pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, DrsError)}


def _show_jobs(
    answers: Mapping[str, object],
    found: Mapping[str, dict[str, Any]],
    heading: str,
    names: Mapping[str, str],
) -> Result:
    """Show a row per job, and the errors below them."""
    errors = _pick_errors(answers)
    rows, lines = [], []
    for job_id in answers:
        error = errors.get(job_id)
        known = {"job_id": job_id, "name": names.get(job_id)}
        row = {**known, **found.get(job_id, {}), "error": error.to_dict() if error else None}
        rows.append(row)
        label = label_job(job_id, names.get(job_id))
        failed = "unknown" if heading == "STATUS" else "refused"
        lines.append((label, failed if error else _name_state(row), "" if error else _describe(row)))
    code = _code_of(errors.values()) if errors else PASSED
    text = "\n".join(
        _say_command(label_error(job_id, error, names.get(job_id))) for job_id, error in errors.items()
    )
    return Result(code, {"jobs": rows}, ("JOB", heading, ""), lines, text=text)


def _name_state(row: Mapping[str, Any]) -> str:
    if "adopted" in row:
        return "already started" if row["adopted"] else "started"
    return str(row.get("status") or "")


def _describe(row: Mapping[str, Any]) -> str:
    status = STATUSES.get(row["status"]) if "phase" in row else None
    return status.meaning if status else describe_row(row)


def _add_names(reports: Iterable[JobReport], names: Mapping[str, str]) -> list[JobReport]:
    return [replace(report, name=names.get(report.job_id, "")) for report in reports]


def _show_reports(reports: Sequence[JobReport], *, has_waited: bool) -> Result:
    """Show the reports. A running pre-check has not passed; after a wait, it has timed out."""
    pending = [report.job_id for report in reports if report.verdict is Verdict.PENDING]
    failed = [report for report in reports if report.verdict is Verdict.FAILED]
    code = PASSED
    if failed:
        code = _code_of([report.error for report in failed])
    elif pending:
        code = UNREACHABLE if has_waited else FAILED
    text = ""
    if pending and has_waited:
        text = (
            f"Timed out: {len(pending)} pre-check{'s have' if len(pending) > 1 else ' has'} not finished. "
            "Increase --timeout, or run drs results."
        )
    elif unstarted := [report.label for report in reports if has_no_result_yet(report.error)]:
        text = f"No pre-check result yet: {', '.join(unstarted)}. Run drs precheck to start a pre-check."
    return Result(code, {"jobs": [report.to_dict() for report in reports]}, reports=reports, text=text)


def _code_of(errors: Collection[object]) -> int:
    """Return the exit code of errors: UNREACHABLE if all are transient."""
    are_transient = all(
        isinstance(error, TimedOut) or (isinstance(error, DrsError) and error.is_transient)
        for error in errors
    )
    return UNREACHABLE if are_transient else FAILED
