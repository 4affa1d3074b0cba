"""Hooks for the Data Replication Service: one for workers, one for the triggerer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Coroutine, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.connection.settings import Overrides, Settings, read_extra, read_settings
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError
from airflow_provider_drs.protocol.jobs.messages import read_start_time_ms

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_drs.protocol.core.wire import Conversation
    from airflow_provider_drs.protocol.jobs.outcome import JobOutcome
    from airflow_provider_drs.protocol.watches import Watch
    from airflow_provider_drs.transport.aio import AsyncClient
    from airflow_provider_drs.transport.sync import SyncClient

__all__ = ["DrsAsyncHook", "DrsHook"]

T = TypeVar("T")
P = ParamSpec("P")

_NOT_SENT = " The form does not send the stored password and proxy. Enter them again to test the connection."


class _DrsHookBase(BaseHook):
    """
    Base class of both hooks: the connection form, the connection, and limits learned from earlier calls.
    """

    conn_name_attr = "drs_conn_id"
    default_conn_name = "drs_default"
    conn_type = "drs"
    hook_name = "Data Replication Service (DRS)"

    def __init__(
        self,
        drs_conn_id: str = default_conn_name,
        *,
        project_id: str | None = None,
        region: str | None = None,
        language: str | None = None,
    ) -> None:
        super().__init__()
        self.drs_conn_id = drs_conn_id
        self._overrides = Overrides(project_id=project_id, region=region, language=language)
        self._limits: Limits | None = None
        self._console: tuple[str, str] | None = None

    def _read_settings(self, connection: Any) -> Settings:
        settings = self._parse(connection)
        for text in settings.unknown_fields:
            self.log.warning("connection %r: %s", self.drs_conn_id, text)
        known, self._limits = self._limits, settings.make_limits()
        if known is not None:
            # A hook that is used again after it was closed keeps what it knows about jobs.
            self._limits.names, self._limits.databases = known.names, known.databases
        self._console = (settings.console_url, settings.region)
        return settings

    def _parse(self, connection: Any) -> Settings:
        try:
            return read_settings(
                self.drs_conn_id,
                host=connection.host,
                port=connection.port,
                login=connection.login,
                password=connection.password,
                extra=read_extra(self.drs_conn_id, connection.extra),
                overrides=self._overrides,
                schema=connection.schema,
            )
        except DrsConfigError as error:
            conn_type = getattr(connection, "conn_type", None)
            if conn_type in (None, "", DrsHook.conn_type):
                raise
            raise DrsConfigError(
                f"{error} The type of the connection is {conn_type!r}, not {DrsHook.conn_type!r}."
            ) from None

    def _warn_of_reread(self, error: Exception) -> None:
        # The caller reports the rejected credentials, which matter more.
        self.log.warning(
            "Cannot read connection %r again after DRS or IAM rejected its credentials (%s)",
            self.drs_conn_id,
            type(error).__name__,
        )

    @property
    def job_names(self) -> dict[str, str]:
        """The names by job ID of the jobs whose details were read so far."""
        return {} if self._limits is None else self._limits.names

    @property
    def job_databases(self) -> dict[str, dict[str, str]]:
        """The ``engine``, ``source`` and ``destination`` by job ID of the same jobs."""
        return {} if self._limits is None else self._limits.databases

    def _known_limits(self) -> Limits:
        if self._limits is None:
            raise RuntimeError("the connection has not been read yet")
        return self._limits


def parse_start_time(start_time: object, *, allow_past: bool = False) -> int | None:
    """
    Return the start time in epoch milliseconds; ``None`` for now.

    :param start_time: a datetime with a time zone, an ISO 8601 string with one, or epoch milliseconds.
    :param allow_past: accept a time that has passed, such as that of jobs that were started before.
    :raises DrsConfigError: the time has passed, has no time zone, or is invalid.
    """
    import pendulum

    if isinstance(start_time, str) and start_time.strip() and not start_time.strip().isdecimal():
        # A string that is not a date and time is reported below.
        with contextlib.suppress(ValueError):
            # Without tz=None pendulum would read a string without a time zone as UTC, and jobs would start at
            # the wrong hour.
            start_time = pendulum.parse(start_time.strip(), tz=None, exact=True)
    try:
        return read_start_time_ms(start_time, now_s=0.0 if allow_past else time.time())
    except ValueError as error:
        raise DrsConfigError(str(error)) from None


def blocking(
    operation: Callable[Concatenate[Limits, P], Conversation[T]],
) -> Callable[Concatenate[DrsHook, P], T]:
    """Return the method of :class:`DrsHook` that runs a conversation, with its docstring."""

    @functools.wraps(operation)
    def method(self: DrsHook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(operation, *args, **kwargs)

    return method


def awaiting(
    operation: Callable[Concatenate[Limits, P], Conversation[T]],
) -> Callable[Concatenate[DrsAsyncHook, P], Coroutine[Any, Any, T]]:
    """Return the coroutine method of :class:`DrsAsyncHook` that runs a conversation, with its docstring."""

    @functools.wraps(operation)
    async def method(self: DrsAsyncHook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(operation, *args, **kwargs)

    return method


class DrsHook(_DrsHookBase):
    """
    Call DRS from a worker.

    Every method accepts any number of jobs, splits them into batches, and returns one value per job, in the
    order given; a duplicate ID is processed once. A job that failed has a :class:`DrsError` as its value, so
    that the results of other jobs are not lost. The connection is read once, at the first call.

    Use it in a ``with`` statement, or call :meth:`close`, to close its HTTP connections.

    :param drs_conn_id: the Airflow connection of type ``drs``.
    :param project_id: overrides ``extra.project_id`` of the connection.
    :param region: overrides ``extra.region`` of the connection.
    :param language: the language of the service's messages, ``en-us`` or ``zh-cn``; overrides
        ``extra.language``.

    Every method raises, in addition to what it documents:

    :raises DrsConfigError: the connection or the job IDs are invalid; nothing was sent.
    :raises DrsAuthError: IAM or DRS rejected the credentials.
    :raises DrsPermissionError: the user lacks a permission.
    :raises DrsUnavailableError: no valid response within ``retry_timeout`` seconds.
    :raises DrsThrottledError: too many requests, for longer than ``retry_timeout`` seconds.
    :raises DrsResponseError: the response is not as documented by the service.
    """

    _client: SyncClient | None = None
    _settings: Settings | None = None

    # Airflow before 3.2 calls these two on the hook class itself, not on its base classes.

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of the connection form in addition to host, login and password."""
        from airflow_provider_drs.hooks.form import make_widgets

        return make_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which of Airflow's own fields the form shows, and their labels."""
        from airflow_provider_drs.hooks.form import describe_fields

        return describe_fields()

    def __enter__(self) -> DrsHook:
        """Return the hook."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the hook."""
        self.close()

    def get_conn(self) -> SyncClient:
        """Return the HTTP client, which is created from the connection once."""
        if self._client is None:
            from airflow_provider_drs import metrics
            from airflow_provider_drs.transport.sync import SyncClient

            self._client = SyncClient(
                self.get_settings(), observer=metrics.count_call, reread=self.reread_settings
            )
        return self._client

    def get_settings(self) -> Settings:
        """Return the validated connection. It is read once until the hook is closed."""
        if self._settings is None:
            self._settings = self._read_settings(self.get_connection(self.drs_conn_id))
        return self._settings

    def reread_settings(self) -> Settings | None:
        """Read the connection again, because its credentials were rejected; ``None`` if that fails."""
        try:
            self._settings = self._parse(self.get_connection(self.drs_conn_id))
        except Exception as error:
            self._warn_of_reread(error)
            return None
        return self._settings

    def find_console_page(self) -> str:
        """Return the URL of the console page with the jobs whose details were read, or with all jobs."""
        from airflow_provider_drs.protocol.connection.console import find_page

        if self._console is None:
            self.get_settings()
        console_url, region = self._console or ("", "")
        return find_page(console_url, region, self.known_uses)

    @property
    def known_uses(self) -> frozenset[str]:
        """The kinds (``db_use_type``) of the jobs whose details were read so far."""
        return frozenset() if self._limits is None else frozenset(self._limits.uses)

    def close(self) -> None:
        """Close the HTTP connections. The hook can be used again afterwards."""
        self._settings = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def test_connection(self) -> tuple[bool, str]:
        """
        Check everything that a call needs. The message names the first thing to fix, and how.

        See :func:`~airflow_provider_drs.transport.diagnosis.diagnose`.
        """
        from airflow_provider_drs.transport.diagnosis import State, diagnose

        connection = self.get_connection(self.drs_conn_id)
        try:
            findings = diagnose(self._read_settings(connection))
        except DrsConfigError as error:
            # The form of Airflow 2 sends each field under two names.
            is_form = "extra__drs__" in str(connection.extra)
            hint = _NOT_SENT if is_form and not connection.password else ""
            return False, self._remove_conn_id(str(error)) + hint
        if findings[-1].state is State.FAIL:
            return False, self._remove_conn_id(str(findings[-1]))
        warnings = [f" {finding}" for finding in findings if finding.state is State.WARN]
        return True, f"The connection works: {findings[-1].message}{''.join(warnings)}"

    def _remove_conn_id(self, text: str) -> str:
        """Remove the connection ID, which Airflow makes up when it tests a form."""
        own = f"connection {self.drs_conn_id!r}"
        return text.removeprefix(f"{own}: ").replace(f" of {own}", "")

    get_job_statuses = blocking(conversations.get_job_statuses)
    get_job_details = blocking(conversations.get_job_details)
    get_job_progresses = blocking(conversations.get_job_progresses)
    get_precheck_results = blocking(conversations.get_precheck_results)
    list_jobs = blocking(conversations.list_jobs)
    get_forward_jobs = blocking(conversations.get_forward_jobs)
    review_jobs = blocking(conversations.review_jobs)
    begin_prechecks = blocking(conversations.begin_prechecks)
    admit_starts = blocking(conversations.admit_starts)
    create_jobs = blocking(conversations.create_jobs)
    validate_connections = blocking(conversations.validate_connections)
    validate_cluster_connections = blocking(conversations.validate_cluster_connections)
    modify_jobs = blocking(conversations.modify_jobs)
    select_objects = blocking(conversations.select_objects)
    set_sync_policies = blocking(conversations.set_sync_policies)
    transform_data = blocking(conversations.transform_data)
    set_definers = blocking(conversations.set_definers)
    set_flow_control = blocking(conversations.set_flow_control)
    compare_parameters = blocking(conversations.compare_parameters)
    modify_parameters = blocking(conversations.modify_parameters)
    precheck_jobs = blocking(conversations.precheck_jobs)
    pause_jobs = blocking(conversations.pause_jobs)
    retry_jobs = blocking(conversations.retry_jobs)
    stop_jobs = blocking(conversations.stop_jobs)
    delete_jobs = blocking(conversations.delete_jobs)
    change_passwords = blocking(conversations.change_passwords)
    create_comparisons = blocking(conversations.create_comparisons)
    get_comparisons = blocking(conversations.get_comparisons)
    switch_over = blocking(conversations.switch_over)
    get_switch_overs = blocking(conversations.get_switch_overs)

    def start_jobs(
        self, job_ids: Iterable[str], start_time: object = None, *, check_preconditions: bool = True
    ) -> dict[str, JobOutcome | DrsError]:
        """
        Start jobs, now or later. Idempotent: a job that was started before is adopted, and no job is started
        twice.

        If a later batch fails, the results of earlier batches are kept, and the error is the value of the
        jobs concerned.

        :param job_ids: any number of job IDs, at least one.
        :param start_time: a datetime or an ISO 8601 string, each with a time zone, or epoch milliseconds.
            ``None`` starts the jobs immediately.
        :param check_preconditions: read the jobs first, and reject what DRS would reject.
        :raises DrsConfigError: start_time has passed, has no time zone, or is invalid; nothing was sent.

        Source: :drs:`public_api_management/starting_tasks_in_batches`
        """
        start_time_ms = parse_start_time(start_time)
        return self._run(
            conversations.start_jobs, job_ids, start_time_ms, check_preconditions=check_preconditions
        )

    def poll(self, watch: Watch) -> list[str]:
        """
        Poll the jobs of a watch once, and return a log line for each job that has changed.

        :param watch: is updated with the results.
        """
        return self._run(watch.poll)

    def _run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        client = self.get_conn()
        return client.run(operation(self._known_limits(), *args, **kwargs))


