"""The kinds of blows: how each falls, and how it is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dev.cluster.drs import Drs
from dev.cluster.gate import Gate
from dev.cluster.plan import Blow
from dev.cluster.stack import TRIGGERERS, WORKERS, ClusterStack


@dataclass
class Site:
    """
    What can be hit.

    :param drs: DRS itself.
    :param gate: the way to it.
    :param groups: the number of the group of each job.
    """

    stack: ClusterStack
    drs: Drs
    gate: Gate
    groups: Mapping[str, int]


class Wound:
    """One blow, as it falls. Texts that are returned say what it has done; there may be nothing to say."""

    def __init__(self, site: Site, blow: Blow) -> None:
        self.site = site
        self.blow = blow

    @property
    def hits(self) -> set[str]:
        """The names of what it has done any harm to."""
        return {self.blow.name}

    def would_hit(self) -> bool:
        """Whether there is anything to hit just now."""
        return True

    def strike(self) -> str:
        """Do it."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Look what has become of it."""

    def may_mend(self) -> bool:
        """Whether it has done what it should."""
        return True

    def mend(self) -> str:
        """Undo it."""
        raise NotImplementedError


class Kill(Wound):
    """A component dies."""

    def would_hit(self) -> bool:
        """Say whether it has work: a worker runs tasks, in a triggerer tasks wait."""
        stack, target = self.site.stack, self.blow.target
        if not stack.is_up(target):
            return False
        if target in WORKERS:
            return stack.count_tasks(target) > 0
        return target not in TRIGGERERS or stack.count_waiting() > 0

    def strike(self) -> str:
        """Kill it with all its children."""
        stack, target = self.site.stack, self.blow.target
        effect = ""
        if target in WORKERS:
            effect = f"{stack.count_tasks(target)} tasks died with it"
        elif target in TRIGGERERS:
            effect = f"{stack.count_waiting()} tasks waited in the two"
        stack.kill(target)
        return effect

    def mend(self) -> str:
        """Start its successor."""
        self.site.stack.start(self.blow.target)
        return ""


class Freeze(Wound):
    """DRS takes connections and requests, and answers nobody; later it carries out all of them."""

    def strike(self) -> str:
        """Stop its process."""
        self.site.drs.freeze()
        return ""

    def mend(self) -> str:
        """Let it go on."""
        self.site.drs.thaw()
        return ""


class Restart(Wound):
    """DRS dies, with whatever it has in hand; its successor knows what it has done, and no tokens."""

    def strike(self) -> str:
        """Kill its process."""
        self.site.drs.kill()
        return ""

    def mend(self) -> str:
        """Start the next one."""
        self.site.drs.start()
        return ""


class Shut(Wound):
    """Connections to DRS break, and new ones are refused."""

    def strike(self) -> str:
        """Shut the gate."""
        self.site.gate.shut()
        return ""

    def mend(self) -> str:
        """Open it."""
        self.site.gate.open()
        return ""


class Fault(Wound):
    """DRS spoils some requests."""

    _id: int
    _spoiled = 0

    @property
    def hits(self) -> set[str]:
        """Nothing, if nobody has called meanwhile."""
        return {self.blow.name} if self._spoiled else set()

    def strike(self) -> str:
        """Switch it on."""
        self._id = self.site.drs.client.inject(**self.blow.fault)
        return ""

    def go_on(self) -> None:
        """Count what it has spoiled."""
        if not self.site.drs.is_away:
            faults = self.site.drs.client.faults
            self._spoiled = next(int(each["done"]) for each in faults if each["id"] == self._id)

    def may_mend(self) -> bool:
        """Go on until something was spoiled."""
        return self._spoiled > 0 and not self.site.drs.is_away

    def mend(self) -> str:
        """Switch it off."""
        self.go_on()
        self.site.drs.client.remove_fault(self._id)
        return f"{self._spoiled} calls spoiled"


class Ambush(Fault):
    """A worker dies just when DRS has started its jobs, before it gets to know."""

    _victim: str | None = None

    @property
    def hits(self) -> set[str]:
        """Itself and the worker, if one was killed."""
        return {self.blow.name, f"kill {self._victim}"} if self._victim else set()

    def go_on(self) -> None:
        """Kill whoever waits for the answer that will not come."""
        super().go_on()
        if self._spoiled and self._victim is None and not self.site.drs.is_away:
            entries = self.site.drs.client.journal("BatchStartJobs")
            job_id = next(each for each in reversed(entries) if "hang" in each["faults"])["job_ids"][0]
            self._victim = self.site.stack.find_worker("start_group.start", self.site.groups[job_id])
            if self._victim:
                self.site.stack.kill(self._victim)

    def may_mend(self) -> bool:
        """Go on until somebody was caught."""
        return super().may_mend() and self._victim is not None

    def mend(self) -> str:
        """Start the successor of the worker."""
        super().mend()
        if self._victim is None:
            return "nobody was caught"
        self.site.stack.start(self._victim)
        return f"it was {self._victim}"


KINDS: Mapping[str, type[Wound]] = {
    "kill": Kill,
    "freeze": Freeze,
    "restart": Restart,
    "shut": Shut,
    "fault": Fault,
    "ambush": Ambush,
}
