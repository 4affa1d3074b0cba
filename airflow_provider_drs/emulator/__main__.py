"""The command ``drs-emulator``."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_drs.emulator.http.loopback import is_loopback

if TYPE_CHECKING:
    from airflow_provider_drs.emulator.http.server import Server

_DESCRIPTION = """\
Serves a local IAM and Data Replication Service (DRS) on one port, from memory unless told otherwise.

It is strict: it refuses what the real service would refuse, with the documented error codes, and keeps the
state of each job. Run your DAGs against it before you have a cloud account, and in your CI.
"""

_EPILOG = """\
quick start:
  drs-emulator                             (ten jobs, ready to pre-check, are in it)
  export AIRFLOW_CONN_DRS_DEFAULT=...      (the line that it prints)
  airflow dags test drs_batch_precheck

steer it while it runs:
  url=http://127.0.0.1:8080/_emulator
  curl $url/jobs                           which jobs there are, and where they stand
  curl $url/journal                        which requests have reached it
  curl $url/set_verdict -d '{"job_id": "...", "outcome": "fail", "items": ["srcBinlogFormatCheck"]}'
  curl $url/inject -d '{"kind": "reset_after", "operation": "BatchStartJobs"}'
  curl $url/advance -d '{"seconds": 3600}'
  curl $url/reset -d '{}'                  as if it had just been started
From Python: airflow_provider_drs.emulator.EmulatorClient has a method for each; in pytest, the fixture
drs_emulator of airflow_provider_drs.emulator.pytest_plugin brings an emulator along.

a world file for --world:
  {"jobs": [{"name": "orders", "engine_type": "mysql"},
            {"name": "ledger", "verdict": {"outcome": "fail", "items": ["srcDbVersion"], "duration_s": 3}}]}
  A job takes job_id, status, verdict, and what EmulatorClient.seed_job describes; nothing is mandatory.
  "plans" has the same for jobs that a DAG will create, by name ("orders-*" for all that begin so), and
  "faults" a list of what EmulatorClient.inject takes; "pace" and "precheck_s" are those of the options below.
  Without "jobs" the ten ready ones are there.
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        "drs-emulator",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listen = parser.add_argument_group("where it listens").add_argument
    listen("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    listen("--port", type=int, default=8080, help="port; 0 takes a free one (default: %(default)s)")
    listen("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    listen("--certfile", metavar="FILE", help="serve TLS with this certificate (PEM)")
    listen("--keyfile", metavar="FILE", help="and this key, if it is not in the same file")
    listen(
        "--tls",
        type=Path,
        metavar="DIR",
        help="serve TLS with certificates of its own, made in this folder; prints what clients have to trust",
    )
    listen(
        "--control-key-file",
        type=Path,
        metavar="FILE",
        help="demand the key in this file from who steers it; with --allow-remote one is made and printed, "
        "if not given",
    )

    world = parser.add_argument_group("what is in it").add_argument
    world(
        "--world",
        type=Path,
        metavar="FILE",
        help="what there is to begin with, see below (default: ten ready jobs)",
    )
    world(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep everything in this file, and go on from there: so it outlives a restart, or a kill",
    )
    world("--iam-url", metavar="URL", help="a Keystone whose tokens are good here, too")

    pace = parser.add_argument_group("how time goes by").add_argument
    pace("--clock", choices=("real", "manual"), default="real", help="manual: time moves by /advance only")
    pace("--speed", type=float, default=1.0, metavar="N", help="let a real clock run N times as fast")
    pace(
        "--precheck-seconds",
        type=float,
        metavar="S",
        help="how long a pre-check takes (default: what the world says, or 10)",
    )
    pace(
        "--pace",
        type=_read_pace,
        metavar="PACE",
        help="time: phases take their time; at-once: they take none; N: each ends after N reads of the job "
        "(default: what the world says, or time)",
    )
    pace(
        "--token-lifetime",
        type=float,
        default=86_400.0,
        metavar="S",
        help="seconds that a token lives (default: a day, as real ones)",
    )
    pace(
        "--token-bytes",
        type=int,
        default=2_000,
        metavar="N",
        help="how long a token is; real ones can be larger than 8 KB (default: %(default)s)",
    )
    parser.add_argument(
        "--log-requests", action="store_true", help="print a line for each request; it holds no secrets"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.allow_remote and not is_loopback(options.host):
        parser.error(
            f"--host {options.host} can be reached from elsewhere; add --allow-remote if you mean that"
        )
    try:
        server = _make_server(options)
    except ModuleNotFoundError as error:
        print(
            f"drs-emulator needs {error.name}: pip install 'airflow-provider-drs[emulator]'", file=sys.stderr
        )
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(str(error))
    try:
        asyncio.run(_serve(server, options))
    except OSError as error:
        print(f"drs-emulator cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_server(options: argparse.Namespace) -> Server:
    from airflow_provider_drs.emulator.http.server import Server

    return Server(
        clock=options.clock,
        speed=options.speed,
        precheck_s=options.precheck_seconds,
        pace=options.pace,
        token_lifetime_s=options.token_lifetime,
        token_bytes=options.token_bytes,
        world=options.world,
        state=options.state,
        iam_url=options.iam_url,
        certfile=options.certfile,
        keyfile=options.keyfile,
        tls=options.tls,
        control_key=_read_key(options.control_key_file),
        tell=_print_request if options.log_requests else None,
    )


async def _serve(server: Server, options: argparse.Namespace) -> None:
    from airflow_provider_drs.emulator.client import KEY_HEADER, EmulatorClient

    url = await server.start(options.host, options.port)
    # Tasks run in other folders than this.
    ca_file = str(Path(server.ca_file).resolve()) if server.ca_file else None
    connection = EmulatorClient(url, ca_file=ca_file).connection_json
    print(f"DRS and IAM are emulated at {url}. Stop with Ctrl-C.")
    if options.tls:
        print(f"Its clients have to trust {ca_file}, as the connection below says.")
    if server.control_key and not options.control_key_file:
        print(f"Who steers it has to send this header: {KEY_HEADER}: {server.control_key}")
    print(f"export AIRFLOW_CONN_DRS_DEFAULT={shlex.quote(connection)}", flush=True)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    await done.wait()
    await server.stop()


def _print_request(entry: Mapping[str, Any]) -> None:
    at = datetime.datetime.fromtimestamp(entry["at"], datetime.UTC).strftime("%H:%M:%S")
    jobs = f", {entry['count']} jobs" if entry["job_ids"] else ""
    faults = f", fault {' '.join(entry['faults'])}" if entry["faults"] else ""
    # A path can hold anything; what a terminal would act on is shown as an escape.
    path = ascii(entry["path"])[1:-1]
    line = (
        f"{at} {entry['method']} {path} {entry['operation'] or '?'}: {entry['status'] or 'cut'}{jobs}{faults}"
    )
    print(line, flush=True)


def _read_pace(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _read_key(file: Path | None) -> str | None:
    # Not an option of its own: everybody on a machine can read what others type.
    return file.read_text().strip() if file else None


if __name__ == "__main__":
    sys.exit(main())