class DrsAsyncHook(_DrsHookBase):
    """
    Call DRS from the triggerer: the methods of :class:`DrsHook`, as coroutines.

    The connection is awaited, because reading it synchronously can fail in a running event loop. Use it in
    ``async with``.

    :param drs_conn_id: the Airflow connection of type ``drs``.
    :param project_id: overrides ``extra.project_id`` of the connection.
    :param region: overrides ``extra.region`` of the connection.
    :param language: the language of the service's messages, ``en-us`` or ``zh-cn``; overrides
        ``extra.language``.
    """

    _client: AsyncClient | None = None

    async def __aenter__(self) -> DrsAsyncHook:
        """Return the hook."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the hook."""
        await self.close()

    async def get_conn(self) -> AsyncClient:
        """Return the HTTP client, which is created from the connection once."""
        if self._client is None:
            from airflow_provider_drs import metrics

            # Importing the HTTP library takes tenths of a second: in a thread it does not block other
            # coroutines.
            aio = await asyncio.to_thread(import_module, "airflow_provider_drs.transport.aio")
            settings = await self.get_settings()
            # A concurrent call may have created it in the meantime.
            if self._client is None:
                self._client = aio.AsyncClient(
                    settings, observer=metrics.count_call, reread=self.reread_settings
                )
        return self._client

    async def get_settings(self) -> Settings:
        """Read the connection, and return it validated."""
        return self._read_settings(await self._read_connection())

    async def reread_settings(self) -> Settings | None:
        """Read the connection again, because its credentials were rejected; ``None`` if that fails."""
        try:
            return self._parse(await self._read_connection())
        except Exception as error:
            self._warn_of_reread(error)
            return None

    async def _read_connection(self) -> Any:
        from airflow.providers.common.compat.sdk import Connection
        from asgiref.sync import sync_to_async

        # Before Airflow 3.3.2, aget_connection masks secrets with a blocking call, which fails while another
        # call of the triggerer is in progress. The attribute came with the fix.
        if hasattr(Connection, "aextra_dejson"):
            return await self.aget_connection(self.drs_conn_id)
        return await sync_to_async(self.get_connection)(self.drs_conn_id)

    async def close(self) -> None:
        """Close the HTTP connections. The hook can be used again afterwards."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    get_job_statuses = awaiting(conversations.get_job_statuses)
    get_job_details = awaiting(conversations.get_job_details)
    get_job_progresses = awaiting(conversations.get_job_progresses)
    get_precheck_results = awaiting(conversations.get_precheck_results)
    list_jobs = awaiting(conversations.list_jobs)
    get_forward_jobs = awaiting(conversations.get_forward_jobs)
    review_jobs = awaiting(conversations.review_jobs)
    begin_prechecks = awaiting(conversations.begin_prechecks)
    admit_starts = awaiting(conversations.admit_starts)
    create_jobs = awaiting(conversations.create_jobs)
    validate_connections = awaiting(conversations.validate_connections)
    validate_cluster_connections = awaiting(conversations.validate_cluster_connections)
    modify_jobs = awaiting(conversations.modify_jobs)
    select_objects = awaiting(conversations.select_objects)
    set_sync_policies = awaiting(conversations.set_sync_policies)
    transform_data = awaiting(conversations.transform_data)
    set_definers = awaiting(conversations.set_definers)
    set_flow_control = awaiting(conversations.set_flow_control)
    compare_parameters = awaiting(conversations.compare_parameters)
    modify_parameters = awaiting(conversations.modify_parameters)
    precheck_jobs = awaiting(conversations.precheck_jobs)
    pause_jobs = awaiting(conversations.pause_jobs)
    retry_jobs = awaiting(conversations.retry_jobs)
    stop_jobs = awaiting(conversations.stop_jobs)
    delete_jobs = awaiting(conversations.delete_jobs)
    change_passwords = awaiting(conversations.change_passwords)
    create_comparisons = awaiting(conversations.create_comparisons)
    get_comparisons = awaiting(conversations.get_comparisons)
    switch_over = awaiting(conversations.switch_over)
    get_switch_overs = awaiting(conversations.get_switch_overs)

    async def start_jobs(
        self, job_ids: Iterable[str], start_time: object = None, *, check_preconditions: bool = True
    ) -> dict[str, JobOutcome | DrsError]:
        """Start jobs, now or later; no job is started twice. See :meth:`DrsHook.start_jobs`."""
        start_time_ms = parse_start_time(start_time)
        return await self._run(
            conversations.start_jobs, job_ids, start_time_ms, check_preconditions=check_preconditions
        )

    async def poll(self, watch: Watch) -> list[str]:
        """Poll the jobs of a watch once. See :meth:`DrsHook.poll`."""
        return await self._run(watch.poll)

    async def _run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        client = await self.get_conn()
        return await client.run(operation(self._known_limits(), *args, **kwargs))
