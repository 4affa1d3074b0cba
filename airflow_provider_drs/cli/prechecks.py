"""The commands that run pre-checks, show their results, and start jobs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_drs.cli.answers import add_names, pick_errors, show_jobs, show_reports
from airflow_provider_drs.cli.screen import Result, Screen
from airflow_provider_drs.cli.session import Session, check_waiting
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.errors import DrsConfigError, quote
from airflow_provider_drs.protocol.jobs.messages import read_start_time_ms
from airflow_provider_drs.protocol.lifecycle.preconditions import admit_starts
from airflow_provider_drs.protocol.prechecks.operation import SETTLE_S, begin_prechecks
from airflow_provider_drs.protocol.prechecks.report import JobReport
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict, read_alarm_policy
from airflow_provider_drs.protocol.watches import PrecheckWatch, watch_action


def precheck(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Start pre-checks, and wait for their verdicts if requested."""
    check_waiting(arguments)
    alarms = _read_alarms(arguments, screen)
    with Session(arguments, screen) as session:
        job_ids = session.select(arguments.job_ids)
        answers = session.run(
            begin_prechecks,
            job_ids,
            arguments.mode,
            # A dry run has no new results to wait for.
            settle_time=0.0 if session.is_dry_run else SETTLE_S,
            recheck=arguments.recheck,
            alarms=alarms.at(time.time()),
        )
        refused = pick_errors(answers)
        accepted = [job_id for job_id in answers if job_id not in refused]
        if not arguments.wait:
            rows = {job_id: answer.to_dict() for job_id, answer in answers.items() if job_id in accepted}
            name_state = _name_rehearsed if session.is_dry_run else _name_submitted
            return session.report(show_jobs(answers, rows, "PRE-CHECK", session.names, name_state))
        reports = {
            job_id: JobReport(job_id, Verdict.FAILED, error=error) for job_id, error in refused.items()
        }
        if accepted:
            watch = PrecheckWatch(accepted, alarms)
            session.wait(watch, arguments)
            watch.set_time(time.time())
            reports |= {report.job_id: report for report in watch.reports}
        shown = add_names([reports[job_id] for job_id in answers], session.names)
    return show_reports(shown, has_waited=True)


def _name_submitted(row: Mapping[str, Any]) -> str:
    return str(row["status"])


def _name_rehearsed(row: Mapping[str, Any]) -> str:
    return "would be submitted" if row["status"] == "submitted" else _name_submitted(row)


def results(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Show the results of the latest pre-checks."""
    alarms = _read_alarms(arguments, screen)
    with Session(arguments, screen) as session:
        watch = PrecheckWatch(session.select(arguments.job_ids), alarms)
        session.run(watch.poll)
        watch.set_time(time.time())
        session.read_names(report.job_id for report in watch.reports if report.result)
        return show_reports(add_names(watch.reports, session.names), has_waited=False)


def start(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Start jobs that have passed their pre-check; none if one of them is refused."""
    check_waiting(arguments)
    alarms = _read_alarms(arguments, screen)
    # Reject an invalid time immediately; a time that has passed is an error only if there is a job to start.
    requested_ms = _read_instant(arguments.at, now_s=0.0)
    begins_s = (requested_ms or 0) / 1000
    with Session(arguments, screen) as session:
        job_ids = session.select(arguments.job_ids)
        answers = dict(session.run(admit_starts, job_ids, alarms.at(time.time()), requested_ms))
        ready = [job_id for job_id in job_ids if job_id not in answers]
        if ready and not pick_errors(answers):
            start_time_ms = _read_instant(arguments.at, now_s=time.time())
            answers |= session.run(conversations.start_jobs, ready, start_time_ms, check_preconditions=False)
        not_started = [job_id for job_id in job_ids if job_id not in answers]
        started = [job_id for job_id in answers if job_id not in pick_errors(answers)]
        watch = watch_action("start_jobs", started) if arguments.wait and not pick_errors(answers) else None
        if watch:
            answers |= session.follow(watch, arguments, until_then_s=max(0.0, begins_s - time.time()))
        is_later = begins_s > time.time()
        now = "running" if watch else "scheduled" if is_later else "started"
        result = session.show(answers, "START", now, "scheduled" if is_later else "started", watch)
    held = [
        {"job_id": job_id, "name": session.names.get(job_id), "adopted": False, "status": None, "error": None}
        for job_id in not_started
    ]
    result.fields["jobs"] += held
    if not_started:
        labels = ", ".join(map(session.label, not_started))
        return replace(result, text=f"{result.text}\nNot started because another job was refused: {labels}")
    return result


def _read_alarms(arguments: argparse.Namespace, screen: Screen) -> AlarmPolicy:
    alarms: str = arguments.alarms
    if not alarms:
        raise DrsConfigError("--alarms is empty. Use allow, fail, or the path of a readable file.")
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
