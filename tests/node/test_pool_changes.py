"""Pools are created, changed and deleted while a cluster runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ring.address import Family
from ring.invariants import violations
from ring.ring import Ring
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Send
from weaveipam.protocol.messages import Grant
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    ChangePool,
    GetAllocations,
    GetPools,
    Leave,
    PoolChanged,
    Pools,
    Reason,
    Refusal,
    Release,
    Want,
)
from weaveipam.protocol.rollcalls import Accept
from weaveipam.protocol.values import Pool, RingId

RING = RingId("default", Family.V4)


def pools_at(it: Any, name: str) -> tuple[Pool, ...]:
    """The pools that a daemon knows."""
    answer = it.answer(name, GetPools())
    assert isinstance(answer, Pools)
    return tuple(use.pool for use in answer.pools)


def whole(it: Any, name: str) -> list[str]:
    """What is wrong with a daemon's ring."""
    domain = [one.range for pool in pools_at(it, name) for one in pool.ranges]
    return violations(Ring.of(it.ring(name, RING).runs), sorted(domain))


def test_a_new_pool_is_everybodys(three: Any, make_pool: Callable[..., Any]) -> None:
    """A pool made at one member is known at all, and all of them get addresses of it."""
    it = three
    fresh = make_pool("q", "10.9.0.0/26")
    assert PoolChanged(fresh) == it.answer("a", ChangePool("q", None, fresh))
    it.run(3)
    for name in "abc":
        assert fresh in pools_at(it, name)
        held = it.allocate(name, f"k{name}", Allocate(f"k{name}", wants=(Want(pools=("q",)),)))
        assert "q" == held.addresses[0].pool
        assert [] == whole(it, name)
    assert PoolChanged(fresh) == it.answer("b", ChangePool("q", None, fresh)), "asked again it is done"


def test_a_pool_grows_and_shrinks(three: Any, make_pool: Callable[..., Any]) -> None:
    """What is added can be handed out, and what is taken away belongs to nobody."""
    it = three
    before, more, less = (make_pool("p", f"10.0.0.0/{length}") for length in (24, 23, 25))
    assert PoolChanged(more) == it.answer("b", ChangePool("p", before, more))
    it.run(3)
    assert all([] == whole(it, name) for name in "abc")
    assert PoolChanged(less) == it.answer("c", ChangePool("p", more, less))
    it.run(3)
    assert all([] == whole(it, name) for name in "abc")
    keys = [it.allocate("a", f"k{index}") for index in range(128)]
    assert 128 == len({one.addresses[0].range for one in keys})


def test_addresses_in_use_are_not_taken_away(three: Any, make_pool: Callable[..., Any]) -> None:
    """A pool with addresses in use is not deleted, the users are named, and it goes on handing out."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.allocate("b", "web")
    refusal = it.answer("a", ChangePool("p", held, None))
    assert isinstance(refusal, Refusal)
    assert Reason.IN_USE is refusal.reason
    assert "at b by web" in refusal.detail
    it.run(5)
    it.allocate("c", "more")


def test_a_drained_pool_goes_once_it_is_empty(three: Any, make_pool: Callable[..., Any]) -> None:
    """Who drains a pool waits for its users, and nothing more is handed out meanwhile."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.allocate("b", "web")
    number = it.ask("a", ChangePool("p", held, None, drain=True, wait_s=60), wait_s=3)
    refused = it.answer("c", Allocate("late", wait_s=1))
    assert isinstance(refused, Refusal)
    assert number not in it.answers
    it.answer("b", Release("web"))
    it.run(5)
    assert PoolChanged(None) == it.answers[number]
    assert () == pools_at(it, "a") == pools_at(it, "c")


def test_what_is_given_back_while_a_pool_drains_stays_away(three: Any, make_pool: Callable[..., Any]) -> None:
    """An address that is given back to a pool that drains goes to nobody, though no other is left."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.allocate("b", "web")
    it.allocate("c", "mail")
    it.ask("a", ChangePool("p", held, None, drain=True, wait_s=60), wait_s=3)
    it.answer("b", Release("web"))
    assert isinstance(it.answer("b", Allocate("late", wait_s=1), wait_s=7), Refusal)
    it.answer("c", Release("mail"))
    it.run(5)
    assert () == pools_at(it, "a") == pools_at(it, "b")


def test_addresses_rest_though_they_were_nearly_taken_away(three: Any, make_pool: Callable[..., Any]) -> None:
    """What was given back before or while a pool drains still rests when the change has been withdrawn."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    for key in ("before", "while", "kept"):
        it.allocate("b", key)
    gone = {it.allocate("b", key).addresses[0].range for key in ("before", "while")}
    it.answer("b", Release("before"))
    number = it.ask("a", ChangePool("p", held, None, drain=True, wait_s=2), wait_s=1)
    it.answer("b", Release("while"))
    it.run(2)
    assert isinstance(it.answers[number], Refusal)
    fresh = [it.allocate("b", f"k{index}").addresses[0].range for index in range(8)]
    assert gone.isdisjoint(fresh)


