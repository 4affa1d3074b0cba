"""The kinds of faults: how each is injected, and how the cluster recovers from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.cluster.drs import Drs
from dev.cluster.plan import PlannedFault
from dev.cluster.proxy import Proxy
from dev.cluster.stack import TRIGGERERS, WORKERS, ClusterStack


@dataclass
class Site:
    """
    What faults are injected into.

    :param proxy: forwards connections to *drs*.
    :param groups: the index of the group of each job.
    """

    stack: ClusterStack
    drs: Drs
    proxy: Proxy
    groups: Mapping[str, int]


class Fault:
    """A planned fault of a run. ``effect`` describes what it did."""

    def __init__(self, site: Site, planned: PlannedFault) -> None:
        self.site = site
        self.planned = planned
        self.effect = ""

    @property
    def hits(self) -> set[str]:
        """The names of the planned faults that have taken effect with this one."""
        return {self.planned.name}

    def has_target(self) -> bool:
        """Return whether the fault would affect anything now."""
        return True

    def inject(self) -> None:
        _SIMPLE[self.planned.kind][0](self.site)

    def update(self) -> None:
        """Check what the fault has affected; called regularly until recovery."""

    def can_recover(self) -> bool:
        """Return whether the fault has taken effect."""
        return True

    def recover(self) -> None:
        _SIMPLE[self.planned.kind][1](self.site)


#: Faults of DRS without a state of their own. A frozen DRS accepts requests and applies them after recovery.
#: A restarted one keeps its jobs and loses its tokens.
_SIMPLE: Mapping[str, tuple[Callable[[Site], None], Callable[[Site], None]]] = {
    "freeze": (lambda site: site.drs.freeze(), lambda site: site.drs.thaw()),
    "restart": (lambda site: site.drs.kill(), lambda site: site.drs.start()),
    "disconnect": (lambda site: site.proxy.close(), lambda site: site.proxy.open()),
}


class Kill(Fault):
    """Kills a component with all its child processes."""

    def has_target(self) -> bool:
        stack, target = self.site.stack, self.planned.target
        if not stack.is_up(target):
            return False
        if target in WORKERS:
            return stack.count_running(target) > 0
        return target not in TRIGGERERS or stack.count_deferred() > 0

    def inject(self) -> None:
        stack, target = self.site.stack, self.planned.target
        if target in WORKERS:
            self.effect = f"{stack.count_running(target)} running tasks killed"
        elif target in TRIGGERERS:
            self.effect = f"{stack.count_deferred()} tasks deferred in both triggerers"
        stack.kill(target)

    def recover(self) -> None:
        self.site.stack.start(self.planned.target)


class ApiFault(Fault):
    """Makes DRS answer some requests with a fault."""

    _id: int
    _count = 0

    @property
    def hits(self) -> set[str]:
        return {self.planned.name} if self._count else set()

    def inject(self) -> None:
        self._id = self.site.drs.client.inject(**self.planned.api_fault)

    def update(self) -> None:
        if not self.site.drs.is_down:
            faults = self.site.drs.client.faults
            self._count = next(int(fault["done"]) for fault in faults if fault["id"] == self._id)

    def can_recover(self) -> bool:
        return self._count > 0 and not self.site.drs.is_down

    def recover(self) -> None:
        self.update()
        self.site.drs.client.remove_fault(self._id)
        self.effect = f"{self._count} calls affected"


class KillDuringStart(ApiFault):
    """Kills the worker whose start request DRS has just applied, before the worker receives the response."""

    _victim: str | None = None

    @property
    def hits(self) -> set[str]:
        return {self.planned.name, f"kill {self._victim}"} if self._victim else set()

    def update(self) -> None:
        super().update()
        if self._count and self._victim is None and not self.site.drs.is_down:
            entries = self.site.drs.client.journal("BatchStartJobs")
            job_id = next(entry for entry in reversed(entries) if "hang" in entry["faults"])["job_ids"][0]
            self._victim = self.site.stack.find_worker("start_group.start", self.site.groups[job_id])
            if self._victim:
                self.site.stack.kill(self._victim)

    def can_recover(self) -> bool:
        return super().can_recover() and self._victim is not None

    def recover(self) -> None:
        super().recover()
        self.effect = f"{self._victim or 'no worker'} killed"
        if self._victim:
            self.site.stack.start(self._victim)


KINDS: Mapping[str, type[Fault]] = {
    **dict.fromkeys(_SIMPLE, Fault),
    "kill": Kill,
    "inject": ApiFault,
    "kill-during-start": KillDuringStart,
}
