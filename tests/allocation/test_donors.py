"""Searches for space: whom they ask, when they go on, when they give up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from ring.address import Family
from ring.ring import Peer
from weaveipam.allocation.donors import FREE_ROUNDS_MAX, Goal, Search, Searches
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Need, Refused, SpaceRequest
from weaveipam.protocol.values import Endpoint, RingId

SETTINGS = AllocationSettings()
GOAL = Goal(Part("blue", RingId("default", Family.V4)), (), 1)


@dataclass(frozen=True)
class Donor:
    """Somebody to ask."""

    name: str
    present: bool = True

    @property
    def peer(self) -> Peer:
        """Its only life."""
        return Peer(self.name, 1)

    @property
    def endpoint(self) -> Endpoint:
        """Its address is its name."""
        return Endpoint(self.name, 1)


A, B = Donor("a"), Donor("b")


def started(need: Need = Need.FREE) -> tuple[Searches, Search]:
    """A new search."""
    searches = Searches(SETTINGS, Random(1))
    return searches, searches.start(GOAL, need)


def step(searches: Searches, search: Search, moves: int = 0, now: float = 0.0) -> str:
    """Go on; who is asked, or an empty string."""
    told = searches.step(search, (A, B), moves, {}, now)
    return told[0].target.host if told else ""


def test_asks_every_owner_once_then_for_cooling_then_fails() -> None:
    """A round of refusals is followed by one for cooling addresses, and only then the search fails."""
    searches, search = started()
    rounds: list[list[str]] = []
    for _ in range(2):
        asked = []
        while name := step(searches, search):
            asked.append(name)
            searches.refused(search, Refused.NONE_FREE)
        rounds.append(sorted(asked))

    assert [["a", "b"], ["a", "b"]] == rounds
    assert search.failed


def test_goes_round_again_when_space_moved() -> None:
    """A round during which the ring changed proves nothing; it is repeated after a pause."""
    searches, search = started()
    for _ in range(2):
        step(searches, search, moves=7)
        searches.refused(search, Refused.NONE_FREE)
    assert step(searches, search, moves=8, now=1.0) == ""

    assert not search.failed
    assert (Need.FREE, 1.0 + SETTINGS.round_pause_s) == (search.need, search.wake_at)


def test_asks_for_cooling_ones_though_space_moves_all_the_time() -> None:
    """In a cluster that never rests, a search still comes to cooling addresses; it fails only on proof."""
    searches, search = started()
    needs: list[Need] = []
    for moves in range(100):
        step(searches, search, moves=moves)
        searches.refused(search, Refused.NONE_FREE)
        search.queue.clear()
        step(searches, search, moves=moves + 1)
        needs.append(search.need)

    assert [Need.FREE] * FREE_ROUNDS_MAX + [Need.COOLING] * (100 - FREE_ROUNDS_MAX) == needs
    assert not search.failed


def test_a_silent_donor_is_asked_a_few_times() -> None:
    """Silence moves a donor to the end of the round, and after some tries counts as unreachable."""
    searches, search = started()
    asked = []
    while (name := step(searches, search)) and search.need is Need.FREE:
        asked.append(name)
        searches.late(search, {"a": A, "b": B}[name])

    assert asked.count("a") == asked.count("b") == SETTINGS.donor_tries


def test_taken_ends_the_search_at_once() -> None:
    """When the owner says that the very address is in use, nobody is asked for cooling ones."""
    searches, search = started()
    told = searches.step(search, (A,), 0, {}, 0.0)
    searches.refused(search, Refused.TAKEN)
    assert searches.step(search, (A,), 0, {}, 0.0) == []

    assert len(told) == 1
    assert (True, True) == (search.failed, search.taken)


def test_a_late_answer_finds_nothing() -> None:
    """The number of a question that is no longer awaited leads nowhere."""
    searches, search = started()
    (tell,) = searches.step(search, (A,), 0, {}, 0.0)
    assert isinstance(tell.message, SpaceRequest)
    found = searches.of(tell.message.request)
    searches.end(GOAL)

    assert found is search
    assert searches.of(tell.message.request) is None
    assert math.inf == searches.wake_at


def test_a_refill_becomes_urgent() -> None:
    """A request that waits takes over the search that ran ahead of need, from the start."""
    searches, refill = started(Need.REFILL)
    step(searches, refill)
    urgent = searches.start(GOAL, Need.FREE)

    assert urgent is not refill
    assert Need.FREE is urgent.need
    assert urgent is searches.start(GOAL, Need.REFILL)


def test_those_with_more_free_are_asked_first_more_often() -> None:
    """Free hints weigh the order."""
    first = 0
    for seed in range(200):
        searches = Searches(SETTINGS, Random(seed))
        told = searches.step(searches.start(GOAL, Need.FREE), (A, B), 0, {B.peer: 64}, 0.0)
        first += told[0].target.host == "b"

    assert first > 180
