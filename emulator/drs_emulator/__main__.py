"""The command ``drs-emulator``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import re
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drs_emulator.http.loopback import is_loopback
from drs_emulator.world.clock import LONGEST_SPAN_S

if TYPE_CHECKING:
    from drs_emulator.http.server import Server

_DESCRIPTION = """\
Run a local IAM and Data Replication Service (DRS) on one port. State is in memory unless --state is set.

The emulator rejects what the real service would reject, with the documented error codes, and tracks the
state of each job. Run your DAGs against it without a cloud account, and in CI.
"""

_EPILOG = """\
quick start:
  drs-emulator                             (starts with ten jobs, ready to pre-check)
  export AIRFLOW_CONN_DRS_DEFAULT=...      (copy the line that it prints)
  airflow dags test drs_batch_precheck

control it while it runs:
  url=http://127.0.0.1:8080/_emulator
  curl $url/jobs                           list the jobs and their statuses
  curl $url/journal                        list the received requests
  curl $url/set_verdict -d '{"job_id": "...", "outcome": "fail", "items": ["srcBinlogFormatCheck"]}'
  curl $url/inject -d '{"kind": "reset_after", "operation": "BatchStartJobs"}'
  curl $url/advance -d '{"seconds": 3600}'
  curl $url/reset -d '{}'                  restore the initial state
From Python: drs_emulator.EmulatorClient has a method for each. In pytest, use the fixture drs_emulator.

