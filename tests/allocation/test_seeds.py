"""What the first seed decides, and when; with real answers it is tested with `formation`."""

from __future__ import annotations

from random import Random

from ring.ring import Peer
from weaveipam.allocation.heard import INQUIRIES_BEFORE_ALONE, Heard, Init
from weaveipam.allocation.seeds import Seeds
from weaveipam.protocol.messages import UNFORMED, Header
from weaveipam.protocol.values import Endpoint

A, B = Peer("a", 1), Peer("b", 1)
SEEDS = Init(("a", "b"))


def answered(peer: Peer, init: Init = SEEDS) -> Heard:
    """One other daemon has answered."""
    heard = Heard()
    heard.note(Header(UNFORMED, peer, Endpoint(peer.name, 1)), init, needed=True)
    heard.others[peer.name].answered = True
    return heard


def test_the_lives_that_answered_are_the_seeds() -> None:
    """The first seed decides with the lives that have answered; the second never does."""
    birth = Seeds(A, SEEDS, (), answered(B), Random(1)).decide(())

    assert birth is not None
    assert (A, B) == birth.seeds
    assert Seeds(B, SEEDS, (), answered(A), Random(1)).decide(()) is None


def test_who_was_told_to_agree_is_no_seed() -> None:
    """A seed that was told a number instead of the list keeps the others from forming, and is named."""
    one = Seeds(A, SEEDS, (), answered(B, Init(consensus=2)), Random(1))

    assert one.decide(()) is None
    assert "seed b was started with consensus=2" == one.why(())


def test_an_only_seed_asks_whom_it_was_told_of() -> None:
    """A daemon that forms alone forms after those that it was told of had their chances to answer."""
    heard, other = Heard(), Endpoint("c", 1)
    one = Seeds(A, Init(("a",)), (), heard, Random(1))
    assert one.decide([other]) is None
    for _ in range(INQUIRIES_BEFORE_ALONE):
        heard.ask(other)

    assert one.decide([other]) is not None
