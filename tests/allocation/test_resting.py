"""What rests, and that the records say so."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from weaveipam.allocation.pools import Part, Pools
from weaveipam.allocation.resting import Rests
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.records import Resting
from weaveipam.protocol.values import Pool, PoolRange, RingId

V4 = RingId("default", Family.V4)
BLUE, RED = Part("blue", V4), Part("red", V4)


def pools(blue: int = 16) -> Pools:
    """Two pools of one ring, and all of them free; `blue` addresses in the first one."""
    sizes = {"blue": Range(0, blue), "red": Range(16, 32)}
    made = Pools(
        [Pool(name, "default", (PoolRange(Family.V4, what, 28, None, ()),)) for name, what in sizes.items()],
        cooldown_s=10.0,
    )
    made.gain(V4, Range(0, 32))
    return made


def released(held: Pools, part: Part, what: Range, now: float = 0.0) -> None:
    """A free range was leased and released."""
    held.stocks[part].space.remove(what)
    held.stocks[part].space.release(what, now)


def written(rests: Rests, held: Pools) -> tuple[set[Range], set[int]]:
    """What is put on disk, and the first addresses of what is deleted."""
    noted = rests.note(held)
    assert noted is not None
    starts = {Resting(V4, Range(at, at + 1)).record_key: at for at in range(64)}
    put = {one.range for one in noted.put if isinstance(one, Resting)}
    return put, {starts[key] for key in noted.delete}


@pytest.fixture
def both() -> tuple[Pools, Rests]:
    """A block rests in each pool, and the disk remembers both."""
    held, rests = pools(), Rests()
    released(held, BLUE, Range(4, 8))
    released(held, RED, Range(20, 24))
    assert written(rests, held) == ({Range(4, 8), Range(20, 24)}, set())
    return held, rests


def test_nothing_is_written_twice(both: tuple[Pools, Rests]) -> None:
    """What is on disk is not put there again, nor is what came and went since."""
    held, rests = both
    released(held, RED, Range(30, 31))
    held.stocks[RED].space.remove(Range(30, 31))

    assert rests.note(held) is None


def test_a_part_that_rests_no_more_leaves_a_record_of_the_rest(both: tuple[Pools, Rests]) -> None:
    """Records follow a range that is split."""
    held, rests = both
    held.stocks[BLUE].space.remove(Range(4, 6))
    held.stocks[RED].space.remove(Range(22, 23))
    left = {Range(6, 8), Range(20, 22), Range(23, 24)}

    assert written(rests, held) == (left, {4})
    assert rests.keys() == tuple(Resting(V4, one).record_key for one in sorted(left))


def test_what_is_set_aside_stays_on_disk_and_rests_anew(both: tuple[Pools, Rests]) -> None:
    """What a decision may take away is remembered as it rests, and told to the stocks that come after it."""
    held, rests = both
    rests.vacate(held, [Span(V4, (Range(0, 6),))])
    assert written(rests, held) == ({Range(4, 6), Range(6, 8)}, set())
    assert held.stocks[BLUE].space.free_within(Range(0, 6)) == 0

    told = rests.end(held)
    assert {Resting(V4, one) for one in (Range(4, 6), Range(6, 8), Range(20, 24))} == set(told)
    fresh = pools(blue=7)
    for one in told:
        for stock in fresh.stocks_of(V4):
            for what in stock.space.remove(one.range):
                stock.space.release(what, 1.0)
    assert written(rests, fresh) == ({Range(6, 7)}, set())


def test_after_a_restart_the_disk_is_made_true() -> None:
    """Of what the disk remembers only that stays which rests again."""
    held, rests = pools(), Rests()
    rests.restore([Resting(V4, Range(4, 8)), Resting(V4, Range(12, 14)), Resting(V4, Range(40, 44))])
    released(held, BLUE, Range(5, 8))
    released(held, BLUE, Range(12, 14))

    assert written(rests, held) == ({Range(5, 8)}, {4, 40})
