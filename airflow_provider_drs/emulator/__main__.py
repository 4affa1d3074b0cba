"""The command ``drs-emulator``."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

_DESCRIPTION = """\
Serves a local IAM and Data Replication Service (DRS) on one port, from memory.

It is strict: it refuses what the real service would refuse, with the documented error codes, and keeps the
state of each job. Run your DAGs against it before you have a cloud account, and in your CI.
"""

_EPILOG = """\
quick start:
  drs-emulator --port 8080
  export AIRFLOW_CONN_DRS_DEFAULT=...      (the line that it prints)
  airflow dags test drs_batch_precheck

while it runs, steer it with POST requests:
  curl -X POST localhost:8080/_emulator/jobs
  curl -X POST localhost:8080/_emulator/set_verdict -d '{"job_id": "...", "outcome": "fail"}'
  curl -X POST localhost:8080/_emulator/inject -d '{"kind": "reset_after", "operation": "BatchStartJobs"}'
  curl -X POST localhost:8080/_emulator/advance -d '{"seconds": 3600}'
  curl -X POST localhost:8080/_emulator/journal

A world file is JSON: {"jobs": [{"job_id": "...", "name": "...", "status": "CONFIGURATION", "engine_type":
"mysql"}]}
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        "drs-emulator",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8080, help="port to listen on; 0 takes a free one (default: %(default)s)")
    add("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    add(
        "--clock",
        choices=("real", "manual"),
        default="real",
        help="manual: time moves by /_emulator/advance only",
    )
    add(
        "--speed",
        type=float,
        default=1.0,
        help="how many times as fast a real clock runs (default: %(default)s)",
    )
    add(
        "--precheck-seconds",
        type=float,
        default=10.0,
        help="how long a pre-check takes (default: %(default)s)",
    )
    add(
        "--token-lifetime",
        type=float,
        default=86_400.0,
        help="seconds that a token lives (default: %(default)s)",
    )
    add(
        "--world",
        type=Path,
        metavar="FILE",
        help="jobs to begin with (default: ten that are ready to pre-check)",
    )
    add("--iam-url", help="a Keystone whose tokens are good here, too")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.allow_remote and not _is_loopback(options.host):
        parser.error(
            f"--host {options.host} can be reached from elsewhere; add --allow-remote if you mean that"
        )
    try:
        seeds = _read_world(options.world)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"--world {options.world}: {error}")
    try:
        asyncio.run(_serve(options, seeds))
    except ModuleNotFoundError as error:
        print(
            f"drs-emulator needs {error.name}: pip install 'airflow-provider-drs[emulator]'", file=sys.stderr
        )
        return 1
    except OSError as error:
        print(f"drs-emulator cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace, seeds: list[dict[str, Any]] | None) -> None:
    from airflow_provider_drs.emulator.client import EmulatorClient
    from airflow_provider_drs.emulator.server import Server

    server = Server(
        clock=options.clock,
        speed=options.speed,
        precheck_s=options.precheck_seconds,
        token_lifetime_s=options.token_lifetime,
        seeds=seeds,
        iam_url=options.iam_url,
    )
    url = await server.start(options.host, options.port)
    print(f"DRS and IAM are emulated at {url}. Stop with Ctrl-C.")
    print(f"export AIRFLOW_CONN_DRS_DEFAULT={shlex.quote(EmulatorClient(url).connection_json)}", flush=True)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    await done.wait()
    await server.stop()


def _read_world(path: Path | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    jobs = json.loads(path.read_text("utf-8"))["jobs"]
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise ValueError("'jobs' must be a list of objects")
    return jobs


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
