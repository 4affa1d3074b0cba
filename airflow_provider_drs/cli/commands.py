"""
Which commands there are, and what each takes: a table.

``drs`` makes its parser of it, ``airflow drs`` its commands, and the documentation its page. It imports
nothing that takes time, since every completion in a shell comes by here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_drs import __version__
from airflow_provider_drs.provider_info import CONNECTION_FIELDS

#: What the codes at the end mean, for scripts.
EXIT_CODES = {
    0: "done, and all jobs passed",
    1: "a job has failed its pre-check, or is refused",
    2: "wrong use: arguments, connection, credentials or permissions",
    3: "the service cannot be reached, or the time is up",
    130: "interrupted with Ctrl-C; what runs in DRS goes on",
}

#: Where the connection comes from if no id is given: one of these is set. The fields are those of the form.
VARIABLES = {
    "DRS_HOST": "DRS endpoint; empty: derived from region and cloud",
    "DRS_LOGIN": "IAM user name, or access key",
    "DRS_PASSWORD": "password, secret key or token",
    **{f"DRS_{name.upper()}": facts["description"] for name, facts in CONNECTION_FIELDS.items()},
}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a command, as argparse takes it."""

    flags: tuple[str, ...]
    help: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it as one writes it."""
        flag = self.flags[0] if self.flags[0].startswith("-") else ""
        value = self.options.get("metavar") or "|".join(self.options.get("choices", ()))
        return f"{flag} {value}".strip()


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command.

    :param name: what it is called.
    :param help: what it does, in a line.
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
        raise argparse.ArgumentTypeError(f"expected seconds above 0, not {text!r}")
    return seconds


_SECONDS: dict[str, Any] = {"type": _above_zero, "metavar": "SECONDS"}
_JOBS = Argument(
    ("job_ids",), "ids of DRS jobs; - reads them from standard input", {"nargs": "+", "metavar": "JOB"}
)
_COMMON = (
    Argument(
        ("--conn-id",),
        "an Airflow connection; default: the variables DRS_*, else drs_default",
        {"metavar": "ID"},
    ),
    Argument(("--json",), "print one JSON document, and nothing else", {"action": "store_true"}),
    Argument(("--plain",), "print lines, even on a terminal", {"action": "store_true"}),
)
_ALARMS = Argument(
    ("--alarms",),
    "what an ALARM item does: allow, fail, or a file of items that may alarm and of waivers",
    {"default": "allow", "metavar": "allow|fail|FILE"},
)
_WAITING = (
    Argument(("--interval",), "between two questions; default: 10", {**_SECONDS, "default": 10.0}),
    Argument(
        ("--timeout",), "after which to give up waiting; default: 3600", {**_SECONDS, "default": 3600.0}
    ),
)

COMMANDS = (
    Command(
        "precheck",
        "start the pre-checks of jobs, and wait for the verdicts",
        (
            _JOBS,
            Argument(("--wait",), "wait until every job has its verdict", {"action": "store_true"}),
            Argument(
                ("--mode",),
                "forStartJob, or forRetryJob where the service knows it",
                {"default": "forStartJob", "choices": ("forStartJob", "forRetryJob")},
            ),
            _ALARMS,
            *_WAITING,
            *_COMMON,
        ),
    ),
    Command("results", "show what the pre-checks of jobs have found", (_JOBS, _ALARMS, *_COMMON)),
    Command("status", "show where jobs stand", (_JOBS, *_COMMON)),
    Command("progress", "show how far jobs are: percent, time left, delay", (_JOBS, *_COMMON)),
    Command(
        "start",
        "start jobs that have passed their pre-check",
        (
            _JOBS,
            Argument(
                ("--at",), "when: an ISO 8601 instant with a time zone; default: now", {"metavar": "INSTANT"}
            ),
            Argument(("--wait",), "wait until every job is running", {"action": "store_true"}),
            _ALARMS,
            *_WAITING,
            *_COMMON,
        ),
    ),
    Command(
        "doctor",
        "look at name, proxy, TLS, clock, credentials, project and permission, and say what to mend first",
        _COMMON,
    ),
)
#: Of ``drs`` alone; Airflow completes its own commands.
COMPLETION = Command(
    "completion",
    'print what makes a shell complete drs: eval "$(drs completion bash)"',
    (Argument(("shell",), "bash, zsh or fish", {"choices": ("bash", "zsh", "fish")}),),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``drs``."""
    codes = "\n".join(f"  {code:<5}{meaning}" for code, meaning in EXIT_CODES.items())
    secrets = "Secrets come from the connection or DRS_PASSWORD, never from arguments."
    parser = argparse.ArgumentParser(
        prog="drs",
        description="Pre-check, watch and start jobs of the Data Replication Service (DRS).",
        epilog=f"exit codes:\n{codes}\n\n{secrets}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (*COMMANDS, COMPLETION):
        text = f"{command.help[0].upper()}{command.help[1:]}."
        subparser = subparsers.add_parser(command.name, help=command.help, description=text)
        for argument in command.arguments:
            subparser.add_argument(*argument.flags, help=argument.help, **argument.options)
    return parser
