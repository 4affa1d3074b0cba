"""
The commands and their arguments, as a table.

``drs``, ``airflow drs`` and the documentation are built from it. It imports nothing that takes time, because
every completion in a shell imports it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs import __version__
from airflow_provider_drs.provider_info import CONNECTION_FIELDS

#: The exit codes, for scripts.
EXIT_CODES = {
    0: "success; no job failed or was refused",
    1: "a job was refused or has failed, or did not pass its pre-check",
    2: "invalid arguments, connection, credentials or permissions",
    3: "the service is unreachable, or the wait timed out",
    74: "the output cannot be written, for example because the disk is full",
    130: "interrupted with Ctrl-C; jobs in DRS continue",
    141: "the output was closed by its reader, such as head",
}

#: The connection if no connection ID is given and one of these variables is set. The fields are those of the
#: connection form.
VARIABLES = {
    "DRS_HOST": "DRS endpoint; default: from cloud and region",
    "DRS_LOGIN": "IAM user name or access key",
    "DRS_PASSWORD": "password, secret key or token",
    **{f"DRS_{name.upper()}": facts["description"] for name, facts in CONNECTION_FIELDS.items()},
}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a command, for argparse."""

    flags: tuple[str, ...]
    help: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return its name as in a command line."""
        flag = self.flags[-1] if self.flags[-1].startswith("-") else ""
        value = self.options.get("metavar") or "|".join(self.options.get("choices", ()))
        return f"{flag} {value}".strip()


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command.

    :param name: its name.
    :param help: its description in one line.
    """

    name: str
    help: str
    arguments: tuple[Argument, ...]


