"""What is remembered of what other daemons say of themselves."""

from __future__ import annotations

from ring.ring import Peer
from weaveipam.allocation.heard import INQUIRIES_BEFORE_ALONE, NOT_TO_FORM, Heard, Init
from weaveipam.protocol.messages import UNFORMED, Header
from weaveipam.protocol.values import Endpoint

SEEDS = Init(("a", "b"))


def header(peer: Peer) -> Header:
    """Of a packet of an unformed daemon, which listens at its name."""
    return Header(UNFORMED, peer, Endpoint(peer.name, 1))


def test_inits_are_named_as_they_are_said() -> None:
    """What reports and sentences show is what `--init` takes."""
    assert ["seeds=a,b", "consensus=3"] == [str(SEEDS), str(Init(consensus=3))]


def test_another_life_has_not_answered_yet() -> None:
    """An answer is that of one life; what it said to begin with may change."""
    heard = Heard()
    heard.note(header(Peer("b", 1)), NOT_TO_FORM, needed=False)
    heard.others["b"].answered = True
    heard.note(header(Peer("b", 1)), SEEDS, needed=False)
    assert (heard.others["b"].answered, heard.others["b"].init) == (True, SEEDS)
    heard.note(header(Peer("b", 2)), SEEDS, needed=False)

    assert not heard.others["b"].answered


def test_silence_counts_after_some_questions() -> None:
    """An endpoint is being asked until it has answered, or was asked often enough."""
    heard = Heard()
    b, c = Endpoint("b", 1), Endpoint("c", 1)
    heard.note(header(Peer("b", 1)), SEEDS, needed=False)
    heard.others["b"].answered = True
    assert "c:1 is still being asked for a cluster" == heard.still_asking([b, c])
    for _ in range(INQUIRIES_BEFORE_ALONE):
        heard.ask(c)

    assert "" == heard.still_asking([b, c])


def test_who_was_told_otherwise_is_named() -> None:
    """Only those that may form a cluster in another way, sorted by name."""
    heard = Heard()
    for name, init in (("d", Init(consensus=3)), ("c", Init(consensus=5)), ("b", SEEDS), ("e", NOT_TO_FORM)):
        heard.note(header(Peer(name, 1)), init, needed=False)

    assert "; started differently: b with seeds=a,b, c with consensus=5" == heard.unlike(Init(consensus=3))
