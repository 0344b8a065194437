"""What a daemon does about packets that it cannot open, and what it knows of others' keys."""

from __future__ import annotations

import pytest

from weaveipam.errors import PeerError
from weaveipam.gossip.guard import NOTICE_INTERVAL_S, Guard
from weaveipam.gossip.seal import Seal, UnopenedError, notice
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Channel, Level, Report, Send
from weaveipam.protocol.keyring import PLAIN, UNSEALED, Key, KeyRing
from weaveipam.protocol.requests import Keyring, KeyView
from weaveipam.protocol.values import Endpoint

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
THERE = Endpoint("192.0.2.7", 6783)
CONTENT = codec.WIRE_VERSION.to_bytes(1, "big") + b"what is said"


def guard(*keys: Key) -> Guard:
    """A daemon with these keys."""
    return Guard(KeyRing(keys), b"receiver")


def refused(one: Guard, packet: bytes, now: float = 0.0) -> tuple[Report | Send, ...]:
    """What comes of a packet that cannot be opened."""
    with pytest.raises(PeerError) as caught:
        one.open(packet)
    return one.refused(caught.value, THERE, now)


def sealed(key: Key) -> bytes:
    """Somebody's packet."""
    return Seal(KeyRing((key,)), b"sender..").seal(CONTENT, stream=False)


def test_a_misfit_is_reported_and_told() -> None:
    """Who sends with another key, or none, is reported with the reason, and is told in a few bytes."""
    for packet, event in ((sealed(NEW), "unknown-key"), (codec.plain_packet(CONTENT), "unsealed-packet")):
        report, send = refused(guard(OLD), packet)

        assert isinstance(report, Report)
        assert (Level.WARNING, event) == (report.level, report.event)
        assert str(THERE) == dict(report.fields)["source"]
        assert Send(THERE, notice(KeyRing((OLD,))), Channel.DATAGRAM) == send


def test_notices_are_few() -> None:
    """However many packets misfit, a notice goes out once in a while, and all of them are counted."""
    one = guard(OLD)
    flood = [refused(one, sealed(NEW), now=number / 100) for number in range(200)]

    assert 200 == sum(isinstance(effects[0], Report) for effects in flood)
    assert 2 * NOTICE_INTERVAL_S == sum(len(effects) == 2 for effects in flood)


def test_a_flood_is_one_warning_a_minute() -> None:
    """Of each kind of packet one in a minute is a warning; the others are only counted."""
    one = guard(OLD)
    reports = [
        refused(one, packet, now=float(second))[0]
        for second in range(180)
        for packet in (sealed(NEW), codec.plain_packet(CONTENT), b"garbage")
    ]

    loud = [each.event for each in reports if isinstance(each, Report) and each.level is Level.WARNING]
    assert ["unknown-key", "unsealed-packet", "bad-packet"] * 3 == loud
    assert 3 * 180 == len(reports)


def test_nothing_else_is_answered() -> None:
    """A notice, a forgery, a replay and garbage are reported, not answered: nothing goes back and forth."""
    one = guard(OLD)
    packet = sealed(OLD)
    one.open(packet)
    forged = packet[:-1] + bytes((packet[-1] ^ 1,))

    events = []
    for attempt in (notice(UNSEALED), packet, forged[:12] + b"\0\0\0\7" + forged[16:], b"garbage"):
        (report,) = refused(one, attempt)
        assert isinstance(report, Report)
        events.append((report.level, report.event))
    assert events == [
        (Level.WARNING, "refused-by-peer"),
        (Level.DEBUG, "replayed-packet"),
        (Level.WARNING, "forged-packet"),
        (Level.WARNING, "bad-packet"),
    ]


def test_reports_show_no_content() -> None:
    """The reason names the key by its id, and nothing of what was sent."""
    with pytest.raises(UnopenedError) as caught:
        guard(OLD).open(sealed(NEW))

    assert f"it is sealed with key {NEW.id}, which is not in the key ring" == str(caught.value)


def test_who_sends_with_which_key() -> None:
    """Once another key is used, every member counts with the old one until it has sent with the new one."""
    one = guard(OLD, NEW)
    assert Keyring((KeyView(OLD.id, True, ()), KeyView(NEW.id, False, ()))) == one.show(["a", "b", "c"])
    one.heard("b", NEW)
    assert ("b",) == one.show(["a", "b", "c"]).keys[1].members

    one.change(KeyRing((NEW, OLD)), ["a", "b", "c"])
    assert Keyring((KeyView(NEW.id, True, ()), KeyView(OLD.id, False, ("a", "c")))) == one.show(
        ["a", "b", "c"]
    )
    one.heard("a", NEW)
    assert ("c",) == one.show(["a", "b", "c"]).keys[1].members
    assert () == one.show(["a", "b"]).keys[1].members
    one.heard("a", OLD)
    assert ("a", "c") == one.show(["a", "b", "c"]).keys[1].members


def test_other_changes_of_the_ring_forget_nobody() -> None:
    """Adding and removing keys says nothing about who sends with which."""
    one = guard(OLD)
    one.change(KeyRing((OLD, NEW)), ["a"])
    assert () == one.show(["a"]).keys[0].members == one.show(["a"]).keys[1].members
    one.heard("a", NEW)
    one.change(KeyRing((OLD, NEW, PLAIN)), ["a"])

    assert ("a",) == one.show(["a"]).keys[1].members


@pytest.mark.parametrize(
    ("keys", "expected"), [((OLD,), True), ((OLD, NEW), True), ((PLAIN,), False), ((OLD, PLAIN), False)]
)
def test_sealed(keys: tuple[Key, ...], expected: bool) -> None:
    """A daemon is sealed once nothing without a seal is sent or taken."""
    assert expected == guard(*keys).sealed
