"""The commands that create, change and watch jobs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_drs.cli.answers import show_jobs, to_rows
from airflow_provider_drs.cli.listing import read_statuses
from airflow_provider_drs.cli.screen import Result, Screen, clean
from airflow_provider_drs.cli.session import Session, check_waiting
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.comparisons.messages import Comparison, ComparisonSpec
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, quote
from airflow_provider_drs.protocol.jobs.databases import Endpoint
from airflow_provider_drs.protocol.watches import (
    ComparisonWatch,
    DelayWatch,
    StatusWatch,
    SwitchOverWatch,
    Watch,
    watch_action,
)

_LAG = "lag="


@dataclass(frozen=True)
class Action:
    """
    A command that changes jobs.

    :param conversation: what it does with the jobs.
    :param doing: what happens to the jobs when DRS has accepted it.
    :param done: what the jobs are when it is complete.
    :param watch: returns what ``--wait`` waits for.
    :param options: returns the other arguments of *conversation*.
    :param warning: what cannot be undone; the user must confirm it.
    :param already: what adopted jobs are; by default *done*.
    :param rehearsed: what the jobs would be, in a dry run; by default *done*.
    """

    conversation: Callable[..., Any]
    doing: str
    done: str
    watch: Callable[[Mapping[str, Any]], Watch]
    options: Callable[[argparse.Namespace], Mapping[str, Any]] = lambda arguments: {}
    warning: str = ""
    already: str = ""
    rehearsed: str = ""


def _watch(method: str) -> Callable[[Mapping[str, Any]], Watch]:
    return lambda answers: watch_action(method, list(answers))


def _read_spec(arguments: argparse.Namespace) -> dict[str, Any]:
    tables: dict[str, list[str]] = {}
    for text in arguments.table or ():
        database, dot, table = text.partition(".")
        if not database or not (table or not dot):
            raise DrsConfigError(
                f"--table: {quote(text)} is invalid. Use DATABASE.TABLE, or DATABASE for all of its tables."
            )
        tables.setdefault(database, []).extend([table] if table else [])
    data: str = arguments.data or ""
    if bool(data) != bool(tables):
        raise DrsConfigError("--data needs at least one --table, and --table needs --data.")
    return {"spec": ComparisonSpec(objects=not data, data=data, tables=tables or None)}


ACTIONS = {
    "pause": Action(
        conversations.pause_jobs,
        "pausing",
        "paused",
        options=lambda arguments: {"pause_mode": arguments.mode},
        watch=_watch("pause_jobs"),
    ),
    "resume": Action(conversations.retry_jobs, "resuming", "running", watch=_watch("retry_jobs")),
    "stop": Action(
        conversations.stop_jobs,
        "stopping",
        "stopped",
        options=lambda arguments: {"force": arguments.force},
        watch=_watch("stop_jobs"),
        warning="A stopped job cannot be started again.",
    ),
    "delete": Action(
        conversations.delete_jobs,
        "deleting",
        "deleted",
        watch=_watch("delete_jobs"),
        warning="A deleted job and its history cannot be restored.",
    ),
    "compare": Action(
        conversations.create_comparisons,
        "comparing",
        "consistent",
        options=_read_spec,
        watch=lambda answers: ComparisonWatch(
            [answer for answer in answers.values() if isinstance(answer, Comparison)]
        ),
        already="comparing",
        rehearsed="compared",
    ),
    "switch-over": Action(
        conversations.switch_over,
        "switching over",
        "switched over",
        options=lambda arguments: {"mode": arguments.mode},
        watch=lambda answers: SwitchOverWatch(list(answers)),
        warning="Applications then use the other database. A second switchover reverts the first.",
        already="switching over",
    ),
}


def create(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Create the jobs of a file; a job that exists with the same name and configuration is adopted."""
    check_waiting(arguments)
    specs = _read_file(arguments.file)
    source, target = (_pop_databases(specs, f"{end}_conn_id") for end in ("source", "target"))
    with Session(arguments, screen) as session:
        created = session.run(conversations.create_jobs, specs, source=source, target=target)
        answers: dict[str, Any] = {}
        for name, answer in created.items():
            # A job that was not created has no ID.
            answers[name if isinstance(answer, DrsError) else answer.job_id] = answer
        accepted = [key for key, answer in answers.items() if not isinstance(answer, DrsError)]
        session.names.update({job_id: answers[job_id].name for job_id in accepted})
        watch = watch_action("create_jobs", accepted) if arguments.wait and accepted else None
        if watch:
            answers |= session.follow(watch, arguments)
        return session.show(answers, "CREATE", "created", "created", watch)


def _pop_databases(specs: Sequence[dict[str, Any]], argument: str) -> dict[str, Endpoint]:
    """Return the databases by the names of their jobs. A job without a connection has all of its fields."""
    conn_ids = {str(spec.get("name")): spec.pop(argument, None) for spec in specs}
    return {
        name: _read_database(argument, conn_id) if conn_id else Endpoint()
        for name, conn_id in conn_ids.items()
    }


