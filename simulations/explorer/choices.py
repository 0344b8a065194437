"""
What members and operators may do of their own accord.

Does not know what messages do, nor which choice is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import NamedTuple, TypeAlias

from ring.ring import Peer
from simulations.explorer.member import POOL, Member, Step
from simulations.explorer.shell import Shell
from simulations.explorer.words import names, pools
from simulations.explorer.worlds import Word, World, pool
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.poolchange import wanted_for
from weaveipam.protocol.requests import ChangePool

Choice: TypeAlias = tuple[str, Callable[[], Step | None]]
"""A step in words, and what makes it; it makes None where it may not be."""


class Scene(NamedTuple):
    """What a member cannot see, but decides what may happen to it."""

    living: frozenset[Peer]
    admitted: frozenset[Peer]
    """Who was ever admitted: a request for space may be late, too."""
    there: frozenset[Peer]
    """Who lives and was admitted, or has asked for it: whom an operator knows of."""


def choices(world: World, shell: Shell, one: Member, scene: Scene) -> Iterator[Choice]:
    """All that one member may do, or an operator there, in a fixed order."""
    me = one.me.name
    if len(world.peers) - len(scene.living) < world.deaths_max and me in (world.mortals or me):
        yield f"{me} dies", partial(_died, one)
    if world.restarts and (one.campaign or one.enrolled_by):
        yield f"{me} restarts", partial(_restarted, one)
    yield from _gives(world, shell, one, scene)
    if world.coalesces and all(run.token.epoch < world.grants_max for run in one.ring):
        yield f"{me} joins its runs", partial(shell.coalesces, one)
    if me in world.newcomers:
        yield f"{me} asks to be enrolled", partial(shell.enrols, one)
    if one.ledger.charter.number < world.decisions_max and me in (world.callers or me):
        yield from _calls(world, shell, one, scene)


def _gives(world: World, shell: Shell, one: Member, scene: Scene) -> Iterator[Choice]:
    """What it does with single addresses, for others and for clients."""
    me = one.me.name
    for address in one.owned():
        run = one.ring.at(address)
        if run is not None and run.token.epoch < world.grants_max:
            for heir in sorted(peer for peer in scene.admitted if peer.name in (world.heirs or peer.name)):
                yield f"{me} grants {address} to {heir.name}", partial(shell.grants, one, address, heir)
        if me in world.leavers:
            for heir in sorted(scene.admitted):
                step = partial(shell.hands_over, one, address, heir)
                yield f"{me} hands {address} over to {heir.name} with its user", step
        if me in world.users:
            yield f"{me} hands out {address}", partial(shell.hands_out, one, address)
    for address in sorted(one.used):
        yield f"{me} gets {address} back", partial(shell.gets_back, one, address)


def _calls(world: World, shell: Shell, one: Member, scene: Scene) -> Iterator[Choice]:
    me, ledger = one.me.name, one.ledger
    over = {removed.peer for removed in ledger.charter.removed} | {one.me}
    if world.word is Word.TRUE:
        over |= scene.living
    named = [peer for peer in world.peers if peer not in over]
    if one.campaign is not None:
        for more in _subsets(named):
            if not one.campaign.fenced.issuperset(more):
                yield f"{me} is told that {names(more)} is gone too", partial(shell.widens, one, more)
        if one.campaign.asked < world.asked_max:
            yield f"{me} asks again", partial(shell.asks_again, one)
    if ledger.promised is not None and ledger.promised.round >= world.rounds_max:
        return
    for victims in _subsets(named, at_least=int(ledger.charter.number >= world.idle_decisions_max)):
        wanted = Wanted(
            victims=frozenset(victims),
            forced=frozenset(victims) if world.word is Word.FORCED else frozenset(),
            survivors=frozenset(peer.name for peer in scene.there.difference(victims)),
        )
        what = f"the removal of {names(victims)}" if victims else "a decision"
        yield f"{me} calls for {what}", partial(shell.begins, one, wanted)
    for extent in world.extents:
        after = None if extent is None else pool(extent)
        change = wanted_for(ChangePool(POOL, next(iter(ledger.pools), None), after), ledger.charter)
        if isinstance(change, Wanted):
            wanted = replace(change, survivors=frozenset(peer.name for peer in scene.there))
            yield f"{me} calls for {pools(wanted.put)}", partial(shell.begins, one, wanted)


def _died(one: Member) -> Step:
    return replace(one, alive=False, campaign=None), ()


def _restarted(one: Member) -> Step:
    """What is not on disk is forgotten."""
    return replace(one, campaign=None, enrolled_by=frozenset()), ()


def _subsets(peers: Sequence[Peer], at_least: int = 1) -> Iterator[tuple[Peer, ...]]:
    for count in range(at_least, len(peers) + 1):
        yield from combinations(peers, count)
