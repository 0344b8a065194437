"""Dead members are removed, and what they owned can be used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ring.address import Family
from weaveipam.protocol import codec
from weaveipam.protocol.decisions import REMOVED_MAX
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.requests import (
    Allocate,
    ChangePool,
    GetRollCall,
    Lookup,
    Refusal,
    Release,
    RemovePeers,
)
from weaveipam.protocol.rollcalls import Accepted
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)


def owners(it: Any, at: str) -> set[str]:
    """Who owns anything, as one daemon sees it."""
    return {run.owner.name for run in it.ring(at, RING).runs}


def removed(it: Any, at: str, *names: str, wait_s: float = 20.0, **more: Any) -> RollCallView:
    """Ask for a removal until it is done."""
    until = it.now + wait_s
    while True:
        view = it.answer(at, RemovePeers(names, **more))
        assert isinstance(view, RollCallView), view
        if {one.name for one in view.removed} >= set(names) or it.now > until:
            return view
        it.run(0.5)


def test_the_space_of_a_dead_member_is_usable_again(three: Any) -> None:
    """After a removal the survivors own everything, and can hand out all of it once it has rested."""
    it = three
    it.crash("c")
    it.run(5)
    view = removed(it, "a", "c")

    assert ["c"] == [one.name for one in view.removed]
    assert 1 == view.number
    it.run(10)
    assert {"a", "b"} == owners(it, "a") == owners(it, "b")
    keys = [it.allocate("a", f"k{index}") for index in range(256)]
    assert 256 == len({one.addresses[0].range for one in keys})


def test_nobody_is_removed_who_was_heard_just_now(three: Any) -> None:
    """A member that is there is not removed by an operator who errs, and it is said who has heard it."""
    it = three
    view = removed(it, "a", "c", wait_s=5)

    assert () == view.removed
    assert "has heard from c" in view.detail
    assert "c" in owners(it, "a")


def test_a_mistaken_removal_lapses(three: Any) -> None:
    """Who was there when an operator erred is not removed when it restarts, long after nobody insisted."""
    it = three
    it.answer("a", RemovePeers(("c",)))
    it.run(10)
    assert not it.answer("a", GetRollCall()).busy
    it.crash("c")
    it.run(20)
    assert "c" in owners(it, "a")
    it.start("c")
    it.run(5)
    assert 0 == it.answer("a", GetRollCall()).number


def test_asking_once_more_does_not_remove_who_came_back(three: Any) -> None:
    """A removed daemon that is back in another life is not removed again when that is asked for again."""
    it = three
    it.lose_disk("c")
    it.run(5)
    removed(it, "a", "c")
    it.start("c")
    it.run(5)
    view = it.answer("a", RemovePeers(("c",)))

    assert (["c"], False) == ([one.name for one in view.removed], view.busy)
    it.crash("c")
    it.run(10)
    assert 1 == len(it.answer("a", GetRollCall(("c",))).removed)
    it.answer("a", RemovePeers(("c",)))
    it.run(5)
    assert 2 == len(it.answer("a", GetRollCall(("c",))).removed), "as it was said of this life too"


def test_a_removal_waits_for_everybody(three: Any) -> None:
    """Who cannot answer is waited for and named; once it is back the removal is done."""
    it = three
    it.crash("c")
    it.cut = {"b"}
    it.run(5)
    view = removed(it, "a", "c", wait_s=5)
    assert ("b",) == view.awaited
    assert () == view.removed

    it.cut = set()
    it.run(10)
    assert {"a", "b"} == owners(it, "a") == owners(it, "b")


def test_a_removal_goes_on_after_a_restart_of_the_daemon_that_was_asked(three: Any) -> None:
    """What it alone had promised, cut off and no elector, it takes up again of itself."""
    it = three
    it.add("d", join="a")
    it.run(5)
    assert "d" not in {one.name for one in it.answer("a", GetRollCall()).electors}
    it.crash("c")
    it.run(5)
    it.cut = {"d"}
    assert () == removed(it, "d", "c", wait_s=1).removed
    it.crash("d")
    it.cut = set()
    it.start("d")
    it.run(20)

    assert ["c"] == [one.name for one in it.answer("a", GetRollCall(("c",))).removed]


def test_both_sides_of_a_partition_cannot_both_remove(cluster: Callable[..., Any], make_pool: Any) -> None:
    """Two operators who each remove somebody on their side get nothing until it heals, and then both."""
    it = cluster()
    pools = (make_pool("p", "10.0.0.0/24"),)
    for name in "abcdef":
        it.add(name, seeds="a,b,c,d,e,f", join="a", pools=pools)
    it.run(5)
    it.crash("c")
    it.crash("f")
    it.cut = {"d", "e"}
    it.run(5)
    assert () == removed(it, "a", "c", wait_s=5).removed
    assert () == removed(it, "d", "c", "f", wait_s=5).removed
    it.cut = set()
    it.run(30)
    assert {"a", "b", "d", "e"} == owners(it, "a") == owners(it, "d")


def test_who_took_a_removal_up_may_die(three: Any) -> None:
    """Another one finishes what a proposer began before it died, once the dead proposer is removed too."""
    it = three
    it.add("d", join="a")
    it.run(10)
    it.crash("c")
    it.run(5)
    it.cut = {"b"}
    assert () == removed(it, "a", "c", wait_s=2).removed
    it.crash("a")
    it.cut = set()
    it.run(5)
    view = removed(it, "b", "a", survivors=("b", "d"))
    assert {"a", "c"} <= {one.name for one in it.answer("b", GetRollCall(("a", "c"))).removed}, view
    it.run(5)
    assert {"b", "d"} >= owners(it, "b")


def test_most_electors_are_removed_only_with_the_survivors_named(three: Any) -> None:
    """Where rosters may be lost an operator must name who is left, and is told whom the rosters name."""
    it = three
    it.crash("b")
    it.crash("c")
    it.run(5)
    view = removed(it, "a", "b", "c", wait_s=3)
    assert () == view.removed
    assert "name all who survive" in view.detail
    assert (False, ()) == (view.busy, view.fenced), "who lives would end by it"
    assert {"b", "c"} == {one.name for one in removed(it, "a", "b", "c", survivors=("a",)).removed}


def test_names_that_nobody_has_are_refused(three: Any) -> None:
    """A wrong name is refused with the names there are; the own one with what to do instead."""
    unknown = three.answer("a", RemovePeers(("x",)))
    own = three.answer("a", RemovePeers(("a",)))

    assert isinstance(unknown, Refusal)
    assert "there are: b, c" in unknown.detail
    assert isinstance(own, Refusal)
    assert "let it leave" in own.detail


def test_no_more_are_removed_at_once_than_are_remembered(three: Any) -> None:
    """What could not be told to be done is refused."""
    refused = three.answer("a", RemovePeers(tuple(f"x{number}" for number in range(REMOVED_MAX))))

    assert isinstance(refused, Refusal)
    assert "at most 5000" in refused.detail


def test_a_newcomer_is_admitted_and_grows(three: Any) -> None:
    """Who joins is enrolled by the electors, and then gets space."""
    it = three
    it.add("d", join="a")
    it.run(5)
    assert "admitted" in it.events("d")
    it.allocate("d", "k")
    assert "d" in owners(it, "a")


def test_no_newcomer_gets_space_from_a_minority(three: Any) -> None:
    """While most electors are away a newcomer's requests wait, and it says for whom."""
    it = three
    it.add("d", join="a")
    it.cut = {"b", "c"}
    number = it.ask("d", Allocate("k", wait_s=100))
    it.run(8)
    assert number not in it.answers
    assert "b, c" in it.status("d").why_not_ready
    it.cut = set()
    it.run(8)
    assert number in it.answers