def _above_zero(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds greater than 0, not {text!r}")
    return seconds


_SECONDS: dict[str, Any] = {"type": _above_zero, "metavar": "SECONDS"}
#: The kinds of jobs, and their ``db_use_type``.
KINDS = {"migration": "migration", "sync": "sync", "disaster-recovery": "cloudDataGuard"}

_JOBS = Argument(
    ("job_ids",),
    "jobs by name, by a pattern of names such as 'orders-*', or by ID; - reads them from standard input",
    {"nargs": "+", "metavar": "JOB"},
)
_COMMON = (
    Argument(
        ("--conn-id",),
        "Airflow connection; default: the variables DRS_*, else drs_default",
        {"metavar": "ID"},
    ),
    Argument(("--json",), "print one JSON document to standard output", {"action": "store_true"}),
    Argument(
        ("--plain",),
        "print plain lines without colors or a live table, even in a terminal",
        {"action": "store_true"},
    ),
)
_ALARMS = Argument(
    ("--alarms",),
    "accepted alarms: allow (all), fail (none), or a file with check items and waivers",
    {"default": "allow", "metavar": "allow|fail|FILE"},
)
_WAITING = (
    Argument(("--interval",), "with --wait: seconds between two polls; default: 10", _SECONDS),
    Argument(("--timeout",), "with --wait: maximum seconds to wait; default: 3600", _SECONDS),
)
_DRY_RUN = Argument(
    ("--dry-run",),
    "print the requests that would change jobs, but do not send them",
    {"action": "store_true"},
)
_YES = Argument(("--yes",), "do not ask for confirmation", {"action": "store_true"})


def _waits(text: str) -> tuple[Argument, ...]:
    return (Argument(("--wait",), text, {"action": "store_true"}), *_WAITING)


COMMANDS = (
    Command(
        "list",
        "list the jobs of the project",
        (
            Argument(
                ("patterns",),
                "names, patterns of names such as 'orders-*', or IDs; default: all jobs",
                {"nargs": "*", "metavar": "JOB"},
            ),
            Argument(("--kind",), "only jobs of this kind", {"choices": tuple(KINDS)}),
            Argument(
                ("--status",),
                "only jobs in these statuses or phases, such as failed or incremental",
                {"metavar": "STATUS,..."},
            ),
            Argument(("--engine",), "only jobs of this engine, such as mysql", {"metavar": "ENGINE"}),
            Argument(("--lag-above",), "only jobs with a larger lag", _SECONDS),
            Argument(("--watch",), "refresh the list until Ctrl-C", {"action": "store_true"}),
            Argument(("--interval",), "with --watch: seconds between two reads; default: 10", _SECONDS),
            *_COMMON,
        ),
    ),
    Command("status", "show the statuses of jobs", (_JOBS, *_COMMON)),
    Command("progress", "show the progress of jobs: percent, remaining time, lag", (_JOBS, *_COMMON)),
    Command(
        "wait",
        "wait until jobs reach a status, or have a small lag",
        (
            _JOBS,
            Argument(
                ("--for",),
                "statuses, or lag= and the maximum lag in seconds, such as lag=60",
                {"dest": "goal", "required": True, "metavar": "STATUS,...|lag=SECONDS"},
            ),
            Argument(("--interval",), "seconds between two polls; default: 10", _SECONDS),
            Argument(("--timeout",), "maximum seconds to wait; default: 3600", _SECONDS),
            *_COMMON,
        ),
    ),
    Command(
        "create",
        "create jobs from a file",
        (
            Argument(
                ("-f", "--file"),
                "YAML or JSON: a mapping for each job, with the fields of DrsCreateJobsOperator and, if "
                "needed, source_conn_id and target_conn_id",
                {"required": True, "metavar": "FILE"},
            ),
            *_waits("wait until every job can be configured"),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "test",
        "test the connections from DRS to the databases of jobs",
        (
            _JOBS,
            Argument(("--source-conn-id",), "Airflow connection of the source", {"metavar": "ID"}),
            Argument(("--target-conn-id",), "Airflow connection of the destination", {"metavar": "ID"}),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "precheck",
        "start pre-checks; with --wait, also wait for the verdicts",
        (
            _JOBS,
            Argument(
                ("--mode",),
                "forStartJob, or forRetryJob if the service supports it",
                {"default": "forStartJob", "choices": ("forStartJob", "forRetryJob")},
            ),
            Argument(
                ("--recheck",),
                "all jobs, or only those whose latest pre-check has not passed; default: all",
                {"default": "all", "choices": ("all", "failed")},
            ),
            _ALARMS,
            *_waits("wait until every job has its verdict"),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command("results", "show the results of pre-checks", (_JOBS, _ALARMS, *_COMMON)),
    Command(
        "start",
        "start jobs that have passed their pre-check",
        (
            _JOBS,
            Argument(("--at",), "start time: ISO 8601 with a time zone; default: now", {"metavar": "TIME"}),
            _ALARMS,
            *_waits("wait until every job is running"),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "pause",
        "pause jobs",
        (
            _JOBS,
            Argument(
                ("--mode",),
                "target pauses the replay on the destination, all also pauses reading the source's logs; "
                "default: target",
                {"default": "target", "choices": ("target", "all")},
            ),
            *_waits("wait until every job is paused"),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "resume",
        "resume paused jobs, and retry failed ones",
        (_JOBS, *_waits("wait until every job is running"), _DRY_RUN, *_COMMON),
    ),
    Command(
        "compare",
        "compare the data of disaster recovery jobs",
        (
            _JOBS,
            Argument(
                ("--data",),
                "compare the number of rows, or the rows; default: which objects exist",
                {"choices": ("lines", "contents")},
            ),
            Argument(
                ("--table",),
                "with --data: a table to compare, or a database with all tables; can be repeated",
                {"action": "append", "metavar": "DATABASE.TABLE"},
            ),
            *_waits("wait for the results"),
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "switch-over",
        "switch over the virtual IP addresses of synchronization jobs",
        (
            _JOBS,
            Argument(
                ("--mode",),
                "which address to switch; default: target",
                {"default": "target", "choices": ("source", "target")},
            ),
            *_waits("wait until every switchover is complete"),
            _YES,
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "stop",
        "stop jobs, which cannot be started again",
        (
            _JOBS,
            Argument(
                ("--force",),
                "stop even if DRS cannot end the replication cleanly",
                {"action": "store_true"},
            ),
            *_waits("wait until every job is stopped"),
            _YES,
            _DRY_RUN,
            *_COMMON,
        ),
    ),
    Command(
        "delete",
        "delete stopped jobs",
        (_JOBS, *_waits("wait until every job is deleted"), _YES, _DRY_RUN, *_COMMON),
    ),
    Command(
        "doctor",
        "check name resolution, proxy, TLS, clock, credentials, project and permission",
        (
            Argument(
                ("--permissions",),
                "also list the permissions that each operator and sensor requires",
                {"action": "store_true"},
            ),
            *_COMMON,
        ),
    ),
)
#: For ``drs`` only; Airflow completes its own commands.
COMPLETION = Command(
    "completion",
    'print the completion script of a shell: eval "$(drs completion bash)"',
    (Argument(("shell",), "bash, zsh or fish", {"choices": ("bash", "zsh", "fish")}),),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``drs``."""
    codes = "\n".join(f"  {code:<5}{meaning}" for code, meaning in EXIT_CODES.items())
    secrets = "Secrets come from the connection or DRS_PASSWORD, never from arguments."
    parser = argparse.ArgumentParser(
        prog="drs",
        description="List, pre-check, start, watch and change jobs of the Data Replication Service (DRS).",
        epilog=f"exit codes:\n{codes}\n\n{secrets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (*COMMANDS, COMPLETION):
        text = f"{command.help[0].upper()}{command.help[1:]}."
        subparser = subparsers.add_parser(command.name, help=command.help, description=text)
        for argument in command.arguments:
            action = subparser.add_argument(*argument.flags, help=argument.help, **argument.options)
            if argument.options.get("metavar") == "JOB":
                action.completer = _complete_job  # type: ignore[attr-defined]
    return parser


def _complete_job(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the names of the jobs that start with *prefix*, for argcomplete."""
    from airflow_provider_drs.cli.session import complete

    return complete(prefix, parsed_args)
