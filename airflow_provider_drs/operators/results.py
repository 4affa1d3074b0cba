"""Publish the results of a task to its log and XComs, and fail the task if jobs have failed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_drs import metrics
from airflow_provider_drs.protocol.core.errors import (
    DrsError,
    DrsUnavailableError,
    label_error,
    label_job,
    make_error,
    name_first,
)
from airflow_provider_drs.protocol.creation.messages import CreatedJob
from airflow_provider_drs.protocol.jobs.adoption import NOT_COMPARED
from airflow_provider_drs.protocol.jobs.messages import JobProgress
from airflow_provider_drs.protocol.jobs.outcome import GONE
from airflow_provider_drs.protocol.jobs.states import describe_status
from airflow_provider_drs.protocol.jobs.status_watch import describe_progress
from airflow_provider_drs.protocol.parameters.messages import ParameterComparison
from airflow_provider_drs.protocol.prechecks.report import (
    JobReport,
    render_report,
    summarize,
    summarize_failures,
)
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
DETAILS_KEY = "job_details"
PROGRESS_KEY = "job_progress"


def publish_prechecks(
    watch: Watch,
    context: Context,
    log: Log,
    *,
    allow_partial: bool,
    on_failure: str = "fail",
) -> list[str]:
    """
    Publish the report of pre-checks, and return the jobs that may start.

    If the wait has timed out before a job failed, it only publishes the report.

    :param allow_partial: failed jobs do not fail the task if another job has passed.
    :param on_failure: ``skip`` skips the task instead of failing it.
    :raises AirflowFailException: a job has not passed. The message names the first failed jobs.
    :raises AirflowSkipException: the same, with *on_failure* ``skip``.
    """
    if not isinstance(watch, PrecheckWatch):
        raise AirflowFailException(
            "The trigger event does not contain pre-check results. Clear the task to poll again."
        )
    # A waiver may have expired during the wait.
    watch.set_time(time.time())
    reports = watch.reports
    metrics.count_prechecks(reports)
    _log_waivers(watch.alarms, reports, log)
    context["ti"].xcom_push(key=REPORT_KEY, value=[report.to_dict() for report in reports])
    passed = [report.job_id for report in reports if report.verdict is Verdict.PASSED]
    text = render_report(reports)
    if len(passed) == len(reports):
        log.info("All pre-checks passed.\n%s", text)
        return passed
    is_over = watch.is_done or any(report.verdict is Verdict.FAILED for report in reports)
    if not is_over:
        log.warning("Pre-checks have not finished.\n%s", text)
        return passed
    if passed and allow_partial:
        log.warning(
            "Pre-check passed for %s of %s jobs; continuing with these.\n%s", len(passed), len(reports), text
        )
        return passed
    log.error("Pre-check failed.\n%s", text)
    # The log has the table; the error, which Airflow also sends to notifiers, is a summary.
    message = (
        f"Pre-check failed: {summarize(reports)}. The log and the XCom {REPORT_KEY} have the reason and the "
        f"fix of each failed check.\n{summarize_failures(reports, watch.alarms)}"
    )
    raise AirflowSkipException(message) if on_failure == "skip" else AirflowFailException(message)


def _log_waivers(alarms: AlarmPolicy, reports: Sequence[JobReport], log: Log) -> None:
    """Log the waivers that have expired or are not needed, so that they can be renewed or removed."""
    used = {waiver for report in reports for waiver in report.waivers.values()}
    for waiver in alarms.waivers:
        if waiver.has_expired(alarms.now_s or 0.0):
            log.warning("Waiver ignored, because it has expired: %s. Renew or remove it.", waiver)
        elif waiver not in used:
            log.info("Waiver not used, because no alarm matched it: %s", waiver)


def publish_outcomes(
    answers: Mapping[str, object],
    context: Context,
    log: Log,
    *,
    done: str,
    key: str = RESULTS_KEY,
    known_by: str = "job_id",
    names: Mapping[str, str] | None = None,
    allow_partial: bool = False,
) -> list[str]:
    """
    Publish the results of an action, and return the jobs for which it succeeded.

    :param answers: by job ID, or by the field *known_by*: a value with ``to_dict``, or an error.
    :param done: what was done to a job, such as ``paused``.
    :param names: the names of jobs by ID.
    :param allow_partial: errors do not fail the task if the action succeeded for another job.
    :raises AirflowFailException: the action failed for a job; see :func:`raise_for_jobs`.
    """
    errors = pick_errors(answers)
    rows: list[dict[str, Any]] = []
    names = names or {}
    for job, answer in answers.items():
        known = {known_by: job} | ({"name": names.get(job)} if known_by == "job_id" else {})
        if job in errors:
            rows.append({**known, "error": errors[job].to_dict()})
            log.error("Not %s: %s", done, label_error(job, errors[job], names.get(job)))
            continue
        row: dict[str, Any] = {**known, **answer.to_dict(), "error": None}  # type: ignore[attr-defined]
        rows.append(row)
        status = f" ({row['status']})" if row.get("status") else ""
        label = label_job(job, names.get(job))
        if row.get("status") == GONE:
            log.warning(
                "%s counts as %s: DRS does not know the job. It was deleted, or its ID, or the region or "
                "project of the connection, is wrong.",
                label,
                done,
            )
        else:
            log.info("%s %s%s%s", label, "already " if row.get("adopted") else "", done, status)
        log_not_compared(label, row, log)
    context["ti"].xcom_push(key=key, value=rows)
    accepted = [job for job in answers if job not in errors]
    if errors and not (allow_partial and accepted):
        raise_for_jobs(f"Not {done}:", errors, len(answers), names)
    return accepted


def publish_progress(
    answers: Mapping[str, JobProgress | DrsError], context: Context, log: Log, *, names: Mapping[str, str]
) -> None:
    """Publish and log the progress of jobs. A job whose progress cannot be read has the error."""
    rows = []
    for job_id, answer in answers.items():
        row: dict[str, Any] = {"job_id": job_id, "name": names.get(job_id)}
        label = label_job(job_id, names.get(job_id))
        if isinstance(answer, DrsError):
            rows.append({**row, "error": answer.to_dict()})
            log.warning("%s: no progress: %s", label, answer)
        else:
            rows.append({**row, **answer.to_dict(), "error": None})
            log.info("%s: %s, %s", label, describe_status(answer.status), describe_progress(answer))
    context["ti"].xcom_push(key=PROGRESS_KEY, value=rows)


def log_not_compared(label: str, row: Mapping[str, Any], log: Log) -> None:
    """Log what was requested for an adopted job that DRS does not return."""
    if row.get(NOT_COMPARED):
        fields = ", ".join(row[NOT_COMPARED])
        log.warning("%s: adopted without comparing %s, which DRS does not return", label, fields)


def publish_created_jobs(
    answers: Mapping[str, CreatedJob | DrsError], context: Context, log: Log, *, pairs: Collection[str] = ()
) -> list[str]:
    """
    Publish the created jobs, and return those to continue with: for dual-active pairs, the forward jobs.

    :param pairs: the names of the dual-active pairs.
    :raises AirflowFailException: a job was not created; see :func:`raise_for_jobs`.
    """
    checked = {name: _check_pair(job) if name in pairs else job for name, job in answers.items()}
    created = [job for job in checked.values() if isinstance(job, CreatedJob)]
    made = [job for job in created if job.name in pairs]
    context["ti"].xcom_push(key=PARENTS_KEY, value=[job.job_id for job in made])
    context["ti"].xcom_push(key=BACKWARD_KEY, value=[job.backward_id for job in made])
    publish_outcomes(checked, context, log, done="created", key=CREATED_KEY, known_by="name")
    return [job.forward_id or job.job_id for job in created]


def _check_pair(answer: CreatedJob | DrsError) -> CreatedJob | DrsError:
    if isinstance(answer, DrsError) or (answer.forward_id and answer.backward_id):
        return answer
    # The ID that is known is the parent's, which cannot be configured. A retry adopts the pair.
    return make_error(
        "DRS does not list both jobs of the dual-active pair yet",
        operation="ShowJobList",
        job_ids=(answer.job_id,),
        error_class=DrsUnavailableError,
        remedy="Retry the task; it adopts the created jobs.",
    )


def publish_parameters(
    answers: Mapping[str, ParameterComparison | DrsError],
    context: Context,
    log: Log,
    *,
    ignore: Sequence[str],
    names: Mapping[str, str],
    fails: bool,
    allow_partial: bool,
) -> list[str]:
    """
    Publish the differences of parameters, and return the jobs whose parameters were compared.

    :param ignore: the parameters that may differ.
    :param fails: any other difference fails its job.
    :raises AirflowFailException: the comparison failed, or parameters differ and *fails* is set.
    """
    checked: dict[str, ParameterComparison | DrsError] = dict(answers)
    for job_id, answer in answers.items():
        found = answer.differences if isinstance(answer, ParameterComparison) else ()
        differences = [difference for difference in found if difference.key not in ignore]
        for difference in differences:
            values = (difference.source_value, difference.target_value, difference.value_range or "any value")
            label = label_job(job_id, names.get(job_id))
            log.warning("%s %s: source %s, destination %s (allowed: %s)", label, difference.key, *values)
        if differences and fails:
            keys = ", ".join(difference.key for difference in differences)
            checked[job_id] = DrsError(
                f"Parameters differ: {keys}. Change them with DrsModifyParametersOperator, or add them to "
                "ignore.",
                job_ids=(job_id,),
            )
    reports = [answer.to_dict() for answer in answers.values() if isinstance(answer, ParameterComparison)]
    context["ti"].xcom_push(key=PARAMETERS_KEY, value=reports)
    return publish_outcomes(checked, context, log, done="compared", names=names, allow_partial=allow_partial)


def finish_wait(
    watch: Watch,
    context: Context,
    log: Log,
    *,
    what: str,
    key: str = STATUSES_KEY,
    names: Mapping[str, str] | None = None,
    allow_partial: bool = False,
    on_failure: str = "fail",
) -> list[str]:
    """
    Publish the results of a wait, and return the jobs that have reached what was waited for.

    If the wait has timed out, the jobs that have not finished are not among them.

    :param what: the first words of the error, such as ``Not paused:``.
    :param names: the names of jobs by ID, as far as they are known.
    :param allow_partial: failed jobs do not fail the task if another job succeeded.
    :param on_failure: ``skip`` skips the task instead of failing it.
    :raises AirflowFailException: a job failed. The message names it and the reason.
    :raises AirflowSkipException: the same, with *on_failure* ``skip``.
    """
    failures, names = watch.failures, {**watch.names, **(names or {})}
    rows = [{**row, "name": names.get(row["job_id"])} for row in watch.results]
    context["ti"].xcom_push(key=key, value=rows)
    unfinished = frozenset() if watch.is_done else frozenset(watch.pending)
    succeeded = [job_id for job_id in watch.job_ids if job_id not in failures and job_id not in unfinished]
    for job_id, error in failures.items():
        log.error("%s", label_error(job_id, error, names.get(job_id)))
    if not failures or (allow_partial and succeeded):
        return succeeded
    message = _name_jobs(what, failures, len(watch.job_ids), names)
    raise AirflowSkipException(message) if on_failure == "skip" else AirflowFailException(message)


def raise_for_jobs(
    what: str, errors: Mapping[str, DrsError], total: int, names: Mapping[str, str] | None = None
) -> NoReturn:
    """
    Raise an error that names the first failed jobs and the reasons. The log must have all of them.

    :param what: the first words of the error, such as ``Not started:``.
    :raises AirflowFailException: one of the errors is permanent.
    :raises DrsError: all errors are transient; Airflow then retries the task.
    """
    message = _name_jobs(what, errors, total, names or {})
    first = next(iter(errors.values()))
    if all(error.is_transient for error in errors.values()):
        raise type(first)(message, job_ids=tuple(errors)) from first
    raise AirflowFailException(message) from first


def _name_jobs(what: str, errors: Mapping[str, DrsError], total: int, names: Mapping[str, str]) -> str:
    lines = [label_error(job_id, error, names.get(job_id)) for job_id, error in errors.items()]
    first = name_first(lines)
    others = "" if first.count("\n") == len(lines) - 1 else " The log has all of them."
    return f"{what} {len(errors)} of {total} jobs.{others}\n{first}"


def log_stops(answers: Mapping[str, object], log: Log, *, names: Mapping[str, str] | None = None) -> None:
    """Log which jobs of a killed task were stopped, and which could not be stopped."""
    names = names or {}
    for job_id, answer in answers.items():
        label = label_job(job_id, names.get(job_id))
        if isinstance(answer, DrsError):
            log.error("%s is still running. It could not be stopped: %s", label, answer)
        else:
            log.warning("%s stopped, because the task was killed and stop_on_kill is set", label)


def pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    """Return the errors among answers."""
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, DrsError)}
