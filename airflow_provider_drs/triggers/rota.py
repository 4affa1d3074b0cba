"""Whose turn it is. No I/O, and no clock: the time comes in as monotonic seconds."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import filterfalse, islice

#: How much of the pause between two batches varies, so that processes that began together drift apart.
_JITTER = 0.1
#: How many batches are asked about side by side. Calls that follow each other closely cost less.
SIDE_BY_SIDE = 4
#: After which part of the interval a job whose end is in sight may be asked about again.
_SOONER = 0.5


class Rota:
    """
    Takes turns: every job once in an interval, the ones asked about longest ago first, a few batches at once.
    The turns are spread evenly over the interval.

    N jobs cost ``ceil(N / size)`` batches an interval, and one more while the end of some is in sight: those
    are then asked about sooner. Nobody's turn comes later for the others that come and go.

    :param interval_s: seconds between two questions about a job.
    :param size: jobs in a batch, at most.
    """

    def __init__(self, interval_s: float, size: int) -> None:
        self._interval_s = interval_s
        self.size = size
        #: When each was asked about last, the longest ago first.
        self._asked_s: OrderedDict[str, float] = OrderedDict()
        self._near: dict[str, None] = {}
        self._under_way: set[str] = set()
        self._last_s = -math.inf
        self._jitter_s = 0.0
        self._sooner_s = -math.inf

    def __len__(self) -> int:
        """Return how many jobs there are."""
        return len(self._asked_s)

    def join(self, job_id: str, now_s: float) -> None:
        """Add a job that somebody has just asked about. One that is there stays where it is."""
        if not self._asked_s:
            self._last_s = self._sooner_s = now_s
        self._asked_s.setdefault(job_id, now_s)

    def leave(self, job_id: str) -> None:
        """Ask no more about a job."""
        self._asked_s.pop(job_id, None)
        self._near.pop(job_id, None)

    def hurry(self, job_ids: Iterable[str]) -> None:
        """Let it be the turn of some jobs now."""
        for job_id in job_ids:
            if job_id in self._asked_s:
                self._asked_s[job_id] = -math.inf
                self._asked_s.move_to_end(job_id, last=False)

    def set_near(self, job_id: str, is_near: bool) -> None:
        """Say whether the end of a job is in sight."""
        if is_near and job_id in self._asked_s:
            self._near[job_id] = None
        elif self._near:
            self._near.pop(job_id, None)

    @property
    def next_s(self) -> float:
        """When it is somebody's turn; infinite if it is nobody's."""
        return min(self._due_s, self._sooner_s) if self._near else self._due_s

    def take(self, now_s: float) -> list[list[str]]:
        """
        Return batches of those whose turn it is, if it is somebody's. They are under way until :meth:`done`.
        """
        if self._near and now_s >= self._sooner_s and (batch := self._take_near(now_s)):
            return [batch]
        if now_s < self._due_s:
            return []
        turn = list(islice(self._free, self.size * SIDE_BY_SIDE))
        batches = [turn[n : n + self.size] for n in range(0, len(turn), self.size)]
        if now_s < self._planned_s:
            # Somebody's own time has come before the turn: no more than that takes.
            batches = [batch for batch in batches if self._asked_s[batch[0]] + self._interval_s <= now_s]
        # By the plan, not by when we came to it: a late turn does not make the following ones later.
        self._last_s = max(self._last_s + self._share_s(len(batches)), now_s - self._share_s(SIDE_BY_SIDE))
        self._jitter_s = random.random() * _JITTER * self._share_s(SIDE_BY_SIDE)  # noqa: S311
        for batch in batches:
            self._send(batch, now_s)
        return batches

    def done(self, job_ids: Iterable[str]) -> None:
        """Say that the question about some jobs was answered, or could not be asked."""
        self._under_way.difference_update(job_ids)

    @property
    def _free(self) -> Iterator[str]:
        """Those that are not under way, the ones asked about longest ago first."""
        return filterfalse(self._under_way.__contains__, self._asked_s)

    @property
    def _due_s(self) -> float:
        oldest = next(self._free, None)
        if oldest is None:
            return math.inf
        return min(self._planned_s, self._asked_s[oldest] + self._interval_s)

    @property
    def _planned_s(self) -> float:
        return self._last_s + self._share_s(SIDE_BY_SIDE) + self._jitter_s

    def _share_s(self, batches: int) -> float:
        """Return the part of the interval that is due to some batches."""
        total = max(math.ceil(len(self._asked_s) / self.size), 1)
        return self._interval_s * min(batches, total) / total

    def _take_near(self, now_s: float) -> list[str]:
        latest_s = now_s - self._interval_s * _SOONER
        ripe = [
            job_id
            for job_id in self._near
            if self._asked_s[job_id] <= latest_s and job_id not in self._under_way
        ]
        batch = sorted(ripe, key=self._asked_s.__getitem__)[: self.size]
        # One more batch an interval at most; if nobody is ripe yet, look again soon.
        self._sooner_s = now_s + self._interval_s * (1 if batch else _SOONER / 2)
        self._send(batch, now_s)
        return batch

    def _send(self, job_ids: Iterable[str], now_s: float) -> None:
        for job_id in job_ids:
            self._asked_s[job_id] = now_s
            self._asked_s.move_to_end(job_id)
        self._under_way.update(job_ids)
