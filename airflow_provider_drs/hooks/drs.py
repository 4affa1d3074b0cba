"""Hooks for the Data Replication Service: one for workers, and its twin for the triggerer."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_drs.protocol import operations
from airflow_provider_drs.protocol.errors import DrsConfigError, DrsError, DrsJobNotFoundError
from airflow_provider_drs.protocol.jobs import (
    JobDetails,
    JobProgress,
    JobStart,
    JobStatus,
    JobStop,
    read_start_time_ms,
)
from airflow_provider_drs.protocol.operations import Limits, Readiness
from airflow_provider_drs.protocol.prechecks import PrecheckResult, Submission
from airflow_provider_drs.protocol.settings import Overrides, Settings, read_settings

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_drs.protocol.watch import Watch
    from airflow_provider_drs.protocol.wire import Conversation
    from airflow_provider_drs.transport.aio import AsyncClient
    from airflow_provider_drs.transport.sync import SyncClient

T = TypeVar("T")
P = ParamSpec("P")

_TOKEN_OPERATION = "KeystoneCreateUserTokenByPassword"
# A job that nobody has: the answer to a question about it shows that the service answers us.
_CANARY_JOB_ID = "00000000-0000-0000-0000-000000000000"


class _DrsHookBase(BaseHook):
    """What both hooks share: the connection's form, reading it, and what was learned from earlier calls."""

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
        #: precheck_id by job id, as far as submissions and results have told.
        self._precheck_ids: dict[str, str] = {}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of the connection form beside host, login and password."""
        from airflow_provider_drs.hooks.form import make_widgets

        return make_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which of Airflow's own fields the form shows, and under which names."""
        from airflow_provider_drs.hooks.form import FIELD_BEHAVIOUR

        return FIELD_BEHAVIOUR

    def _read_settings(self, connection: Any) -> Settings:
        try:
            extra = json.loads(connection.extra) if connection.extra else {}
        except ValueError:
            extra = None
        if not isinstance(extra, dict):
            raise DrsConfigError(f"connection {self.drs_conn_id!r}: extra is not a JSON object.")
        settings = read_settings(
            self.drs_conn_id,
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=extra,
            overrides=self._overrides,
            schema=connection.schema,
        )
        self._limits = Limits(settings.batch_size, settings.poll_batch_size, settings.retry_timeout_s)
        return settings

    def _known_limits(self) -> Limits:
        if self._limits is None:
            raise RuntimeError("the connection has not been read yet")
        return self._limits

    def _learn(self, answers: Mapping[str, Submission | PrecheckResult | DrsError]) -> None:
        for job_id, answer in answers.items():
            if not isinstance(answer, DrsError):
                self._precheck_ids[job_id] = answer.precheck_id


def parse_start_time(start_time: object) -> int | None:
    """
    Return the instant at which jobs shall start, in epoch milliseconds; ``None`` for now.

    :param start_time: a datetime with a time zone, an ISO 8601 text with one, or epoch milliseconds.
    :raises DrsConfigError: it is in the past, has no time zone, or no meaning.
    """
    import pendulum

    if isinstance(start_time, str) and start_time.strip() and not start_time.strip().isdigit():
        # A text that is no date and time is then itself what is not understood.
        with contextlib.suppress(ValueError):
            # Without tz=None pendulum would take a text without a time zone for UTC, and start at the wrong
            # hour.
            start_time = pendulum.parse(start_time.strip(), tz=None, exact=True)
    try:
        return read_start_time_ms(start_time, now_s=time.time())
    except ValueError as error:
        raise DrsConfigError(str(error)) from None


def _describe_test(conn_id: str, answer: JobStatus | DrsError) -> tuple[bool, str]:
    # The job does not exist, and only a working DRS that accepts us can say so.
    if not isinstance(answer, DrsError) or isinstance(answer, DrsJobNotFoundError):
        return True, f"Connection {conn_id!r} works: IAM accepts the credentials, and DRS answers."
    if isinstance(answer, DrsConfigError) and answer.operation is None:
        return False, str(answer)
    is_iam = answer.operation == _TOKEN_OPERATION
    step = (
        "Getting a token from IAM failed"
        if is_iam
        else "The credentials are there, and the call of DRS failed"
    )
    return False, f"{step}: {answer}"


