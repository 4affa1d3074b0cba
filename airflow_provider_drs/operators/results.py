"""How a task judges: what came of its jobs goes to the log and to XComs, and a failure fails the task."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_drs import metrics
from airflow_provider_drs.protocol.core.errors import DrsError, DrsUnavailableError, make_error
from airflow_provider_drs.protocol.creation.messages import CreatedJob
from airflow_provider_drs.protocol.parameters.messages import ParameterComparison
from airflow_provider_drs.protocol.prechecks.report import JobReport, name_failures, render_report
from airflow_provider_drs.protocol.prechecks.verdict import AlarmPolicy, Verdict
from airflow_provider_drs.protocol.watches import PrecheckWatch, Watch

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.operators.arguments import Log

#: XCom keys.
SUBMISSIONS_KEY = "precheck_submissions"
REPORT_KEY = "precheck_report"
STARTS_KEY = "start_results"
RESULTS_KEY = "job_results"
STATUSES_KEY = "job_statuses"
CREATED_KEY = "created_jobs"
PARENTS_KEY = "parent_job_ids"
BACKWARD_KEY = "backward_job_ids"
PARAMETERS_KEY = "parameter_report"
COMPARISONS_KEY = "comparisons"
COMPARISON_REPORT_KEY = "comparison_report"
JOBS_KEY = "jobs"


def publish_prechecks(
    watch: Watch,
    context: Context,
    log: Log,
    *,
    allow_partial: bool,
    on_failure: str = "fail",
) -> list[str]:
    """
    Publish the report on pre-checks, and return the jobs that may start.

    :param allow_partial: failed jobs do not fail the task while another has passed.
    :param on_failure: ``skip`` skips the task where it would fail.
    :raises AirflowFailException: a job has not passed. The text is the report.
    :raises AirflowSkipException: the same, with *on_failure* ``skip``.
    """
    if not isinstance(watch, PrecheckWatch):
        raise AirflowFailException("What came back from the wait is no watch of pre-checks. Clear the task.")
    # The wait may have been long, and a waiver short.
    watch.set_time(time.time())
    reports = watch.reports
    metrics.count_prechecks(reports)
    _tell_of_waivers(watch.alarms, reports, log)
    context["ti"].xcom_push(key=REPORT_KEY, value=[report.to_dict() for report in reports])
    passed = [report.job_id for report in reports if report.verdict is Verdict.PASSED]
    text = render_report(reports)
    if len(passed) == len(reports):
        log.info("All pre-checks passed.\n%s", text)
        return passed
    if passed and allow_partial:
        log.warning("Going on with %s of %s jobs.\n%s", len(passed), len(reports), text)
        return passed
    log.error("The pre-check has not passed.\n%s", text)
    message = f"Pre-check failed: {name_failures(reports, watch.alarms)}\n{text}"
    raise AirflowSkipException(message) if on_failure == "skip" else AirflowFailException(message)


def _tell_of_waivers(alarms: AlarmPolicy, reports: Sequence[JobReport], log: Log) -> None:
    """Name the waivers that were of no use, so that somebody takes them away, or renews them."""
    used = {waiver for report in reports for waiver in report.waivers.values()}
    for waiver in alarms.waivers:
        if waiver.has_expired(alarms.now_s or 0.0):
            log.warning("A waiver has expired and counts no more: %s", waiver)
        elif waiver not in used:
            log.info("A waiver was not needed: %s", waiver)


def publish_outcomes(
    answers: Mapping[str, object],
    context: Context,
    log: Log,
    *,
    done: str,
    key: str = RESULTS_KEY,
    known_by: str = "job_id",
    allow_partial: bool = False,
) -> list[str]:
    """
    Publish what came of an action, and return the jobs that it was done for.

    :param answers: by job id, or what else *known_by* says: a value with ``to_dict``, or an error.
    :param done: what was done to a job, e.g. ``paused``.
    :param allow_partial: errors do not fail the task while it was done for another job.
    :raises AirflowFailException: it could not be done for a job; see :func:`raise_for_jobs`.
    """
    errors = pick_errors(answers)
    rows: list[dict[str, Any]] = []
    for name, answer in answers.items():
        if name in errors:
            rows.append({known_by: name, "error": errors[name].to_dict()})
            log.error("%s not %s: %s", name, done, answer)
            continue
        row: dict[str, Any] = {**answer.to_dict(), "error": None}  # type: ignore[attr-defined]
        rows.append(row)
        status = f" ({row['status']})" if row.get("status") else ""
        log.info("%s %s%s%s", name, done, " before" if row.get("adopted") else "", status)
    context["ti"].xcom_push(key=key, value=rows)
    accepted = [name for name in answers if name not in errors]
    if errors and not (allow_partial and accepted):
        raise_for_jobs(f"Not {done}:", errors, len(answers))
    return accepted


def publish_created_jobs(
    answers: Mapping[str, CreatedJob | DrsError], context: Context, log: Log, *, pairs: Collection[str] = ()
) -> list[str]:
    """
    Publish which jobs there are now, and return those to go on with: the forward ones of dual-active pairs.

    :param pairs: the names of the dual-active pairs.
    :raises AirflowFailException: a job was not created; see :func:`raise_for_jobs`.
    """
    judged = {name: _judge_pair(each) if name in pairs else each for name, each in answers.items()}
    created = [each for each in judged.values() if isinstance(each, CreatedJob)]
    made = [each for each in created if each.name in pairs]
    context["ti"].xcom_push(key=PARENTS_KEY, value=[each.job_id for each in made])
    context["ti"].xcom_push(key=BACKWARD_KEY, value=[each.backward_id for each in made])
    publish_outcomes(judged, context, log, done="created", key=CREATED_KEY, known_by="name")
    return [each.forward_id or each.job_id for each in created]


def _judge_pair(answer: CreatedJob | DrsError) -> CreatedJob | DrsError:
    if isinstance(answer, DrsError) or (answer.forward_id and answer.backward_id):
        return answer
    # Its own id is that of the parent, with which nothing can go on. The next try adopts the pair.
    return make_error(
        "DRS does not show both jobs of the dual-active pair yet",
        operation="ShowJobList",
        job_ids=(answer.job_id,),
        error_class=DrsUnavailableError,
        remedy="Run the task again; it goes on with what was created.",
    )


def publish_parameters(
    answers: Mapping[str, ParameterComparison | DrsError],
    context: Context,
    log: Log,
    *,
    ignore: Sequence[str],
    fails: bool,
    allow_partial: bool,
) -> list[str]:
    """
    Publish how parameters differ, and return the jobs whose parameters were compared.

    :param ignore: the parameters that may differ.
    :param fails: another difference fails its job.
    :raises AirflowFailException: they could not be compared, or they differ and *fails* is set.
    """
    judged: dict[str, ParameterComparison | DrsError] = dict(answers)
    for job_id, answer in answers.items():
        found = answer.differences if isinstance(answer, ParameterComparison) else ()
        differences = [each for each in found if each.key not in ignore]
        for each in differences:
            values = (each.source_value, each.target_value, each.value_range or "anything")
            log.warning("%s %s: source %s, destination %s (may be %s)", job_id, each.key, *values)
        if differences and fails:
            names = ", ".join(each.key for each in differences)
            judged[job_id] = DrsError(
                f"Parameters differ: {names}. Change them (DrsModifyParametersOperator), or ignore them.",
                job_ids=(job_id,),
            )
    reports = [each.to_dict() for each in answers.values() if isinstance(each, ParameterComparison)]
    context["ti"].xcom_push(key=PARAMETERS_KEY, value=reports)
    return publish_outcomes(judged, context, log, done="compared", allow_partial=allow_partial)


def finish_wait(
    watch: Watch,
    context: Context,
    log: Log,
    *,
    what: str,
    key: str = STATUSES_KEY,
    allow_partial: bool = False,
    on_failure: str = "fail",
) -> list[str]:
    """
    Publish what a wait has found, and return the jobs that came to what was waited for.

    :param what: the first words of the text of a failure, e.g. ``Not paused:``.
    :param allow_partial: failed jobs do not fail the task while another one is there.
    :param on_failure: ``skip`` skips the task where it would fail.
    :raises AirflowFailException: a job will not come there. The text names it and why.
    :raises AirflowSkipException: the same, with *on_failure* ``skip``.
    """
    failures = watch.failures
    context["ti"].xcom_push(key=key, value=watch.results)
    there = [job_id for job_id in watch.job_ids if job_id not in failures]
    for job_id, error in failures.items():
        log.error("%s %s", job_id, error)
    if not failures or (allow_partial and there):
        return there
    if on_failure == "skip":
        raise AirflowSkipException(_name_jobs(what, failures, len(watch.job_ids)))
    raise AirflowFailException(_name_jobs(what, failures, len(watch.job_ids)))


def raise_for_jobs(what: str, errors: Mapping[str, DrsError], total: int) -> NoReturn:
    """
    Raise for jobs that failed, naming each and why.

    :param what: the first words of the text, e.g. ``DRS did not start``.
    :raises AirflowFailException: one of the errors is final.
    :raises DrsError: all of them can pass; Airflow then retries the task.
    """
    message = _name_jobs(what, errors, total)
    first = next(iter(errors.values()))
    if all(error.is_transient for error in errors.values()):
        raise type(first)(message, job_ids=tuple(errors)) from first
    raise AirflowFailException(message) from first


def _name_jobs(what: str, errors: Mapping[str, DrsError], total: int) -> str:
    lines = [f"{job_id}: {error}" for job_id, error in errors.items()]
    return f"{what} {len(errors)} of {total} jobs.\n" + "\n".join(lines)


def pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    """Return the errors among answers."""
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, DrsError)}
