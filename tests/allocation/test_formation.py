"""Forming a cluster; what a whole cluster does of it is tested with the node."""

from __future__ import annotations

from random import Random

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.formation import ACQUAINTANCES_MAX, Formation, Wish, is_sound
from weaveipam.allocation.heard import INQUIRIES_BEFORE_ALONE, OTHERS_MAX, Init
from weaveipam.protocol.effects import Durability, Persist, Report
from weaveipam.protocol.messages import UNFORMED, Header, Inquiry, Standing, Tell
from weaveipam.protocol.records import Acquaintance
from weaveipam.protocol.values import Birth, Endpoint, Pool, PoolRange

A, B = Peer("a", 1), Peer("b", 1)
SEEDS = ("a", "b")
ASKING = Inquiry(SEEDS)


def endpoint(name: str) -> Endpoint:
    """Every daemon listens at its name."""
    return Endpoint(name, 1)


def formation(me: Peer = A, seeds: tuple[str, ...] = SEEDS, join: tuple[str, ...] = ("a", "b")) -> Formation:
    """A daemon that starts with an empty disk."""
    wish = Wish(endpoint=endpoint(me.name), join=tuple(map(endpoint, join)), init=Init(seeds), pools=())
    return Formation(me, wish, 1.0, Random(1), 0.0)


def header(peer: Peer) -> Header:
    """Of a packet from an unformed daemon."""
    return Header(UNFORMED, peer, endpoint(peer.name))


def test_asks_everybody_but_itself_again_and_again() -> None:
    """Every endpoint told of is asked each time, its own is not."""
    one = formation()
    first = one.wake(0.0)
    assert one.wake(0.1) == []
    second = one.wake(one.wake_at)

    asked = Tell(endpoint("b"), Inquiry(SEEDS))

    assert [asked] == first == second


def test_only_the_first_seed_decides() -> None:
    """With the same answers the first name decides a birth and the second waits for it."""
    first, second = formation(A), formation(B)
    first.hear(header(B), Standing(A, None, SEEDS, None))
    second.hear(header(A), Standing(B, None, SEEDS, None))
    birth = first.decide()

    assert birth is not None
    assert (A, B) == birth.seeds
    assert second.decide() is None
    assert "waiting for seed a" in second.why()


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (None, "has not answered"),
        (Standing(A, None, ("b", "c"), None), "other seeds (b,c)"),
        (Standing(A, None, SEEDS, Peer("a", 0)), "earlier life"),
    ],
)
def test_what_keeps_a_birth_from_being_decided(standing: Standing | None, expected: str) -> None:
    """Silence, another list, or a memory of an earlier life: no birth, and the status says why."""
    one = formation()
    if standing is not None:
        one.hear(header(B), standing)

    assert one.decide() is None
    assert expected in one.why()


def test_a_life_is_on_stable_storage_before_it_is_answered() -> None:
    """The first answer to a life follows a durable memory of it; the next needs none."""
    one = formation(B)
    first = one.answer(header(A), ASKING, None, in_use=False)
    second = one.answer(header(A), ASKING, None, in_use=False)
    later = one.answer(header(Peer("a", 2)), ASKING, None, in_use=False)

    assert isinstance(first[0], Persist)
    assert Durability.HOST is first[0].durability
    assert [Tell] == [type(step) for step in second]
    assert isinstance(later[-1], Tell)
    assert Standing(Peer("a", 2), None, SEEDS, A) == later[-1].message


def test_alone_with_somebody_to_ask_asks_first() -> None:
    """A lone seed that was told of others forms only after they had their chances to answer."""
    one = formation(A, ("a",), ("b",))
    decided = []
    for _ in range(INQUIRIES_BEFORE_ALONE):
        decided.append(one.decide())
        one.wake(one.wake_at)

    assert [None] * INQUIRIES_BEFORE_ALONE == decided
    assert one.decide() is not None


def test_two_births_of_one_list_differ() -> None:
    """A birth has a nonce: two clusters with the same seeds and pools are different clusters."""
    one = formation(A, ("a",), ())

    assert one.decide() != one.decide()


LOW = PoolRange(Family.V4, Range(0, 8), 32)
HIGH = PoolRange(Family.V4, Range(8, 16), 32)
OVER = PoolRange(Family.V4, Range(7, 9), 32)


@pytest.mark.parametrize(
    ("seeds", "pools", "expected"),
    [
        ((A,), (), True),
        ((A, B), (Pool("x", "n", (LOW, HIGH)), Pool("y", "m", (OVER,))), True),
        ((), (Pool("x", "n", (LOW,)),), False),
        ((A,), (Pool("x", "n", ()),), False),
        ((A,), (Pool("x", "n", (LOW,)), Pool("x", "n", (HIGH,))), False),
        ((A,), (Pool("x", "n", (LOW,)), Pool("y", "n", (OVER,))), False),
        ((A,), (Pool("x", "n", (LOW, HIGH, OVER)),), False),
    ],
)
def test_a_birth_is_sound_or_not_believed(
    seeds: tuple[Peer, ...], pools: tuple[Pool, ...], expected: bool
) -> None:
    """A cluster can come only of seeds, and of pools that have names and addresses of their own."""
    assert expected is is_sound(Birth(bytes(16), seeds, pools))


def test_only_the_latest_lives_of_a_name_are_remembered() -> None:
    """Many lives of one name take no room: two are enough to know that there was an earlier one."""
    one = formation(B)
    disk: set[object] = set()
    for incarnation in range(1, 30):
        for step in one.answer(header(Peer("a", incarnation)), ASKING, None, in_use=False):
            if isinstance(step, Persist):
                disk.update(record.record_key for record in step.put)
                disk.difference_update(step.delete)

    assert len(disk) == 2
    assert Peer("a", 29) == one.earlier(Peer("a", 30))


def test_who_cannot_be_remembered_is_not_answered() -> None:
    """With no room for another life an unformed daemon says nothing; a formed one still tells its birth."""
    one = formation(B)
    one.restore(Acquaintance(Peer(f"n{index}", 1), endpoint("n")) for index in range(ACQUAINTANCES_MAX))
    birth = Birth(bytes(16), (B,), ())

    assert [] == one.answer(header(A), ASKING, None, in_use=False)
    assert [Tell] == [type(step) for step in one.answer(header(A), ASKING, birth, in_use=False)]


def test_only_places_where_nobody_listens_are_missed() -> None:
    """Of those it was told of and has met, a daemon misses whom it does not see; itself it never misses."""
    one = formation(A, SEEDS, ("a", "b", "d"))
    one.meet(Peer("c", 1), endpoint("c"))

    assert [endpoint("b"), endpoint("c"), endpoint("d")] == one.missing_from(frozenset())
    assert [endpoint("c")] == one.missing_from(frozenset((endpoint("b"), endpoint("d"))))


@pytest.mark.slow
def test_answers_are_bounded() -> None:
    """Of more daemons that answer than are remembered the surplus is reported, but a seed is always heard."""
    one = formation()
    for number in range(OTHERS_MAX):
        one.hear(header(Peer(f"n{number}", 1)), Standing(A, None, (), None))
    (told,) = one.hear(header(Peer("more", 1)), Standing(A, None, (), None))

    assert isinstance(told, Report)
    assert told.event == "answers-full"
    assert one.decide() is None
    one.hear(header(B), Standing(A, None, SEEDS, None))
    assert one.decide() is not None