class DrsHook(_DrsHookBase):
    """
    Talk to DRS from a worker.

    Every method takes any number of jobs, splits them into calls that the service takes, and returns one
    value for each job, in the order given; a repeated id counts once. A job that failed has a
    :class:`DrsError` as its value, so that one job does not hide the others. The connection is read once, at
    the first call.

    Use it in a ``with`` statement, or call :meth:`close`, to close the HTTP connections that it keeps open.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :param project_id: goes before the connection's ``extra.project_id``.
    :param region: goes before the connection's ``extra.region``.
    :param language: of the service's messages, ``en-us`` or ``zh-cn``; goes before ``extra.language``.

    Every method raises, beside what it names itself:

    :raises DrsConfigError: the connection cannot work, or there are no valid job ids; nothing was sent.
    :raises DrsAuthError: IAM or DRS refuses the credentials.
    :raises DrsPermissionError: the user may not do this.
    :raises DrsUnavailableError: no usable answer within ``retry_timeout`` seconds.
    :raises DrsThrottledError: too many requests, for longer than ``retry_timeout`` seconds.
    :raises DrsResponseError: the answers are not what the service documents.
    """

    _client: SyncClient | None = None

    def __enter__(self) -> DrsHook:
        """Return the hook."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the hook."""
        self.close()

    def get_conn(self) -> SyncClient:
        """Return the client that holds the conversations; it is made from the connection once."""
        if self._client is None:
            from airflow_provider_drs.transport.sync import SyncClient

            self._client = SyncClient(self._read_settings(self.get_connection(self.drs_conn_id)))
        return self._client

    def close(self) -> None:
        """Close the HTTP connections that are kept open. The hook can be used again afterwards."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def test_connection(self) -> tuple[bool, str]:
        """Get a token and make one cheap reading call; the text says which of the two failed, and why."""
        with self:
            try:
                answer = self.get_job_statuses([_CANARY_JOB_ID])[_CANARY_JOB_ID]
            except DrsError as error:
                answer = error
        return _describe_test(self.drs_conn_id, answer)

    def precheck_jobs(
        self, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
    ) -> dict[str, Submission | DrsError]:
        """
        Start the pre-checks of jobs; one that is running already is adopted.

        Never returns less than it did: once a batch was sent, what goes wrong stands at the jobs concerned.

        :param job_ids: any number of job ids; none at all is an error.
        :param precheck_mode: ``forStartJob``, or ``forRetryJob`` where the service knows it.

        Source: :drs:`performing_a_batch_pre-check`
        """
        answers = self._run(operations.precheck_jobs, job_ids, precheck_mode)
        self._learn(answers)
        return answers

    def get_precheck_results(self, job_ids: Iterable[str]) -> dict[str, PrecheckResult | DrsError]:
        """
        Read how far the pre-checks of jobs are, and what they have found.

        The service's answer does not say which run it belongs to: right after a new pre-check was started it
        can still be that of the one before.

        :param job_ids: any number of job ids; none at all is an error.

        Source: :drs:`querying_pre-check_results_in_batches`
        """
        answers = self._run(operations.get_precheck_results, job_ids, self._precheck_ids)
        self._learn(answers)
        return answers

    def start_jobs(self, job_ids: Iterable[str], start_time: object = None) -> dict[str, JobStart | DrsError]:
        """
        Start jobs, now or later. A job that has been started already is adopted; none is ever started twice.

        Never returns less than it did: once a batch was sent, what goes wrong stands at the jobs concerned.

        :param job_ids: any number of job ids; none at all is an error.
        :param start_time: a datetime with a time zone, an ISO 8601 text with one, or epoch milliseconds.
            ``None`` starts now.
        :raises DrsConfigError: start_time is in the past, has no time zone, or no meaning; nothing was sent.

        Source: :drs:`starting_tasks_in_batches`
        """
        start_time_ms = parse_start_time(start_time)
        return self._run(operations.start_jobs, job_ids, start_time_ms)

    def get_job_statuses(self, job_ids: Iterable[str]) -> dict[str, JobStatus | DrsError]:
        """
        Read where each job stands now.

        :param job_ids: any number of job ids; none at all is an error.

        Source: :drs:`querying_task_statuses_in_batches`
        """
        return self._run(operations.get_job_statuses, job_ids)

    def get_job_details(self, job_ids: Iterable[str]) -> dict[str, JobDetails | DrsError]:
        """
        Read what each job is. Passwords and certificate keys that the service echoes are masked.

        :param job_ids: any number of job ids; none at all is an error.

        Source: :drs:`querying_task_details_in_batches`
        """
        return self._run(operations.get_job_details, job_ids)

    def get_job_progresses(self, job_ids: Iterable[str]) -> dict[str, JobProgress | DrsError]:
        """
        Read how far each job is: percent of the full copy, and the delay of the incremental replication in
        seconds.

        :param job_ids: any number of job ids; none at all is an error.

        Source: :drs:`querying_task_progress_in_batches`
        """
        return self._run(operations.get_job_progresses, job_ids)

    def review_jobs(
        self, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
    ) -> dict[str, Readiness | DrsError]:
        """
        Say which jobs can be pre-checked, and which need no pre-check.

        The value is ``Readiness.NOT_NEEDED`` for a backward job of a dual-active pair whose forward job is
        replicating; a ``DrsJobStateError`` for a dual-active parent, and for a job in the wrong status.

        :param job_ids: any number of job ids; none at all is an error.
        :param precheck_mode: the mode of the pre-check to come.

        Source: :drs:`performing_a_batch_pre-check`
        """
        return self._run(operations.review_jobs, job_ids, precheck_mode)

    def stop_jobs(self, job_ids: Iterable[str]) -> dict[str, JobStop | DrsError]:
        """
        Stop jobs for good; DRS releases their resources, and they cannot be started again.

        A job that is stopped already counts as stopped.

        :param job_ids: any number of job ids; none at all is an error.

        Source: :drs:`stopping_or_deleting_tasks_in_batches`
        """
        return self._run(operations.stop_jobs, job_ids)

    def get_forward_jobs(self, parent_ids: Iterable[str]) -> dict[str, JobStatus]:
        """
        Find the forward jobs of dual-active pairs, by the ids of their parents.

        :param parent_ids: any number of parent job ids.

        Source: :drs:`querying_tasks_of_a_tenant`
        """
        return self._run(operations.get_forward_jobs, parent_ids)

    def poll(self, watch: Watch) -> list[str]:
        """
        Ask DRS about the jobs that a watch waits for, and return a line for each that is not where it was.

        :param watch: learns the answers.
        """
        return self._run(watch.poll)

    def _run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        client = self.get_conn()
        return client.run(operation(self._known_limits(), *args, **kwargs))


class DrsAsyncHook(_DrsHookBase):
    """
    Talk to DRS from the triggerer: the methods of :class:`DrsHook`, as coroutines.

    The connection is awaited, since reading it in a running event loop can fail. Use it in ``async with``.

    :param drs_conn_id: the Airflow connection, of type ``drs``.
    :param project_id: goes before the connection's ``extra.project_id``.
    :param region: goes before the connection's ``extra.region``.
    :param language: of the service's messages, ``en-us`` or ``zh-cn``; goes before ``extra.language``.
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
        """Return the client that holds the conversations; it is made from the connection once."""
        if self._client is None:
            from airflow.providers.common.compat.connection import get_async_connection

            from airflow_provider_drs.transport.aio import AsyncClient

            settings = self._read_settings(await get_async_connection(self.drs_conn_id, hook=self))
            self._client = AsyncClient(settings)
        return self._client

    async def close(self) -> None:
        """Close the HTTP connections that are kept open. The hook can be used again afterwards."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def precheck_jobs(
        self, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
    ) -> dict[str, Submission | DrsError]:
        """Start the pre-checks of jobs; one that is running already is adopted. See :class:`DrsHook`."""
        answers = await self._run(operations.precheck_jobs, job_ids, precheck_mode)
        self._learn(answers)
        return answers

    async def get_precheck_results(self, job_ids: Iterable[str]) -> dict[str, PrecheckResult | DrsError]:
        """Read how far the pre-checks of jobs are, and what they have found. See :class:`DrsHook`."""
        answers = await self._run(operations.get_precheck_results, job_ids, self._precheck_ids)
        self._learn(answers)
        return answers

    async def start_jobs(
        self, job_ids: Iterable[str], start_time: object = None
    ) -> dict[str, JobStart | DrsError]:
        """Start jobs, now or later; none is ever started twice. See :class:`DrsHook`."""
        start_time_ms = parse_start_time(start_time)
        return await self._run(operations.start_jobs, job_ids, start_time_ms)

    async def get_job_statuses(self, job_ids: Iterable[str]) -> dict[str, JobStatus | DrsError]:
        """Read where each job stands now. See :class:`DrsHook`."""
        return await self._run(operations.get_job_statuses, job_ids)

    async def get_job_details(self, job_ids: Iterable[str]) -> dict[str, JobDetails | DrsError]:
        """Read what each job is, without secrets. See :class:`DrsHook`."""
        return await self._run(operations.get_job_details, job_ids)

    async def get_job_progresses(self, job_ids: Iterable[str]) -> dict[str, JobProgress | DrsError]:
        """Read how far each job is. See :class:`DrsHook`."""
        return await self._run(operations.get_job_progresses, job_ids)

    async def review_jobs(
        self, job_ids: Iterable[str], precheck_mode: str = "forStartJob"
    ) -> dict[str, Readiness | DrsError]:
        """Say which jobs can be pre-checked, and which need no pre-check. See :class:`DrsHook`."""
        return await self._run(operations.review_jobs, job_ids, precheck_mode)

    async def stop_jobs(self, job_ids: Iterable[str]) -> dict[str, JobStop | DrsError]:
        """Stop jobs for good. See :class:`DrsHook`."""
        return await self._run(operations.stop_jobs, job_ids)

    async def get_forward_jobs(self, parent_ids: Iterable[str]) -> dict[str, JobStatus]:
        """Find the forward jobs of dual-active pairs, by the ids of their parents. See :class:`DrsHook`."""
        return await self._run(operations.get_forward_jobs, parent_ids)

    async def poll(self, watch: Watch) -> list[str]:
        """Ask DRS about the jobs that a watch waits for. See :class:`DrsHook`."""
        return await self._run(watch.poll)

    async def _run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        client = await self.get_conn()
        return await client.run(operation(self._known_limits(), *args, **kwargs))