def test_a_newcomer_says_whom_its_electors_wait_for(three: Any, make_pool: Any) -> None:
    """While a decision lacks the vote of one that is gone its name is in the status; removing it helps."""
    it = three
    it.drop = lambda name, send: (
        name == "c" and any(isinstance(one, Accepted) for one in codec.decode_packet(send.packet)[1])
    )
    it.ask("b", ChangePool("q", None, make_pool("q", "10.1.0.0/24"), wait_s=100))
    it.run(2)
    it.crash("c")
    it.add("d", join="a")
    it.run(8)
    why = it.status("d").why_not_ready
    assert "a, b cannot do so before decision 1 is made, which lacks the vote of c, not heard there" in why
    assert "weaveipam peer remove c; not heard yet: c" in why

    removed(it, "a", "c")
    it.run(2)
    it.allocate("d", "k")


def test_a_removal_survives_restarts(three: Any) -> None:
    """Who restarts after a removal remembers it, and serves what it took over."""
    it = three
    it.crash("c")
    it.run(5)
    removed(it, "a", "c")
    for name in "ab":
        it.crash(name)
    for name in "ab":
        it.start(name)
    it.run(10)
    assert {"a", "b"} == owners(it, "a") == owners(it, "b")
    assert 1 == it.answer("a", GetRollCall()).number == it.answer("b", GetRollCall()).number
    it.allocate("a", "k")
    it.answer("a", Release("k"))


def test_electors_are_chosen_as_a_cluster_grows(cluster: Callable[..., Any], make_pool: Any) -> None:
    """A cluster that one daemon founded has more electors once there are more daemons."""
    it = cluster()
    it.add("a", seeds="a", pools=(make_pool("p", "10.0.0.0/24"),))
    for name in "bcd":
        it.add(name, join="a")
    it.run(30)
    assert 3 == len(it.answer("a", GetRollCall()).electors)
    assert 1 == it.answer("d", GetRollCall()).number


def test_who_was_removed_comes_back_as_another_life(three: Any) -> None:
    """A removed daemon that was only cut off owns nothing when it is back, and serves as another life."""
    it = three
    held = it.allocate("c", "mine")
    it.cut = {"c"}
    it.run(5)
    assert ["c"] == [one.name for one in removed(it, "a", "c").removed]
    it.allocate("c", "cut off, it still serves")
    it.cut = set()
    it.run(15)
    assert "next-life" in it.events("c")
    assert it.status("c").peer.incarnation > 1
    assert held == it.answer("c", Lookup(key="mine")).allocation
    given = [it.allocate(name, f"{name}{index}") for name in "abc" for index in range(60)]
    addresses = {one.addresses[0].range for one in given}
    assert 180 == len(addresses)
    assert {"a", "b", "c"} == owners(it, "a") == owners(it, "c")
