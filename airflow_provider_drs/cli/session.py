"""The client of a command, the jobs that it is about, and what a dry run shows instead of sending it."""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_drs.cli.answers import PASSED, UNREACHABLE, TimedOut, show_jobs, to_rows
from airflow_provider_drs.cli.connection import find_settings
from airflow_provider_drs.cli.screen import LineScreen, Result, Screen
from airflow_provider_drs.protocol import conversations
from airflow_provider_drs.protocol.core.batches import Limits
from airflow_provider_drs.protocol.core.errors import DrsConfigError, DrsError, label_job, quote
from airflow_provider_drs.protocol.core.job_ids import check_job_ids, read_job_ids
from airflow_provider_drs.protocol.core.literals import MISSING, read_literal
from airflow_provider_drs.protocol.core.operations import OPERATIONS
from airflow_provider_drs.protocol.core.redact import redact
from airflow_provider_drs.protocol.core.wire import (
    Conversation,
    Observation,
    Request,
    Response,
    Send,
    Service,
)
from airflow_provider_drs.protocol.jobs.listing import ListedJob
from airflow_provider_drs.protocol.jobs.outcome import GONE
from airflow_provider_drs.protocol.watches import Watch
from airflow_provider_drs.transport.sync import SyncClient

T = TypeVar("T")
P = ParamSpec("P")

#: The defaults of a wait.
INTERVAL_S, _TIMEOUT_S = 10.0, 3600.0
#: What IDs look like. Other texts can be names, so that the jobs must be listed to know what they mean.
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-z]+){4}\Z")
#: A name, or a pattern of names.
_PATTERN = re.compile(r"[\w*?\[\]!-]+\Z")