def test_of_two_contradictory_changes_one_is_made(three: Any, make_pool: Callable[..., Any]) -> None:
    """Two members that make different pools of one name end with the same one, and the loser is told."""
    it = three
    one, other = make_pool("q", "10.8.0.0/24"), make_pool("q", "10.9.0.0/24")
    numbers = [it.ask("a", ChangePool("q", None, one)), it.ask("b", ChangePool("q", None, other))]
    it.run(12)
    answers = [it.answers[number] for number in numbers]
    (won,) = [answer for answer in answers if isinstance(answer, PoolChanged)]
    (lost,) = [answer for answer in answers if isinstance(answer, Refusal)]
    assert Reason.CONFLICT is lost.reason
    for name in "abc":
        assert won.pool in pools_at(it, name)
        assert 2 == len(pools_at(it, name))


def test_a_change_needs_everybody(three: Any, make_pool: Callable[..., Any]) -> None:
    """While a member is away a change waits for it, and is then withdrawn with its name."""
    it = three
    it.cut = {"c"}
    fresh = make_pool("q", "10.9.0.0/26")
    refusal = it.answer("a", ChangePool("q", None, fresh, wait_s=3))
    assert isinstance(refusal, Refusal)
    assert Reason.NOT_READY is refusal.reason
    assert "waiting for c" in refusal.detail
    it.cut = set()
    it.run(20)
    assert all(fresh not in pools_at(it, name) for name in "abc")
    assert PoolChanged(fresh) == it.answer("a", ChangePool("q", None, fresh))


def test_a_change_that_another_finishes_finds_nothing_in_use(
    three: Any, make_pool: Callable[..., Any]
) -> None:
    """Who finishes what another began does not give up addresses that are handed out meanwhile."""
    it = three
    held, fresh = make_pool("p", "10.0.0.0/24"), make_pool("q", "10.9.0.0/26")
    it.drop = lambda _name, send: any(isinstance(one, Accept) for one in codec.decode_packet(send.packet)[1])
    it.ask("b", ChangePool("p", held, None, wait_s=60), wait_s=1)
    it.ask("a", ChangePool("q", None, fresh, wait_s=60), wait_s=3)
    given = it.answer("c", Allocate("k", wants=(Want(pools=("p",)),), wait_s=0.1))
    it.drop = lambda _name, _send: False
    it.run(20)
    assert fresh in pools_at(it, "c")
    assert isinstance(given, Allocated) == (held in pools_at(it, "c"))


def test_what_was_refused_is_not_made_later(three: Any, make_pool: Callable[..., Any]) -> None:
    """A change that a member has accepted is not called withdrawn, as another ballot may bring it about."""
    it = three
    fresh, other = make_pool("q", "10.9.0.0/26"), make_pool("r", "10.8.0.0/26")
    it.drop = lambda name, send: (
        (name, send.target.host) != ("a", "b")
        and any(isinstance(one, Accept) for one in codec.decode_packet(send.packet)[1])
    )
    number = it.ask("a", ChangePool("q", None, fresh, wait_s=2), wait_s=0.5)
    it.ask("c", ChangePool("r", None, other, wait_s=60), wait_s=4)
    it.drop = lambda _name, _send: False
    it.run(20)
    assert fresh in pools_at(it, "a")
    assert PoolChanged(fresh) == it.answers[number]


def test_what_is_kept_back_for_nobody_is_handed_out_again(three: Any, make_pool: Callable[..., Any]) -> None:
    """A change whose proposer died keeps no addresses back for ever, though only one other heard of it."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.drop = lambda name, send: name == "c" and send.target.host == "a"
    it.ask("c", ChangePool("p", held, None, wait_s=60), wait_s=0.2)
    it.crash("c")
    it.drop = lambda _name, _send: False
    it.start("c")
    assert it.status("b").pools[0].withheld
    it.run(60)
    assert all(not it.status(name).pools[0].withheld for name in "abc")
    assert all(held in pools_at(it, name) for name in "abc")


def test_a_disabled_pool_hands_nothing_out(three: Any, make_pool: Callable[..., Any]) -> None:
    """Who has an address keeps it, nobody gets one, until the pool is enabled again."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    before = it.allocate("a", "web")
    off = replace(held, disabled=True)
    it.answer("b", ChangePool("p", held, off))
    it.run(2)
    assert before == it.allocate("a", "web")
    refusal = it.answer("c", Allocate("k"))
    assert isinstance(refusal, Refusal)
    assert "pool p is disabled" in refusal.detail
    it.answer("b", ChangePool("p", off, held))
    it.run(2)
    it.allocate("c", "k")


