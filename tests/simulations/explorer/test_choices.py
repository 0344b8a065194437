"""What may be done unasked, as a world allows it."""

from __future__ import annotations

from dataclasses import replace

from ring.address import Range
from ring.ring import Peer
from simulations.explorer.choices import Scene, choices
from simulations.explorer.shell import Shell
from simulations.explorer.worlds import Word, World
from weaveipam.allocation.rules import RULES

WORLD = World(seeds="abc", newcomers="n", owners="abc", grants_max=1)
A, B, C, N = WORLD.peers


def chosen(world: World, who: Peer, dead: str = "", there: str = "abc") -> list[str]:
    """What one member may do while some are dead."""
    living = frozenset(peer for peer in world.peers if peer.name not in dead)
    known = frozenset(peer for peer in living if peer.name in there)
    scene = Scene(living, frozenset({A, B, C}), known)
    one = next(one for one in world.members() if one.me == who)
    return [words for words, _ in choices(world, Shell(RULES, frozenset()), one, scene)]


def test_a_member_may_die_and_grant() -> None:
    """Grants go to whoever was admitted, the dead too: their requests may be late."""
    assert ["a dies", "a grants 0 to a", "a grants 0 to b", "a grants 0 to c"] == chosen(WORLD, A)
    assert "a grants 0 to c" in chosen(WORLD, A, dead="c")


def test_only_so_many_die_and_only_who_may() -> None:
    """The bound counts the dead; a world may say who they can be."""
    assert "a dies" not in chosen(WORLD, A, dead="bc")
    assert "a dies" not in chosen(replace(WORLD, mortals="b"), A)


def test_a_newcomer_asks() -> None:
    """Nobody else does."""
    assert "n asks to be enrolled" in chosen(WORLD, N)
    assert "a asks to be enrolled" not in chosen(WORLD, A)


def test_the_dead_are_named_in_every_combination() -> None:
    """The living only if the operator's word is not true."""
    calls = [one for one in chosen(WORLD, A, dead="bc") if "removal" in one]
    assert [
        "a calls for the removal of b",
        "a calls for the removal of c",
        "a calls for the removal of b and c",
    ] == calls
    assert "a calls for the removal of b" in chosen(replace(WORLD, word=Word.WRONG), A)
    assert not [one for one in chosen(replace(WORLD, callers="b"), A, dead="c") if "removal" in one]


def test_a_decision_may_remove_nobody() -> None:
    """As those on pools; only the first ones, as a world says."""
    assert "a calls for a decision" in chosen(replace(WORLD, idle_decisions_max=1), A)
    assert "a calls for a decision" not in chosen(WORLD, A)


def test_a_pool_may_be_changed_to_anything_but_what_it_is() -> None:
    """As a world says; and only by who may call."""
    world = replace(WORLD, extents=(Range(0, 3), Range(0, 4), Range(1, 2), None), callers="a")
    calls = ["a calls for a pool of 0-3", "a calls for a pool of 1", "a calls for no pool"]

    assert calls == [one for one in chosen(world, A) if "calls" in one]
    assert [] == [one for one in chosen(world, B) if "calls" in one]


def test_clients_come_and_go() -> None:
    """Where a world has any; who may leave hands over what they use."""
    world = replace(WORLD, users="a", leavers="a")
    assert "a hands out 0" in chosen(world, A)
    assert "b hands out 1" not in chosen(world, B)
    assert "a hands 0 over to c with its user" in chosen(world, A)
    assert not [one for one in chosen(world, A) if "back" in one]