class Session:
    """
    The client of a command, in a ``with`` statement.

    :param calls: with ``--dry-run``, the requests that were not sent.
    """

    def __init__(self, arguments: argparse.Namespace, screen: Screen) -> None:
        settings = find_settings(getattr(arguments, "conn_id", None))
        self._limits = settings.make_limits()
        self._client = SyncClient(settings)
        self._screen = screen
        self.is_dry_run: bool = getattr(arguments, "dry_run", False)
        if self.is_dry_run:
            # A dry run shows the calls in the order of the jobs.
            self._limits.parallel = 1
        self.calls: list[dict[str, Any]] = []

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def names(self) -> dict[str, str]:
        """The names by job ID of the jobs that were read."""
        return self._limits.names

    def label(self, job_id: str) -> str:
        """Return the name and the ID of a job."""
        return label_job(job_id, self.names.get(job_id))

    def read_names(self, job_ids: Iterable[str]) -> None:
        """Read the names of jobs, which most responses lack. Without them, the output has their IDs only."""
        if to_read := [job_id for job_id in job_ids if job_id not in self.names]:
            with suppress(DrsError):
                self.run(conversations.get_job_details, to_read)

    def run(
        self, operation: Callable[Concatenate[Limits, P], Conversation[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a conversation."""
        conversation = operation(self._limits, *args, **kwargs)
        return self._client.run(_rehearse(conversation, self._show_call) if self.is_dry_run else conversation)

    def select(self, given: Sequence[str]) -> tuple[str, ...]:
        """
        Return the IDs of jobs that are given by ID, name, or a pattern of names; ``-`` reads them from
        standard input.

        :raises DrsConfigError: there are none, one matches no job, or a name belongs to several jobs.
        """
        texts = read_texts(given)
        if any(map(_is_pattern, texts)):
            jobs = self.run(conversations.list_jobs)
            texts = [job_id for text in texts for job_id in self.find(text, jobs)]
        return check_job_ids(texts)

    def find(self, text: str, jobs: Sequence[ListedJob]) -> list[str]:
        """
        Return the IDs of the jobs that a text means.

        :raises DrsConfigError: there are none, or a name belongs to several jobs.
        """
        if not _is_pattern(text):
            return [text]
        found = find_jobs(text, jobs)
        if not found and not is_name(text):
            raise DrsConfigError(
                f"no job name matches the pattern {quote(text)}. Run drs list to see all jobs."
            )
        if not found:
            raise unknown_job(text, jobs)
        if len(found) > 1 and is_name(text):
            ids = ", ".join(job.job_id for job in found)
            raise DrsConfigError(
                f"{len(found)} jobs have the name {quote(text)}. Specify one of their IDs: {ids}"
            )
        self.names.update({job.job_id: job.name for job in found})
        return [job.job_id for job in found]

    def wait(self, watch: Watch, arguments: argparse.Namespace, until_then_s: float = 0.0) -> None:
        """
        Poll until the watch is done or the timeout has passed. Transient errors are shown, and the wait
        continues.

        :param until_then_s: seconds that are added to the timeout.
        """
        watch.names |= self.names
        interval_s, timeout_s = arguments.interval or INTERVAL_S, arguments.timeout or _TIMEOUT_S
        deadline_s = time.monotonic() + until_then_s + timeout_s
        with self._screen.watch(watch):
            while True:
                try:
                    self._screen.refresh(watch, self.run(watch.poll))
                except DrsError as error:
                    if not error.is_transient:
                        raise
                    self._screen.note(f"Polling DRS failed (transient, will retry): {error}")
                left_s = deadline_s - time.monotonic()
                if watch.is_done or left_s <= 0:
                    return
                time.sleep(min(interval_s, left_s))

    def finish_wait(self, watch: Watch, what: str) -> None:
        """
        Check that a watch is done.

        :param what: what the other jobs are not, for the error.
        :raises TimedOut: it is not.
        """
        if not watch.is_done:
            raise TimedOut(self._describe_late(watch.pending, what))

    def _describe_late(self, job_ids: Iterable[str], what: str) -> str:
        labels = ", ".join(map(self.label, job_ids))
        return f"Timed out: jobs not {what} yet: {labels}. Increase --timeout, or run drs status."

    def follow(
        self, watch: Watch, arguments: argparse.Namespace, until_then_s: float = 0.0
    ) -> dict[str, DrsError]:
        """
        Wait for what was accepted, and return the jobs that have failed, or that can no longer be read.
        """
        try:
            self.wait(watch, arguments, until_then_s)
        except DrsError as error:
            return {**dict.fromkeys(watch.pending, error), **watch.failures}
        return watch.failures

    def show(
        self,
        answers: Mapping[str, object],
        heading: str,
        now: str,
        already: str,
        watch: Watch | None = None,
        found: Mapping[str, Any] | None = None,
    ) -> Result:
        """
        Return the result of an action.

        :param now: what the jobs are, such as ``started``.
        :param already: what adopted jobs were before.
        :param watch: what was waited for.
        :param found: the answers as plain JSON values, if there is more to show.
        """
        state = f"would be {now}" if self.is_dry_run else now
        late = [job_id for job_id in watch.pending if not watch.is_done] if watch else []
        late = [job_id for job_id in late if not isinstance(answers[job_id], DrsError)]

        def name_state(row: Mapping[str, Any]) -> str:
            if row["job_id"] in late:
                return f"not {now} yet"
            if row.get("status") == GONE:
                return "unknown to DRS"
            return f"already {already}" if row.get("adopted") else state

        found = to_rows(answers) if found is None else found
        accepted = watch.job_ids if watch else ()
        result = show_jobs(answers, found, heading, self.names, name_state, accepted)
        lines = [result.text] if result.text else []
        for job_id, row in found.items():
            if row.get("status") == GONE:
                lines.append(f"{job_id}: the job was deleted, or its ID, the region or the project is wrong.")
            if row.get("not_compared"):
                fields = ", ".join(row["not_compared"])
                lines.append(f"{self.label(job_id)}: DRS does not return {fields}, which was not compared.")
        if late:
            lines.append(self._describe_late(late, now))
        code = result.code or (UNREACHABLE if late else PASSED)
        return self.report(replace(result, code=code, text="\n".join(lines)))

    def report(self, result: Result) -> Result:
        """Return the result of an action; that of a dry run also has the requests."""
        if not self.is_dry_run:
            return result
        text = f"{result.text}\nDry run: no job was changed.".lstrip()
        return replace(result, fields={**result.fields, "calls": self.calls}, text=text)

    def _show_call(self, request: Request) -> None:
        body = redact(request.body or {})
        self.calls.append({"method": request.method, "path": request.path, "body": body})
        self._screen.note(f"{request.method} {request.path}\n{json.dumps(body, indent=2)}")


def complete(prefix: str, arguments: argparse.Namespace) -> list[str]:
    """Return the names of the jobs that start with *prefix*; none if they cannot be listed."""
    try:
        with Session(arguments, LineScreen()) as session:
            return [job.name for job in session.run(conversations.list_jobs) if job.name.startswith(prefix)]
    except DrsError:
        return []


def find_jobs(text: str, jobs: Iterable[ListedJob]) -> list[ListedJob]:
    """
    Return the jobs with an ID, a name, or a name that matches a pattern. Patterns do not match subtasks,
    which the actions on their job include.
    """
    listed = list(jobs)
    if not is_name(text):
        return [job for job in listed if fnmatch.fnmatchcase(job.name, text)]
    every = [each for job in listed for each in (job, *job.children)]
    return [job for job in every if job.job_id == text] or [job for job in every if job.name == text]


def unknown_job(text: str, jobs: Iterable[ListedJob]) -> DrsConfigError:
    """Return the error for a text that is neither a name nor an ID of a job."""
    near = difflib.get_close_matches(text, [job.name for job in jobs], n=1)
    hint = f"Did you mean {near[0]}?" if near else "Run drs list to see all jobs."
    return DrsConfigError(f"no job has the name or ID {quote(text)}. {hint}")


def is_name(text: str) -> bool:
    """Whether a text has no wildcards."""
    return not set(text) & set("*?[")


def check_waiting(arguments: argparse.Namespace) -> None:
    """
    Check the options of a wait.

    :raises DrsConfigError: they are given without ``--wait``.
    """
    if not arguments.wait and (arguments.interval, arguments.timeout) != (None, None):
        raise DrsConfigError("--interval and --timeout apply to a wait. Add --wait, or omit them.")
    if arguments.wait and getattr(arguments, "dry_run", False):
        raise DrsConfigError("--wait cannot be used with --dry-run. Omit --wait or --dry-run.")


def _is_pattern(text: str) -> bool:
    """Whether the jobs must be listed to know which ones a text means."""
    return not _ID.match(text) and text not in MISSING and _PATTERN.match(text) is not None


def read_texts(given: Sequence[str]) -> list[str]:
    """Return IDs, names and patterns one by one; they are checked later."""
    texts: list[str] = []
    for argument in given:
        text = (sys.stdin.read() if argument == "-" else argument).strip()
        # A pattern can also start with a bracket.
        is_list = isinstance(read_literal(text), list) or not _PATTERN.match(text)
        if is_list and text.startswith("["):
            texts += map(str, read_job_ids(text))
        else:
            texts += (part for word in text.split() for part in word.split(",") if part)
    return texts


def _rehearse(conversation: Conversation[T], show: Callable[[Request], None]) -> Conversation[T]:
    """Run a conversation, but show what would change a job, and assume that DRS accepts it."""
    step = next(conversation)
    try:
        while True:
            if isinstance(step, Send) and _changes(step.request):
                show(step.request)
                step = conversation.send(Observation(_accept(step.request), 0.0, 0.0))
            else:
                step = conversation.send((yield step))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _changes(request: Request) -> bool:
    return request.service is Service.DRS and not OPERATIONS[request.operation].reads


def _accept(request: Request) -> Response:
    """Return the response of a service that accepts everything."""
    key = "name" if request.operation == "BatchCreateJobs" else "id"
    task = {"status": "success", "compare_task_id": ""}
    document = {
        "results": [{key: job, "id": job, "status": "success"} for job in request.job_ids],
        "status": "success",
        "object_level_compare_create_result": task,
        "data_level_compare_create_result": task,
    }
    return Response(200, {}, json.dumps(document).encode())