def test_pools_survive_restarts(three: Any, make_pool: Callable[..., Any]) -> None:
    """All daemons that restart at once have the pools that they had, and what was allocated of them."""
    it = three
    fresh = make_pool("q", "10.9.0.0/26")
    it.answer("a", ChangePool("q", None, fresh))
    held = it.allocate("c", "k", Allocate("k", wants=(Want(pools=("q",)),)))
    for name in "abc":
        it.crash(name)
    for name in "abc":
        it.start(name)
    it.run(10)
    assert all(fresh in pools_at(it, name) and [] == whole(it, name) for name in "abc")
    assert held == it.allocate("c", "k", Allocate("k", wants=(Want(pools=("q",)),)))


def test_newcomers_know_the_pools_there_are(three: Any, make_pool: Callable[..., Any]) -> None:
    """Who joins later has the pools of today, not those of the birth."""
    it = three
    fresh = make_pool("q", "10.9.0.0/26")
    it.answer("a", ChangePool("q", None, fresh))
    it.answer("a", ChangePool("p", make_pool("p", "10.0.0.0/24"), None))
    it.add("d", join="a")
    it.run(8)
    assert (fresh,) == pools_at(it, "d")
    it.allocate("d", "k")
    assert [] == whole(it, "d")


def test_pools_that_overlap_are_refused(three: Any, make_pool: Callable[..., Any]) -> None:
    """Two pools never share an address, and the refusal names what they would share."""
    refusal = three.answer("a", ChangePool("q", None, make_pool("q", "10.0.0.128/25")))
    assert isinstance(refusal, Refusal)
    assert "10.0.0.128/25" in refusal.detail


def test_a_change_that_is_being_made_is_not_withdrawn(three: Any, make_pool: Callable[..., Any]) -> None:
    """Once a member may have accepted it a change goes on, however late it is, and nobody is kept busy."""
    it = three
    fresh = make_pool("q", "10.9.0.0/26")
    it.drop = lambda _name, send: any(isinstance(one, Accept) for one in codec.decode_packet(send.packet)[1])
    number = it.ask("a", ChangePool("q", None, fresh, wait_s=1), wait_s=3)
    assert number not in it.answers
    it.drop = lambda _name, _send: False
    it.run(5)
    assert PoolChanged(fresh) == it.answers[number]


def test_what_is_handed_over_is_in_use_on_its_way(three: Any, make_pool: Callable[..., Any]) -> None:
    """What a leaver has handed over and nobody has got yet keeps a pool from being deleted."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.allocate("c", "disk", Allocate("disk", durable=True))
    it.drop = lambda name, send: name == "c" and says(send, Grant)
    it.answer("c", Leave())
    it.run(2)
    refusal = it.answer("a", ChangePool("p", held, None))

    assert isinstance(refusal, Refusal), refusal
    assert "at c by disk" in refusal.detail
    it.drop = lambda _name, _send: False
    it.run(10)
    refusal = it.answer("a", ChangePool("p", held, None))
    assert isinstance(refusal, Refusal)
    assert "by disk" in refusal.detail, "an heir has it"


def test_nothing_in_use_comes_to_who_has_said_that_nothing_is(
    three: Any, make_pool: Callable[..., Any]
) -> None:
    """What comes with a key waits while a pool is to be deleted: until then it is in use whence it comes."""
    it = three
    held = make_pool("p", "10.0.0.0/24")
    it.allocate("c", "disk", Allocate("disk", durable=True))
    it.drop = lambda name, send: name == "c" and says(send, Grant)
    it.answer("c", Leave())
    it.run(2)
    number = it.ask("a", ChangePool("p", held, None, drain=True, wait_s=5), wait_s=1)
    it.drop = lambda _name, _send: False
    it.run(3)
    assert [] == [one.key for name in "ab" for one in it.answer(name, GetAllocations()).allocations]
    it.run(10)

    refusal = it.answers[number]
    assert isinstance(refusal, Refusal)
    assert "at c by disk" in refusal.detail
    assert ["disk"] == [one.key for name in "ab" for one in it.answer(name, GetAllocations()).allocations]


def says(send: Send, kind: type) -> bool:
    """Whether a packet brings a message of a kind."""
    return any(isinstance(one, kind) for one in codec.decode_packet(send.packet)[1])
