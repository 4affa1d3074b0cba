"""``airflow drs``: the same commands for Airflow 3.2 and later, which reads commands of providers."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

from airflow_provider_drs.cli.commands import COMMANDS


def get_commands() -> list[CLICommand]:
    """Return ``airflow drs`` with its commands."""
    subcommands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            func=_run,
            args=tuple(
                Arg(flags=argument.flags, help=argument.help, **argument.options)  # type: ignore[no-untyped-call]
                for argument in command.arguments
            ),
        )
        for command in COMMANDS
    ]
    return [
        GroupCommand(
            name="drs",
            help="Pre-check and start jobs of the Data Replication Service",
            subcommands=subcommands,
        )
    ]


def _run(arguments: argparse.Namespace) -> Any:
    from airflow_provider_drs.cli.run import run

    arguments.command = arguments.subcommand
    sys.exit(run(arguments))
