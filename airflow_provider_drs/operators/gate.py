"""
What the operators and the sensor share: reading job ids, waiting, and failing closed.

Rules of DRS are not here; this turns what the core says into logs, XComs and Airflow's exceptions.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_drs.protocol.batching import check_job_ids, find_duplicates, read_job_ids, read_literal
from airflow_provider_drs.protocol.creation import CreatedJob
from airflow_provider_drs.protocol.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.parameters import ParameterComparison
from airflow_provider_drs.protocol.prechecks import Verdict, is_new_run
from airflow_provider_drs.protocol.reports import name_failures, render_report
from airflow_provider_drs.protocol.watches import PrecheckWatch, Watch, watch_from_dict

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_drs.hooks.drs import DrsHook
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger


class Log(Protocol):
    """What both Airflow lines give a task to log with; their classes differ."""

    def info(self, event: str, *args: Any) -> object:
        """Log a change."""

    def warning(self, event: str, *args: Any) -> object:
        """Log what a user may want to act on."""

    def error(self, event: str, *args: Any) -> object:
        """Log a failure."""


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

# A deferral ends by itself at the deadline. Should no triggerer be alive, the scheduler ends it this much
# later.
_GRACE_S = 600.0
# The first pause between two looks at results that still are those of an earlier run; doubled from look to
# look.
_FIRST_SETTLE_S = 1.0


@contextlib.contextmanager
def failing_for_good() -> Iterator[None]:
    """
    Turn a ``DrsError`` that no retry can cure into Airflow's final failure.

    :raises AirflowFailException: such an error. A passing one stays what it is, so that Airflow retries the
        task.
    """
    try:
        yield
    except DrsError as error:
        if error.passing:
            raise
        raise AirflowFailException(str(error)) from error


def read_ids(value: object, log: Log) -> tuple[str, ...]:
    """
    Return the job ids that an operator's argument stands for, after rendering.

    :raises DrsConfigError: there is none, or one cannot be a job id.
    """
    listed = read_job_ids(value)
    duplicates = find_duplicates([job_id for job_id in listed if isinstance(job_id, str)])
    if duplicates:
        log.warning("job_ids: dropping what is given more than once: %s", ", ".join(map(str, duplicates)))
    return check_job_ids(listed)


def read_objects(value: object, argument: str) -> list[dict[str, Any]]:
    """
    Return the list of objects that an operator's argument stands for: one of them, a list, or its text.

    :raises DrsConfigError: it is none of these, or empty.
    """
    listed = read_literal(value) if isinstance(value, str) else value
    listed = [listed] if isinstance(listed, Mapping) else listed
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        listed = ()
    objects = [dict(each) for each in listed if isinstance(each, Mapping)]
    if not objects:
        raise DrsConfigError(f"{argument}: expected an object or a list of them, not {value!r}.")
    return objects


def read_number(value: object, argument: str) -> float:
    """
    Return the number that an operator's argument stands for, after rendering.

    :raises DrsConfigError: it is none.
    """
    try:
        return float(str(value))
    except ValueError:
        raise DrsConfigError(f"{argument}: expected a number, not {value!r}.") from None


def poll(hook: DrsHook, watch: Watch, log: Log) -> bool:
    """
    Ask DRS once, log what has changed, and return whether the wait is over.

    :raises DrsError: what no waiting can cure. A passing fault is a line in the log.
    """
    try:
        lines = hook.poll(watch)
    except DrsError as error:
        if not error.passing:
            raise
        log.warning("DRS could not be asked, the wait goes on: %s", error)
        return False
    for line in lines:
        log.info("%s", line)
    return watch.is_over


def wait(hook: DrsHook, watch: Watch, log: Log, *, poke_interval: float, deadline: float) -> None:
    """
    Poll until the watch is over.

    :param deadline: epoch seconds at which to give up.
    :raises AirflowSensorTimeout: the deadline has come.
    """
    while not poll(hook, watch, log):
        left_s = deadline - time.time()
        if left_s <= 0:
            raise_timeout(watch)
        time.sleep(min(poke_interval, left_s))


def settle(
    hook: DrsHook,
    job_ids: Sequence[str],
    before: Mapping[str, object],
    log: Log,
    *,
    settle_time: float,
) -> None:
    """
    Read results until every job shows its new pre-check, so that nobody takes the last verdict for this one.

    DRS does not say which run a result belongs to; a new one shows by its progress, or by another answer.

    :param before: what DRS answered before the new pre-checks were started.
    :param settle_time: seconds after which to go on all the same; a repeated verdict looks like the last one.
    """
    deadline_s = time.monotonic() + settle_time
    open_ids, delay_s = list(job_ids), _FIRST_SETTLE_S
    while open_ids:
        answers = hook.get_precheck_results(open_ids)
        open_ids = [job_id for job_id in open_ids if not is_new_run(answers[job_id], before.get(job_id))]
        left_s = deadline_s - time.monotonic()
        if open_ids and left_s <= 0:
            log.warning("DRS still shows the pre-check before this one for %s", ", ".join(open_ids))
            return
        if open_ids:
            time.sleep(min(delay_s, left_s))
            delay_s *= 2


def make_trigger(
    drs_conn_id: str, watch: Watch, *, poke_interval: float, deadline: float, stop_on_kill: Sequence[str] = ()
) -> tuple[DrsWatchTrigger, datetime.timedelta]:
    """
    Return the trigger that goes on with a wait, and the time after which the scheduler may end it.

    :param stop_on_kill: the jobs to stop for good if a user kills the wait.
    """
    from airflow_provider_drs.triggers.drs import DrsWatchTrigger

    trigger = DrsWatchTrigger(
        drs_conn_id=drs_conn_id,
        watch=watch.to_dict(),
        poke_interval=poke_interval,
        deadline=deadline,
        stop_on_kill=list(stop_on_kill),
    )
    return trigger, datetime.timedelta(seconds=max(deadline - time.time(), 0.0) + _GRACE_S)


def read_event(event: object) -> Watch:
    """
    Return the watch that a trigger's event carries.

    :raises AirflowSensorTimeout: the trigger gave up at the deadline.
    :raises AirflowFailException: the trigger met what no waiting can cure, or this is no event of ours.
    """
    if not isinstance(event, Mapping) or "status" not in event or "watch" not in event:
        raise AirflowFailException(
            "The trigger's event has no status; the wait counts as failed. Clear the task."
        )
    try:
        watch = watch_from_dict(event["watch"])
    except (KeyError, TypeError, AttributeError):
        raise AirflowFailException(
            "The trigger's event is none that this version of the provider understands. Clear the task."
        ) from None
    if event["status"] == "timed_out":
        raise_timeout(watch)
    if event["status"] == "failed":
        with failing_for_good():
            raise DrsError.from_dict(event["error"])
    if event["status"] != "over" or not watch.is_over:
        raise AirflowFailException(
            f"The trigger's event has status {event['status']!r}, which is none we know."
        )
    return watch


def raise_timeout(watch: Watch) -> NoReturn:
    """Raise the time-out of a wait, naming the jobs that are still open."""
    raise AirflowSensorTimeout(
        f"Gave up waiting for DRS: {len(watch.pending)} of {len(watch.job_ids)} jobs are still open "
        f"({', '.join(watch.pending)}). Look at them in the DRS console; raise timeout if they need longer."
    )


def conclude_prechecks(
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
    reports = watch.reports
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


def conclude_action(
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


def conclude_creation(answers: Mapping[str, CreatedJob | DrsError], context: Context, log: Log) -> list[str]:
    """
    Publish which jobs there are now, and return those to go on with: the forward ones of dual-active pairs.

    :raises AirflowFailException: a job was not created; see :func:`raise_for_jobs`.
    """
    created = [each for each in answers.values() if isinstance(each, CreatedJob)]
    pairs = [each for each in created if each.forward_id]
    context["ti"].xcom_push(key=PARENTS_KEY, value=[each.job_id for each in pairs])
    context["ti"].xcom_push(key=BACKWARD_KEY, value=[each.backward_id for each in pairs])
    conclude_action(answers, context, log, done="created", key=CREATED_KEY, known_by="name")
    return [each.forward_id or each.job_id for each in created]


def conclude_parameters(
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
    return conclude_action(judged, context, log, done="compared", allow_partial=allow_partial)


def conclude_wait(
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
    if all(error.passing for error in errors.values()):
        raise type(first)(message, job_ids=tuple(errors)) from first
    raise AirflowFailException(message) from first


def _name_jobs(what: str, errors: Mapping[str, DrsError], total: int) -> str:
    lines = [f"{job_id}: {error}" for job_id, error in errors.items()]
    return f"{what} {len(errors)} of {total} jobs.\n" + "\n".join(lines)


def pick_errors(answers: Mapping[str, object]) -> dict[str, DrsError]:
    """Return the errors among answers."""
    return {job_id: answer for job_id, answer in answers.items() if isinstance(answer, DrsError)}
