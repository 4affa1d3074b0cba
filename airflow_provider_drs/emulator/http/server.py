"""Runs an emulator: a loop in a thread of its own, or in the foreground of the command."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from airflow_provider_drs.emulator.calls import Journal
from airflow_provider_drs.emulator.client import EmulatorClient
from airflow_provider_drs.emulator.faults import Faults
from airflow_provider_drs.emulator.http.control import PREFIX, Control
from airflow_provider_drs.emulator.http.iam import Iam
from airflow_provider_drs.emulator.http.loopback import is_loopback
from airflow_provider_drs.emulator.http.service import Service
from airflow_provider_drs.emulator.state import State, read_state, write_state
from airflow_provider_drs.emulator.world.clock import Clock
from airflow_provider_drs.emulator.world.world import World
from airflow_provider_drs.emulator.world_files import Beginning, read_world

_LARGEST_BODY = 16 * 2**20
_PRECHECK_S = 10.0


class Server:
    """
    One emulated cloud behind one port.

    :param clock: ``real``, or ``manual`` for time that stands still until it is advanced.
    :param speed: how fast a real clock runs.
    :param precheck_s: seconds that a pre-check takes unless its job is told otherwise; ten, if nobody says.
    :param pace: how jobs go from phase to phase: ``time``, as if nobody says, ``at-once``, or after a number
        of reads.
    :param token_lifetime_s: seconds that a token lives.
    :param token_bytes: how long a token is; real ones can be larger than 8 KB.
    :param world: what there is to begin with: a world file, or a mapping like one.
    :param state: a file in which everything is kept but the tokens, so that another emulator goes on where
        one has ended, or was killed. If it exists, it goes before what there is to begin with, and the clock.
    :param seeds: instead of a world, jobs to begin with, as arguments of ``seed_job``; ten ready ones if
        not given.
    :param plans: what jobs will be like that are created under a name, as arguments of ``plan_job``.
    :param faults: faults to begin with, as arguments of ``inject``.
    :param iam_url: a Keystone whose tokens are good here, too.
    :param certfile: serve TLS with this certificate.
    :param keyfile: and this key.
    :param tls: instead of these two, a folder for certificates of the emulator's own, which are made in it.
    :param control_key: what callers of the control API have to know. If not given, one is made as soon as
        other machines can reach it.
    :param tell: called with each line of the journal when its request is over.
    :raises OSError: a file cannot be read or written.
    :raises ValueError: an option, a seed or a file that makes no sense.
    """

    def __init__(
        self,
        *,
        clock: str = "real",
        speed: float = 1.0,
        precheck_s: float | None = None,
        pace: str | int | None = None,
        token_lifetime_s: float = 86_400.0,
        token_bytes: int = 2_000,
        world: str | Path | Mapping[str, Any] | None = None,
        state: str | Path | None = None,
        seeds: list[dict[str, Any]] | None = None,
        plans: Mapping[str, Mapping[str, Any]] | None = None,
        faults: Sequence[Mapping[str, Any]] = (),
        iam_url: str | None = None,
        certfile: str | None = None,
        keyfile: str | None = None,
        tls: str | Path | None = None,
        control_key: str | None = None,
        tell: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        if clock not in ("real", "manual"):
            raise ValueError(f"clock must be 'real' or 'manual', not {clock!r}")
        self._make_clock: Callable[[], Clock] = lambda: Clock(manual=clock == "manual", speed=speed)
        if world is not None and (seeds is not None or plans or faults):
            raise ValueError("a world brings its own jobs, plans and faults")
        begun = self._beginning = (
            Beginning(jobs=seeds, plans=plans or {}, faults=faults) if world is None else read_world(world)
        )
        self._make_jobs: Callable[[Clock], World] = lambda now: World(
            now,
            precheck_s=next(each for each in (precheck_s, begun.precheck_s, _PRECHECK_S) if each is not None),
            pace=next(each for each in (pace, begun.pace, "time") if each is not None),
        )
        self._make_iam: Callable[[Clock], Iam] = lambda now: Iam(
            now, lifetime_s=token_lifetime_s, token_bytes=token_bytes
        )
        self._iam_url = iam_url
        self._tell = tell
        first = self._begin()
        if certfile and tls:
            raise ValueError("a certificate is either given, or made in the folder for tls")
        if control_key == "":
            raise ValueError("the control key is empty")
        self._tls = _make_tls(certfile, keyfile) if certfile else None
        self._folder = Path(tls) if tls else None
        #: What clients have to trust.
        self.ca_file = certfile
        #: What callers of the control API have to know, if anything.
        self.control_key = control_key
        self._service: Service | None = None
        self._runner: web.AppRunner | None = None
        self._state_file = Path(state) if state else None
        if self._state_file is not None:
            # Now, while whoever has named the file still listens.
            write_state(read_state(self._state_file) or first, self._state_file)

    async def start(self, host: str, port: int) -> str:
        """Listen, and return the URL."""
        if self._folder is not None:
            from airflow_provider_drs.emulator.http.certificates import find_or_make

            made = await asyncio.to_thread(find_or_make, self._folder, host)
            self._tls, self.ca_file = _make_tls(str(made.certfile), str(made.keyfile)), str(made.ca_file)
        if self.control_key is None and not is_loopback(host):
            self.control_key = secrets.token_urlsafe(24)
        begun = (self._state_file and read_state(self._state_file)) or self._begin()
        service = self._service = Service(
            begun.clock,
            begun.world,
            self._make_iam(begun.clock),
            begun.faults,
            begun.journal,
            iam_url=self._iam_url,
            keep=self._keep if self._state_file else None,
            tell=self._tell,
        )
        control = Control(service, self._reset, key=self.control_key)
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", PREFIX + "{action:.*}", control.handle)
        app.router.add_route("*", "/{path:.*}", service.handle)
        # A token alone can be larger than the 8,190 bytes that a header field may have by default.
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.1, max_field_size=65_536
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._tls, backlog=1024)
        await site.start()
        chosen = self._runner.addresses[0][1]
        name = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{name}:{chosen}"

    async def stop(self) -> None:
        """Stop listening, and let go of every connection."""
        if self._service is not None:
            self._service.stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def _begin(self) -> State:
        clock = self._make_clock()
        world, faults = self._make_jobs(clock), Faults()
        self._beginning.fill(world, faults)
        return State(clock, world, faults, Journal())

    def _reset(self) -> None:
        service, begun = self._service, self._begin()
        if service is not None:
            service.clock, service.world, service.faults = begun.clock, begun.world, begun.faults
            service.iam = self._make_iam(begun.clock)
            service.journal.clear()

    def _keep(self) -> None:
        service = self._service
        if service is not None and self._state_file is not None:
            write_state(
                State(service.clock, service.world, service.faults, service.journal), self._state_file
            )


class Emulator(EmulatorClient):
    """
    An emulator in this process, steered like any other.

    Ready when :meth:`start` returns; use it in a ``with`` statement. Two of them in one process never meet.

    :param port: the port; 0 takes a free one.
    :param options: those of :class:`Server`.
    """

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        self._port = port
        self._server = Server(**options)
        super().__init__("", ca_file=self._server.ca_file, control_key=self._server.control_key)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_wanted: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> Emulator:
        """Start it."""
        return self.start()

    def __exit__(self, *details: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> Emulator:
        """
        Start it, and return when it answers.

        :raises OSError: it could not listen.
        """
        if self._thread is not None:
            return self
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="drs-emulator", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.stop()
            raise failure
        return self

    def stop(self) -> None:
        """Stop it, and return when its port is free."""
        self.close()
        if self._thread is None:
            return
        if self._thread.is_alive() and self._loop is not None and self._stop_wanted is not None:
            # The loop of a thread that failed to listen may be closed by now.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop_wanted.set)
        self._thread.join()
        self._thread = None

    async def _serve(self) -> None:
        self._loop, self._stop_wanted = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.url = await self._server.start("127.0.0.1", self._port)
            self._ca_file = self._server.ca_file
        except (OSError, ValueError) as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        await self._stop_wanted.wait()
        await self._server.stop()


def _make_tls(certfile: str, keyfile: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certfile, keyfile)
    return context
