"""Run a command, and return its exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from airflow_provider_drs.cli import jobs, listing, prechecks
from airflow_provider_drs.cli.answers import (
    CLOSED,
    INTERRUPTED,
    NOT_WRITTEN,
    PASSED,
    UNREACHABLE,
    WRONG_USE,
    TimedOut,
    code_of,
    say_command,
)
from airflow_provider_drs.cli.connection import find_settings
from airflow_provider_drs.cli.screen import Result, Screen, open_screen
from airflow_provider_drs.protocol.core.errors import (
    DrsAuthError,
    DrsConfigError,
    DrsError,
    DrsPermissionError,
)

#: Errors that the user must fix.
_WRONG_USE = (DrsConfigError, DrsAuthError, DrsPermissionError)


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
        code = WRONG_USE if isinstance(error, _WRONG_USE) else code_of([error])
        screen.show_error(arguments.command, code, type(error).__name__, say_command(str(error)))
        return code
    except KeyboardInterrupt:
        text = "Interrupted. Jobs and pre-checks continue in DRS. Run drs results or drs status to view them."
        screen.show_error(arguments.command, INTERRUPTED, "KeyboardInterrupt", text)
        return INTERRUPTED
    screen.show_result(arguments.command, result)
    return result.code


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
    "list": listing.list_jobs,
    "status": jobs.status,
    "progress": jobs.progress,
    "wait": jobs.wait,
    "create": jobs.create,
    "test": jobs.test,
    "precheck": prechecks.precheck,
    "results": prechecks.results,
    "start": prechecks.start,
    **dict.fromkeys(jobs.ACTIONS, jobs.act),
    "doctor": _doctor,
}
