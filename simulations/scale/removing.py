"""
What removals take: of one dead node, and of nine tenths that died at once, in one command.

Does not know how clusters are made, nor how results are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from random import Random

from simulations.machine import Answered
from simulations.scale.counting import Traffic
from simulations.scale.fleet import Fleet, Host
from simulations.scale.members import DEATH_WITHIN_S, MASS
from simulations.scale.spreading import Readings
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.requests import GetRollCall, RemovePeers

REMOVED_WITHIN_S = 120.0
"""Longest wait for a removal."""
PAUSE_S = 10.0
"""Between the end of many and the command."""
POLL_S = 0.5
"""Between two looks at how far it is, as of the command."""


class _Command:
    """`weaveipam peer remove` at one node, which looks again until it is done."""

    def __init__(self, fleet: Fleet, host: Host, names: Sequence[str], survivors: Sequence[str]) -> None:
        self.done = False
        self._fleet = fleet
        self._host = host
        self._request = RemovePeers(tuple(names), survivors=tuple(survivors))
        self._asked = 0

    def ask(self) -> None:
        """Ask, and go on asking."""
        self._asked += 1
        self._host.ask(self._asked, self._request, self._heard)

    def _heard(self, answered: Answered | None) -> None:
        assert answered is not None
        view = answered.answer
        assert isinstance(view, RollCallView), view
        self.done = {one.name for one in view.removed}.issuperset(self._request.names)
        if not self.done:
            self._fleet.timeline.after(POLL_S, self.ask)


def reclaim(fleet: Fleet, rng: Random) -> Readings:
    """One node is gone; its removal when all know that, until all others have it and its space."""
    (victim,) = _victims(fleet, rng, 1)
    others = len(fleet.hosts) - 1
    dead = _once_all(fleet.running(), lambda host: host.gossip.members.alive_count == others - 1)
    assert fleet.run_until(dead, DEATH_WITHIN_S, 0.1)
    return _removed(fleet, rng, [victim])


def reclaim_most(fleet: Fleet, rng: Random) -> Readings:
    """As `reclaim`, of nine tenths at once, a while after that, when many take them to be there."""
    victims = _victims(fleet, rng, ceil(MASS * len(fleet.hosts)))
    fleet.run(PAUSE_S)
    return _removed(fleet, rng, victims)


def _victims(fleet: Fleet, rng: Random, count: int) -> Sequence[str]:
    """Names of hosts that have just lost their power."""
    victims = rng.sample(list(fleet.hosts.values()), count)
    for host in victims:
        host.lose_power()
    return [host.name for host in victims]


def _removed(fleet: Fleet, rng: Random, names: Sequence[str]) -> Readings:
    left = fleet.running()
    before = [(_sent(fleet, host), _received(fleet, host)) for host in left]
    began, asked = fleet.now, rng.choice(left)
    command = _Command(fleet, asked, names, [host.name for host in left])
    command.ask()
    done = fleet.run_until(lambda: command.done, REMOVED_WITHIN_S)
    done_s = fleet.now - began
    decisions = _view(asked).number
    known = fleet.run_until(
        _once_all(left, lambda host: _view(host).number == decisions), REMOVED_WITHIN_S, 0.05
    )
    owners = {run.owner.name for run in fleet.runs(asked)}
    same = fleet.run_until(lambda: len({host.fingerprint for host in left}) == 1, REMOVED_WITHIN_S, 0.05)
    usable_s = fleet.now - began
    sent = [_sent(fleet, host).since(was) for host, (was, _) in zip(left, before, strict=True)]
    received = [_received(fleet, host).since(was) for host, (_, was) in zip(left, before, strict=True)]
    return {
        "removed_s": done_s if done else None,
        "usable_s": usable_s if done and known and same and owners.isdisjoint(names) else None,
        "ballots": float(asked.ballots),
        "packets": sum(one.packets for one in sent) / len(left),
        "packets_max": float(max(one.packets for one in sent)),
        "sent_bytes": sum(one.all_bytes for one in sent) / len(left),
        "sent_bytes_max": float(max(one.all_bytes for one in sent)),
        "received_bytes_max": float(max(one.all_bytes for one in received)),
    }


def _once_all(hosts: Sequence[Host], holds: Callable[[Host], bool]) -> Callable[[], bool]:
    """Whether something holds for all, at once or by and by; looks only at those for which it did not."""
    open_ends = list(hosts)

    def done() -> bool:
        while open_ends and holds(open_ends[-1]):
            open_ends.pop()
        return not open_ends

    return done


def _view(host: Host) -> RollCallView:
    answer = host.show(GetRollCall())
    assert isinstance(answer, RollCallView)
    return answer


def _sent(fleet: Fleet, host: Host) -> Traffic:
    return fleet.network.accounts[host.name].sent.copy()


def _received(fleet: Fleet, host: Host) -> Traffic:
    return fleet.network.accounts[host.name].received.copy()
