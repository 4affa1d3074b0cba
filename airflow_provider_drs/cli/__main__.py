"""``drs``: the functions of the hook, from a terminal or a script."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from airflow_provider_drs.cli.commands import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit code."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser.parse_args(given)
    except SystemExit as end:
        if end.code and "--json" in given:
            error = {"type": "UsageError", "text": "Invalid arguments. See standard error."}
            print(json.dumps({"command": None, "exit_code": end.code, "error": error}))
        raise
    if arguments.command == "completion":
        from argcomplete.shell_integration import shellcode

        print(shellcode(["drs"], shell=arguments.shell))
        return 0
    from airflow_provider_drs.cli.run import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
