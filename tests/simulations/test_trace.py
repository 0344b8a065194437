"""Equal events make equal traces, and the last of them can be read."""

from __future__ import annotations

import pytest

from ring.ring import Peer
from simulations.timeline import Timeline
from simulations.trace import TAIL_EVENTS, Trace
from weaveipam.gossip.seal import Seal
from weaveipam.protocol import codec
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.messages import UNFORMED, GrantAck, Header
from weaveipam.protocol.values import Endpoint

Event = tuple[float, str, str, object]
STORY: list[Event] = [(0.0, "n1", "start", "x"), (0.1 + 0.2, "n1", "send", b"bytes"), (1.0, "n2", "wake", "")]


def traced(events: list[Event]) -> Trace:
    """A trace of these."""
    timeline = Timeline()
    trace = Trace(lambda: timeline.now)
    for when, machine, event, detail in events:
        timeline.at(when, trace.note, machine, event, detail)
    timeline.run(1e9)
    return trace


def test_equal_stories_have_equal_hashes() -> None:
    """The hash depends on the events alone."""
    assert traced(STORY).digest() == traced(list(STORY)).digest()


@pytest.mark.parametrize(
    "other",
    [
        STORY[:2],
        [*STORY, STORY[2]],
        [(0.0, "n2", "start", "x"), *STORY[1:]],
        [(0.0, "n1", "stop", "x"), *STORY[1:]],
        [(0.0, "n1", "start", "y"), *STORY[1:]],
        [(1e-12, "n1", "start", "x"), *STORY[1:]],
        [STORY[0], (0.1 + 0.2, "n1", "send", b"bites"), STORY[2]],
        [STORY[0], (0.3, "n1", "send", b"bytes"), STORY[2]],
        [(0.0, "n1", "start x", ""), *STORY[1:]],
    ],
    ids=["shorter", "longer", "machine", "event", "detail", "time", "packet", "last bit of a time", "split"],
)
def test_any_difference_shows(other: list[Event]) -> None:
    """One event more or less, or another time, machine, event or detail: another hash."""
    assert traced(STORY).digest() != traced(other).digest()


def test_the_tail_is_that_of_the_first_time() -> None:
    """The last events before the first call of `freeze`, oldest first, and no more than so many."""
    timeline = Timeline()
    trace = Trace(lambda: timeline.now)
    assert not trace.tail
    for number in range(TAIL_EVENTS + 5):
        trace.note("n1", "event", number)
    trace.freeze()
    trace.note("n1", "later")
    trace.freeze()

    assert len(trace.tail) == TAIL_EVENTS
    assert trace.tail[-1].split() == ["0.000000", "n1", "event", str(TAIL_EVENTS + 4)]
    assert trace.tail[0].split()[-1] == "5"


def test_packets_are_shown_as_what_they_say() -> None:
    """A line shows who speaks and what is said; bytes that say nothing are shown as that."""
    sender = Peer("n1", 7)
    header = Header(UNFORMED, sender, Endpoint("192.0.2.1", 1))
    packet = codec.encode_packet(header, [GrantAck(5)])
    trace = Trace(lambda: 1.5)
    trace.note("n2", "receive", packet)
    trace.note("n2", "receive", b"nonsense")
    trace.note("n2", "report", "word " * 200)
    trace.freeze()

    said, nonsense, long = list(trace.tail)
    assert f"from {sender}: GrantAck(grant=5)" in said
    assert "8 bytes, " in nonsense
    assert long.endswith("...")


def test_sealed_packets_are_shown_too() -> None:
    """A line shows what a packet says that is sealed with a key of the trace, as often as it is seen."""
    ring = KeyRing((Key(bytes(16)),))
    content = codec.encode_content(Header(UNFORMED, Peer("n1", 7), Endpoint("n1", 1)), [GrantAck(5)])
    packet = Seal(ring, b"a sender").seal(content, stream=False)
    trace = Trace(lambda: 1.5)
    trace.keyring = ring
    trace.note("n1", "send", packet)
    trace.note("n2", "receive", packet)
    trace.freeze()

    assert [True, True] == ["GrantAck(grant=5)" in line for line in trace.tail]