def _read_database(argument: str, conn_id: str) -> Endpoint:
    from airflow_provider_drs.compat import AirflowNotFoundException
    from airflow_provider_drs.hooks.endpoints import read_endpoint

    try:
        # Airflow's log lines are not part of the output.
        with contextlib.redirect_stdout(sys.stderr):
            return read_endpoint(conn_id)
    except AirflowNotFoundException as error:
        raise DrsConfigError(f"{argument}: {error}.") from None


def _read_file(name: str) -> list[dict[str, Any]]:
    import yaml

    try:
        specs = yaml.safe_load(Path(name).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DrsConfigError(f"--file: cannot read {name!r} ({type(error).__name__}).") from None
    listed = [specs] if isinstance(specs, dict) else specs
    if not isinstance(listed, list) or not all(isinstance(spec, dict) for spec in listed):
        raise DrsConfigError(f"--file: {name!r} is invalid: expected a list with a mapping for each job.")
    return listed


def test(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Test the connections of jobs to their databases."""
    given = {"source": arguments.source_conn_id, "target": arguments.target_conn_id}
    if not any(given.values()):
        raise DrsConfigError("--source-conn-id, --target-conn-id: set at least one of them.")
    ends: dict[str, Endpoint | None] = {
        end: _read_database(f"--{end}-conn-id", conn_id) if conn_id else None
        for end, conn_id in given.items()
    }
    with Session(arguments, screen) as session:
        job_ids = session.select(arguments.job_ids)
        answers = session.run(
            conversations.validate_connections, job_ids, source=ends.get("source"), target=ends.get("target")
        )
        session.read_names(to_rows(answers))
        now = "tested" if session.is_dry_run else "reachable"
        return session.show(answers, "TEST", now, "started")


def act(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Perform an action, and wait until it is complete if requested."""
    check_waiting(arguments)
    action = ACTIONS[arguments.command]
    options = action.options(arguments)
    with Session(arguments, screen) as session:
        job_ids = session.select(arguments.job_ids)
        if action.warning and not session.is_dry_run and not arguments.yes:
            session.read_names(job_ids)
            _confirm(arguments.command, action.warning, [session.label(job_id) for job_id in job_ids])
        answers = session.run(action.conversation, job_ids, **options)
        accepted = {key: answer for key, answer in answers.items() if not isinstance(answer, DrsError)}
        found = to_rows(answers)
        watch = action.watch(accepted) if arguments.wait and accepted else None
        if watch:
            answers |= session.follow(watch, arguments)
            found |= {row["job_id"]: {**found[row["job_id"]], **row} for row in watch.results}
        session.read_names(accepted)
        if session.is_dry_run:
            now, already = action.rehearsed or action.done, action.already or action.done
        else:
            now = action.done if arguments.wait else action.doing
            already = now if arguments.wait else action.already or action.done
        return session.show(answers, arguments.command.upper(), now, already, watch, found)


def _confirm(command: str, warning: str, labels: Sequence[str]) -> None:
    """
    Ask the user.

    :raises DrsConfigError: standard input is not a terminal, or the answer is not yes.
    """
    if not sys.stdin.isatty():
        raise DrsConfigError(f"{command} requires confirmation. {warning} Add --yes to confirm.")
    jobs = "this job" if len(labels) == 1 else f"these {len(labels)} jobs"
    question = "\n".join([*labels, warning, f"{command.capitalize()} {jobs}? [y/N] "])
    print(clean(question), end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise DrsConfigError("not confirmed: no job was changed.")


def wait(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Wait until jobs have a status, or a small lag."""
    make_watch, goal = _read_goal(arguments.goal)
    with Session(arguments, screen) as session:
        job_ids = session.select(arguments.job_ids)
        session.read_names(job_ids)
        watch = make_watch(job_ids)
        session.wait(watch, arguments)
        session.finish_wait(watch, goal)
        answers: dict[str, Any] = {row["job_id"]: row for row in watch.results} | watch.failures
        found = {row["job_id"]: row for row in watch.results}
        return show_jobs(answers, found, "STATUS", session.names)


def _read_goal(text: str) -> tuple[Callable[[Sequence[str]], Watch], str]:
    if text.startswith(_LAG):
        try:
            max_delay_s = float(text.removeprefix(_LAG))
        except ValueError:
            max_delay_s = -1.0
        if not 0 <= max_delay_s < float("inf"):
            raise DrsConfigError(f"--for: {quote(text)} is invalid. Use lag= and seconds, such as lag=60.")
        return lambda job_ids: DelayWatch(job_ids, max_delay_s), f"within {max_delay_s:g} s of their sources"
    statuses = read_statuses(text, "--for")
    return lambda job_ids: StatusWatch(job_ids, statuses), f"in status {' or '.join(sorted(statuses))}"


def status(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Show the statuses of jobs."""
    return _read(arguments, screen, conversations.get_job_statuses)


def progress(arguments: argparse.Namespace, screen: Screen) -> Result:
    """Show the progress of jobs."""
    return _read(arguments, screen, conversations.get_job_progresses)


def _read(arguments: argparse.Namespace, screen: Screen, conversation: Callable[..., Any]) -> Result:
    with Session(arguments, screen) as session:
        answers = session.run(conversation, session.select(arguments.job_ids))
        session.read_names(to_rows(answers))
    return show_jobs(answers, to_rows(answers), "STATUS", session.names)
