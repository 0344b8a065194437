"""
An operator who has machines removed that will not come back, and does not give up before it is done.

It does what a person does with `weaveipam peer remove`: asks one daemon, reads the answer, asks again, and
turns to another daemon if that one is gone or does not know who is meant.
Does not know when machines are lost, nor what is right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Protocol

from simulations.facts import Removed
from simulations.machine import Answered, Machine
from simulations.world import World
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.requests import GetStatus, Reason, Refusal, RemovePeers, Status

REPEAT_S = 0.5
"""Between two looks at how far it has got, as of the command."""
TURN = 0.2
"""Chance to ask another daemon when one does not answer."""


class Surroundings(Protocol):
    """What an operator knows and can do besides."""

    world: World
    gone: set[str]
    """Machines that do not come back; whoever is not among them survives."""
    removed: set[str]
    """Those of them whose removal has been confirmed."""

    removals: list[Removal]
    """Every command so far."""

    def empty(self, machine: Machine) -> None:
        """Make sure that nobody uses what the machine's earlier lives gave out."""
        ...

    def remove(self, names: Collection[str], at: str, rng: Random) -> Removal:
        """Give a command to a daemon."""
        ...

    def count(self, landmark: str) -> None:
        """One more of those."""
        ...


PATIENCE = 5
"""Looks at a daemon that is not admitted before electors that are gone are removed, if others are there."""


class Attendant:
    """Who sees after the trouble that daemons cannot be admitted, and removes the electors that are gone."""

    def __init__(self, around: Surroundings, rng: Random) -> None:
        self._around = around
        self._rng = rng
        self._waits: dict[str, int] = {}
        """By daemon that is not admitted: how often it said so, while some of the electors are gone."""

    def look(self) -> None:
        """Read what every daemon says of itself, now and every second from now on."""
        world = self._around.world
        for machine in world.running():
            if all(one.done for one in self._around.removals) and world.serving(machine):
                self._read(machine)
        world.timeline.after(1.0, self.look)

    def _read(self, machine: Machine) -> None:
        status = machine.show(GetStatus())
        assert isinstance(status, Status)
        names = _missing(status.why_not_ready)
        hopeless = [name for name in names if "#" in name or name in self._around.gone]
        if not hopeless:
            self._waits.pop(machine.name, None)
            return
        self._waits[machine.name] = self._waits.get(machine.name, 0) + 1
        if len(hopeless) == len(names) or self._waits[machine.name] >= PATIENCE:
            others = [one.name for one in self._around.world.running() if one is not machine]
            self._around.remove(hopeless, self._rng.choice(others or [machine.name]), self._rng)


def _missing(why: str) -> list[str]:
    """Electors that have not answered a newcomer, and those for whom the others wait, by its status."""
    electors = why.partition("not heard yet: ")[2]
    voters = why.partition("lacks the vote of ")[2].partition(", not heard there")[0]
    return [name for names in (electors, voters) if names for name in names.split(", ")]


class Removal:
    """One command, repeated until all that were named are removed."""

    def __init__(
        self, around: Surroundings, names: Collection[str], at: str, rng: Random, *, force: bool = False
    ) -> None:
        self.done = False
        self.told = ""
        """What it waits for, by the last answer."""
        self._around = around
        self._world = around.world
        self._names = sorted(name for name in names if "#" not in name)
        self._asked: list[str] = []
        """Those of them that the daemon that was asked last is not known not to know."""
        self._earlier: set[str] = set()
        """Earlier lives of machines that are there, which had to be removed as well."""
        self._at = at
        self._rng = rng
        self._force = force
        self._survivors = False
        self._lives = {name: self._world.machines[name].life for name in self._names}
        self._unknown: dict[str, set[str]] = {name: set() for name in self._names}
        """By machine that is gone: those that do not know its last life."""
        for name in sorted(names):
            self._include(name)

    def ask(self) -> None:
        """Give the command, for the first time or once more."""
        if self.done:
            return
        machine = self._world.machines[self._at]
        if not machine.running:
            self._turn(1.0 if self._at in self._around.gone else TURN)
            self._again()
            return
        self._asked = [name for name in self._names if self._at not in self._unknown[name]]
        if not self._asked and not self._earlier:
            self._not_known(())  # others who might have known are gone since, perhaps
            self._turn(1.0)
            self._again()
            return
        survivors = tuple(self._left()) if self._survivors else None
        request = RemovePeers((*self._asked, *sorted(self._earlier)), self._force, survivors)
        machine.ask(self._world.next_request(), request, self._heard)

    def _left(self) -> Sequence[str]:
        return sorted(name for name in self._world.machines if name not in self._around.gone)

    def _again(self) -> None:
        self._world.timeline.after(REPEAT_S, self.ask)

    def _turn(self, chance: float) -> None:
        """Ask another daemon from now on, perhaps."""
        up = [one.name for one in self._world.running() if one.name not in self._names]
        if up and self._rng.random() < chance:
            self._at = self._rng.choice(up)

    def _heard(self, answered: Answered | None) -> None:
        answer = None if answered is None else answered.answer
        match answer:
            case RollCallView():
                self._read(answer)
            case Refusal():
                self.told = answer.detail
                if answer.reason is Reason.NOT_FOUND:
                    named = (*self._names, *sorted(self._earlier))
                    self._not_known([name for name in named if f" {name};" in answer.detail])
                self._turn(1.0)
            case _:
                self._turn(TURN)
        if not self.done:
            self._again()

    def _read(self, view: RollCallView) -> None:
        self.told = f"waits for {', '.join(view.awaited)}; {view.detail}"
        named = {*self._asked, *self._earlier}
        open_ends = [one for one in view.fenced if named & {one.name, str(one)}]
        if open_ends or not named <= {name for one in view.removed for name in (one.name, str(one))}:
            self._survivors = self._survivors or "survive" in view.detail
            for name in view.awaited:
                self._include(name)
            return
        late = [name for name in self._asked if self._lives[name] not in view.removed]
        over = {one.partition("#")[0] for one in self._earlier}.intersection(self._around.gone)
        self._around.removed.update(over.union(self._asked).difference(late))
        self._names = [name for name in self._names if name not in self._asked]
        self._world.hear(Removed(self._world.now, view.removed))
        # While it seems to be there its name means an earlier life, which was removed; so name the last one.
        self._earlier.update(str(self._lives[name]) for name in late)
        self.done = not self._names and not late
        if not self.done:
            self._turn(1.0)

    def _include(self, awaited: str) -> None:
        """Name somebody as well who will never answer, once that is sure."""
        if awaited in self._around.gone and awaited not in self._names:
            self._names.append(awaited)
            self._lives[awaited] = self._world.machines[awaited].life
            self._unknown[awaited] = set()
            return
        name, _, incarnation = awaited.partition("#")
        if incarnation and awaited not in self._earlier:
            self._around.count("removed-earlier")
            self._around.empty(self._world.machines[name])
            self._earlier.add(awaited)

    def _not_known(self, names: Sequence[str]) -> None:
        """Forget about lives that were never part of the cluster, as far as anybody who is left knows."""
        for name in names:
            self._unknown.setdefault(name, set()).add(self._at)
        left = self._left()
        for name in [one for one, by in self._unknown.items() if by.issuperset(left)]:
            self._names = [one for one in self._names if one != name]
            self._earlier.discard(name)
        if not self._names and not self._earlier:
            self.done = True
