"""When to poll which jobs. No I/O and no clock: the caller passes monotonic seconds."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import filterfalse, islice

#: Share of the pause between two rounds that is random, so that processes that started together drift apart.
_JITTER = 0.1
#: Batches that are polled concurrently. Calls in quick succession reuse a connection and cost less.
MAX_CONCURRENT_CALLS = 4
#: Share of the interval after which a job that is nearly done may be polled again.
_EARLY_SHARE = 0.5


class PollSchedule:
    """
    Poll every job once per interval, the least recently polled first, spread evenly over the interval.

    N jobs cost ``ceil(N / size)`` batches per interval, plus at most one while some jobs are nearly done:
    those are polled early. Adding and removing jobs never delays the others.

    :param interval_s: seconds between two polls of a job.
    :param size: maximum number of jobs in a batch.
    """

    def __init__(self, interval_s: float, size: int) -> None:
        self._interval_s = interval_s
        self.size = size
        #: When each job was polled last, the least recent first.
        self._polled_s: OrderedDict[str, float] = OrderedDict()
        self._nearly_done: dict[str, None] = {}
        self._in_progress: set[str] = set()
        self._last_round_s = -math.inf
        self._jitter_s = 0.0
        self._early_poll_s = -math.inf

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self._polled_s)

    def add(self, job_id: str, now_s: float) -> None:
        """Add a job that its caller has just polled. Has no effect on a job that is scheduled already."""
        if not self._polled_s:
            self._last_round_s = self._early_poll_s = now_s
        self._polled_s.setdefault(job_id, now_s)

    def remove(self, job_id: str) -> None:
        """Stop polling a job."""
        self._polled_s.pop(job_id, None)
        self._nearly_done.pop(job_id, None)

    def prioritize(self, job_ids: Iterable[str]) -> None:
        """Make jobs due immediately."""
        for job_id in job_ids:
            if job_id in self._polled_s:
                self._polled_s[job_id] = -math.inf
                self._polled_s.move_to_end(job_id, last=False)

    def set_nearly_done(self, job_id: str, is_nearly_done: bool) -> None:
        """Poll a job early, or no longer."""
        if is_nearly_done and job_id in self._polled_s:
            self._nearly_done[job_id] = None
        elif self._nearly_done:
            self._nearly_done.pop(job_id, None)

    @property
    def next_s(self) -> float:
        """When the next batch is due; infinite if there is nothing to poll."""
        return min(self._due_s, self._early_poll_s) if self._nearly_done else self._due_s

    def take_due(self, now_s: float) -> list[list[str]]:
        """Return the batches that are due. Their jobs are in progress until :meth:`mark_done`."""
        if self._nearly_done and now_s >= self._early_poll_s and (batch := self._take_early(now_s)):
            return [batch]
        if now_s < self._due_s:
            return []
        due = list(islice(self._idle, self.size * MAX_CONCURRENT_CALLS))
        batches = [due[n : n + self.size] for n in range(0, len(due), self.size)]
        if now_s < self._planned_s:
            # A single job became due before the round: poll no more than its batch.
            batches = [batch for batch in batches if self._polled_s[batch[0]] + self._interval_s <= now_s]
        # Count from the planned time, not from now: a round that runs late must not delay the next ones.
        self._last_round_s = max(
            self._last_round_s + self._share_s(len(batches)), now_s - self._share_s(MAX_CONCURRENT_CALLS)
        )
        self._jitter_s = random.random() * _JITTER * self._share_s(MAX_CONCURRENT_CALLS)  # noqa: S311 - not a secret
        for batch in batches:
            self._start(batch, now_s)
        return batches

    def mark_done(self, job_ids: Iterable[str]) -> None:
        """Record that polling these jobs has finished, whether it succeeded or failed."""
        self._in_progress.difference_update(job_ids)

    @property
    def _idle(self) -> Iterator[str]:
        """The jobs that are not in progress, the least recently polled first."""
        return filterfalse(self._in_progress.__contains__, self._polled_s)

    @property
    def _due_s(self) -> float:
        oldest = next(self._idle, None)
        if oldest is None:
            return math.inf
        return min(self._planned_s, self._polled_s[oldest] + self._interval_s)

    @property
    def _planned_s(self) -> float:
        return self._last_round_s + self._share_s(MAX_CONCURRENT_CALLS) + self._jitter_s

    def _share_s(self, batches: int) -> float:
        """Return the part of the interval that belongs to a number of batches."""
        total = max(math.ceil(len(self._polled_s) / self.size), 1)
        return self._interval_s * min(batches, total) / total

    def _take_early(self, now_s: float) -> list[str]:
        latest_s = now_s - self._interval_s * _EARLY_SHARE
        due = [
            job_id
            for job_id in self._nearly_done
            if self._polled_s[job_id] <= latest_s and job_id not in self._in_progress
        ]
        batch = sorted(due, key=self._polled_s.__getitem__)[: self.size]
        # At most one additional batch per interval; if no job is due yet, check again soon.
        self._early_poll_s = now_s + self._interval_s * (1 if batch else _EARLY_SHARE / 2)
        self._start(batch, now_s)
        return batch

    def _start(self, job_ids: Iterable[str], now_s: float) -> None:
        for job_id in job_ids:
            self._polled_s[job_id] = now_s
            self._polled_s.move_to_end(job_id)
        self._in_progress.update(job_ids)
