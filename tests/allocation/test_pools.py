"""Pools and this node's stock of them."""

from __future__ import annotations

from dataclasses import replace

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.allocation.pools import Part, Pools
from weaveipam.gossip.seal import OVERHEAD_BYTES
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.messages import Ping
from weaveipam.protocol.values import Pool, PoolRange, Preallocation, RingId

V4 = RingId("default", Family.V4)
V6 = RingId("default", Family.V6)
BLUE = Pool(
    "blue",
    "default",
    (
        PoolRange(Family.V4, Range(0, 16), 28, 1, (Range(0, 2), Range(15, 16))),
        PoolRange(Family.V4, Range(32, 40), 29),
        PoolRange(Family.V6, Range(0, 1 << 64), 64),
    ),
)
RED = Pool("red", "default", (PoolRange(Family.V4, Range(16, 32), 28),))


def test_excluded_addresses_are_owned_but_not_assignable() -> None:
    """Gaining a whole range frees all of it but what is set aside."""
    pools = Pools((BLUE,), 0)
    pools.gain(V4, Range(0, 16))
    stock = pools.stocks[Part("blue", V4)]

    assert (13, 13) == (stock.owned, stock.space.free_count)
    assert 13 + 8 == stock.size


def test_gain_goes_to_the_pools_that_cover_it() -> None:
    """A range over two pools is split between their stocks, and taken from both again."""
    pools = Pools((RED, BLUE), 0)
    pools.gain(V4, Range(8, 40))
    owned = {part.pool: stock.owned for part, stock in pools.stocks.items() if part.ring == V4}
    pools.lose(V4, Range(8, 40))
    rest = {part.pool: stock.space.free_count for part, stock in pools.stocks.items() if part.ring == V4}

    assert {"blue": 7 + 8, "red": 16} == owned
    assert {"blue": 0, "red": 0} == rest


def test_domain_covers_excluded_addresses_and_no_gap() -> None:
    """The ring covers every address of every pool, and nothing between."""
    pools = Pools((RED, BLUE), 0)

    assert (Range(0, 16), Range(16, 32), Range(32, 40)) == pools.domain(V4)
    assert pools.covers(V4, 0, 40)
    assert not pools.covers(V4, 30, 41)
    assert (V4, V6) == pools.rings()


def test_what_a_run_says_of_a_ring_is_inside_its_domain() -> None:
    """A run that reaches beyond is cut to what is some pool's."""
    pools, me = Pools((replace(BLUE, ranges=BLUE.ranges[:2]),), 0), Peer("me", 1)
    run = Run(10, 36, Token(0, 0), me, me)

    assert [(10, 16), (32, 36)] == [(one.start, one.stop) for one in pools.inside(V4, run)]
    assert [run.clipped(10, 12)] == [*pools.inside(V4, run.clipped(10, 12))]
    assert [] == [*pools.inside(V6, run)]


def test_look_ups_find_the_first_and_the_last_address() -> None:
    """Look-ups hold at the edges of a range, and find nothing beyond."""
    pools = Pools((BLUE,), 0)

    for address, expected in ((0, "blue"), (15, "blue"), (16, None), (31, None), (39, "blue"), (40, None)):
        found = pools.range_at(V4, address)
        assert expected == (found[0] if found else None), address


def test_assigned_carries_prefix_length_and_gateway() -> None:
    """An address is handed out with what its range says."""
    pools = Pools((BLUE,), 0)

    first, second = pools.assigned(V4, Range(5, 6)), pools.assigned(V4, Range(33, 34))

    assert (28, 1) == (first.prefix_length, first.gateway)
    assert (29, None) == (second.prefix_length, second.gateway)


def test_parts_keep_the_order_asked_for() -> None:
    """Pools are tried in the order named; unnamed, in the order of their names."""
    pools = Pools((RED, BLUE), 0)

    assert ("red", "blue") == tuple(one.pool for one in pools.parts("default", ("red", "blue"), Family.V4))
    assert ("blue", "red") == tuple(one.pool for one in pools.parts("default", (), Family.V4))
    assert ("blue",) == tuple(one.pool for one in pools.parts("default", (), Family.V6))


def test_frozen_addresses_are_not_handed_out() -> None:
    """Freezing takes addresses out of the free ones without giving up their ownership."""
    pools = Pools((RED,), 0)
    pools.gain(V4, Range(16, 32))
    pools.freeze(V4, Range(0, 20))
    stock = pools.stocks[Part("red", V4)]

    assert (16, 12) == (stock.owned, stock.space.free_count)


def test_hints_are_powers_of_two() -> None:
    """A hint's bucket says at least how much is free; nothing free, no hint."""
    pools = Pools((RED, BLUE), 0)
    pools.gain(V4, Range(16, 32))
    (hint,) = pools.hints()

    assert ("red", Family.V4, 5) == (hint.pool, hint.family, hint.bucket)


def test_many_hints_take_turns() -> None:
    """However many pools there are, their hints leave room in a datagram of long names, and each is told."""
    names = [f"{number:02}{'p' * 61}" for number in range(40)]
    ranges = [Range(number << 4, number + 1 << 4) for number in range(40)]
    pools = Pools(
        (
            Pool(name, "default", (PoolRange(Family.V4, one, 28),))
            for name, one in zip(names, ranges, strict=True)
        ),
        0,
    )
    pools.gain(V4, Range(0, 40 << 4))
    told = [pools.hints() for _ in range(40)]
    long = Peer("n" * 253, 2**64 - 1)
    room = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES - codec.HEADER_BYTES_MAX

    assert set(names) == {hint.pool for hints in told for hint in hints}
    assert min(map(len, told)) > 1
    assert all(codec.encoded_size(Ping(2**64 - 1, long, 2**64 - 1, hints)) <= room for hints in told)


def test_what_lies_in_a_child_is_the_childs() -> None:
    """Stocks, look-ups, and what is kept for names follow the innermost pool; the ring covers all once."""
    held = PoolRange(Family.V4, Range(0, 64), 26)
    names = (Preallocation("one", Family.V4, 20), Preallocation("two", Family.V4, 50))
    top = Pool("top", "default", (held,), kind="pool", preallocations=names)
    inner = Pool("inner", "default", (replace(held, range=Range(16, 32)),), kind="pool")
    pools = Pools((inner, top), 0)
    pools.gain(V4, Range(8, 64))

    owned = {part: stock.owned for part, stock in pools.stocks.items()}
    assert {Part("inner", V4): 16, Part("top", V4): 39, Part("top", V4, kept=True): 1} == owned
    found = [pools.range_at(V4, address) for address in (15, 16, 31, 32)]
    assert ["top", "inner", "inner", "top"] == [one[0] for one in found if one is not None]
    assert (None, "two") == tuple(pools.kept_for(V4, Range(at, at + 1)) for at in (20, 50))
    assert (Range(0, 16), Range(16, 32), Range(32, 64)) == pools.domain(V4)
    assert (Range(0, 64),) == pools.whole(V4)
    assert ("top", "") == (pools.parent("inner"), pools.parent("top"))
    assert (True, False) == (pools.has_kinds("default"), pools.has_kinds("red"))