a world file for --world:
  {"jobs": [{"name": "orders", "engine_type": "mysql"},
            {"name": "ledger", "verdict": {"outcome": "fail", "items": ["srcDbVersion"], "duration_s": 3}}]}
  A job accepts job_id, status, verdict and the details of EmulatorClient.seed_job; all are optional.
  "plans" has the same for jobs that a DAG will create, by name ("orders-*" matches a prefix). "faults" is a
  list of arguments of EmulatorClient.inject. "pace" and "precheck_s" set the defaults of the options above.
  Without "jobs", the emulator starts with ten ready jobs.
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(
        "drs-emulator",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listen = parser.add_argument_group("network").add_argument
    listen("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    listen(
        "--port",
        type=_read_number(int, 0, 65_535),
        default=8080,
        help="port; 0 selects a free one (default: %(default)s)",
    )
    listen("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    listen("--certfile", type=_read_file, metavar="FILE", help="serve TLS with this certificate (PEM)")
    listen("--keyfile", type=_read_file, metavar="FILE", help="private key, if it is not in --certfile")
    listen(
        "--tls",
        type=Path,
        metavar="DIR",
        help="serve TLS with certificates generated in this directory; prints the CA bundle for clients",
    )
    listen(
        "--control-key-file",
        dest="control_key",
        type=_read_key,
        metavar="FILE",
        help="require the key in this file for the control API; with --allow-remote, a key is generated and "
        "printed if this is not set",
    )

    world = parser.add_argument_group("content").add_argument
    world(
        "--world",
        type=_read_file,
        metavar="FILE",
        help="initial jobs, plans and faults, see below (default: ten ready jobs)",
    )
    world(
        "--state",
        type=Path,
        metavar="FILE",
        help="store the state in this file and continue from it after a restart or a crash",
    )
    world("--iam-url", type=_read_url, metavar="URL", help="also accept the tokens of this Keystone")

    pace = parser.add_argument_group("time").add_argument
    pace(
        "--clock",
        choices=("real", "manual"),
        default="real",
        help="manual: time advances only through /advance",
    )
    pace(
        "--speed",
        type=_read_number(float, 0, LONGEST_SPAN_S),
        default=1.0,
        metavar="N",
        help="run the real clock N times as fast",
    )
    pace(
        "--precheck-seconds",
        type=_read_number(float, 0, LONGEST_SPAN_S),
        metavar="S",
        help="duration of a pre-check (default: from the world file, or 10)",
    )
    pace(
        "--pace",
        type=_read_pace,
        metavar="PACE",
        help="time: phases take time; at-once: phases end immediately; N: each ends after N reads of the job "
        "(default: from the world file, or time)",
    )
    pace(
        "--token-lifetime",
        type=_read_number(float, 1, LONGEST_SPAN_S),
        default=86_400.0,
        metavar="S",
        help="lifetime of a token in seconds (default: 24 h, as in production)",
    )
    pace(
        "--token-bytes",
        type=_read_number(int, 100, 60_000),
        default=2_000,
        metavar="N",
        help="size of a token; real ones can exceed 8 KB (default: %(default)s)",
    )
    parser.add_argument(
        "--log-requests", action="store_true", help="print a line per request, without secrets"
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.allow_remote and not is_loopback(options.host):
        parser.error(
            f"--host {options.host} is reachable from other machines. Add --allow-remote to allow this."
        )
    if options.keyfile and not options.certfile:
        parser.error("--keyfile requires --certfile")
    if options.certfile and options.tls:
        parser.error("--certfile and --tls cannot be combined")
    try:
        server = _make_server(options)
    except OSError as error:
        # The other files have been read.
        parser.error(f"--state: cannot write {error.filename}: {error.strerror}")
    except (ValueError, KeyError, TypeError) as error:
        # The server's arguments are named like the options.
        parser.error(re.sub(r"\A(certfile|pace|state)\b", r"--\1", str(error)))
    try:
        asyncio.run(_serve(server, options))
    except ValueError as error:
        parser.error(f"--state: {error}")
    except OSError as error:
        if options.tls and error.filename:
            parser.error(f"--tls: cannot write to {error.filename}: {error.strerror}")
        print(f"drs-emulator cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _make_server(options: argparse.Namespace) -> Server:
    from drs_emulator.http.server import Server

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
        control_key=options.control_key,
        on_request=_print_request if options.log_requests else None,
    )


async def _serve(server: Server, options: argparse.Namespace) -> None:
    from drs_emulator.client import KEY_HEADER, EmulatorClient

    url = await server.start(options.host, options.port)
    # Tasks run in other working directories.
    ca_file = str(Path(server.ca_file).resolve()) if server.ca_file else None
    connection = EmulatorClient(url, ca_file=ca_file).connection_json
    print(f"Emulating DRS and IAM at {url}. Press Ctrl-C to stop.")
    if options.tls:
        print(f"Clients must trust {ca_file}; the connection below includes it.")
    if server.control_key and not options.control_key:
        print(f"Clients of the control API must send this header: {KEY_HEADER}: {server.control_key}")
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
    # A path can contain control characters; escape them for the terminal.
    path = ascii(entry["path"])[1:-1]
    line = (
        f"{at} {entry['method']} {path} {entry['operation'] or '?'}: {entry['status'] or 'cut'}{jobs}{faults}"
    )
    print(line, flush=True)


def _read_number(kind: type[float], lowest: float, highest: float) -> Callable[[str], float]:
    """Return the argparse type of a number within limits."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if lowest <= (number := kind(text)) <= highest:
                return number
        raise argparse.ArgumentTypeError(f"expected a number from {lowest:g} to {highest:g}, not {text!r}")

    return read


def _read_file(text: str) -> Path:
    try:
        with Path(text).open("rb"):
            return Path(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise argparse.ArgumentTypeError(f"cannot read {text!r}: {reason}") from None


def _read_url(text: str) -> str:
    if re.match(r"https?://[^/]", text):
        return text
    raise argparse.ArgumentTypeError(f"expected a URL, such as http://127.0.0.1:5000, not {text!r}")


def _read_pace(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _read_key(text: str) -> str:
    """Return the key in a file: other users of the machine can read command-line arguments."""
    if key := _read_file(text).read_text(errors="replace").strip():
        return key
    raise argparse.ArgumentTypeError(f"{text!r} is empty")


if __name__ == "__main__":
    sys.exit(main())
