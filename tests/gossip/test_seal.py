"""Sealing and opening: what is changed, repeated or another's is refused, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.errors import PeerError
from weaveipam.gossip import seal
from weaveipam.gossip.seal import OVERHEAD_BYTES, WINDOW, Seal, UnopenedError
from weaveipam.protocol import codec
from weaveipam.protocol.effects import STREAM_BYTES_MAX
from weaveipam.protocol.keyring import PLAIN, UNSEALED, Key, KeyRing

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
CONTENT = codec.WIRE_VERSION.to_bytes(1, "big") + b"what is said"


def one(*keys: Key, session: bytes = b"sender..") -> Seal:
    """A daemon with these keys."""
    return Seal(KeyRing(keys or (OLD,)), session)


def other(*keys: Key) -> Seal:
    """Another daemon with these keys."""
    return one(*keys, session=b"receiver")


def event(receiver: Seal, packet: bytes) -> str:
    """What a packet is refused as; empty if it is opened."""
    try:
        receiver.open(packet)
    except UnopenedError as error:
        return error.event
    except PeerError:
        return "bad-packet"
    return ""


def sealed(sender: Seal, count: int) -> Sequence[bytes]:
    """That many packets of a sender, in the order of their counters."""
    return [sender.seal(CONTENT, stream=False) for _ in range(count)]


@given(st.binary(max_size=2000), st.sampled_from([OLD, NEW]), st.booleans())
def test_round_trip(content: bytes, key: Key, stream: bool) -> None:
    """Whatever is sealed is opened as it was, and told with which key; it is at most 32 bytes longer."""
    packet = one(key).seal(content, stream=stream)

    assert (content, key) == other(NEW, OLD).open(packet)
    assert len(content) + 32 == len(content) + OVERHEAD_BYTES == len(packet)


@given(st.binary(min_size=1, max_size=200).map(lambda tail: CONTENT[:1] + tail))
def test_without_a_key_there_is_a_checksum(content: bytes) -> None:
    """A daemon that uses no key sends packets of the codec, which are no longer than sealed ones."""
    packet = Seal(UNSEALED, b"").seal(content, stream=False)

    assert codec.plain_packet(content) == packet
    assert (content, PLAIN) == Seal(UNSEALED, b"").open(packet)
    assert len(packet) <= len(content) + OVERHEAD_BYTES


@pytest.mark.parametrize("key", [OLD, NEW])
def test_every_flipped_bit_is_refused(key: Key) -> None:
    """A packet of which any one bit differs is refused; after all of them the packet itself is opened."""
    packet = one(key).seal(CONTENT, stream=False)
    receiver = other(key, PLAIN)
    for bit in range(8 * len(packet)):
        changed = bytearray(packet)
        changed[bit // 8] ^= 1 << bit % 8
        assert event(receiver, bytes(changed)) in {"forged-packet", "unknown-key", "bad-packet"}
    assert not event(receiver, packet)


def test_every_truncation_is_refused() -> None:
    """The beginning of a packet, or one with something behind it, is refused."""
    packet = one().seal(CONTENT, stream=False)
    receiver = other()

    assert {"forged-packet", "bad-packet"} == {event(receiver, packet[:end]) for end in range(len(packet))}
    assert "forged-packet" == event(receiver, packet + b"\0")
    assert not event(receiver, packet)


def test_an_oversize_packet_is_refused_unread() -> None:
    """What exceeds a stream's bound is refused by its length."""
    head = one().seal(CONTENT, stream=True)[:16]

    assert "forged-packet" == event(other(), head + bytes(STREAM_BYTES_MAX))


@given(st.binary(max_size=100), st.booleans())
def test_garbage_raises_nothing_else(garbage: bytes, sealed_first: bool) -> None:
    """Any bytes are opened or refused; and what nobody sealed is not opened."""
    first = bytes((seal.SEALED,)) + OLD.tag if sealed_first else b""

    assert event(other(), first + garbage)


def test_another_key_is_refused() -> None:
    """Who lacks the key learns which one it lacks, and nothing else."""
    packet = one(NEW).seal(CONTENT, stream=False)

    assert "unknown-key" == event(other(OLD), packet)
    with pytest.raises(UnopenedError, match=f"sealed with key {NEW.id}"):
        other(OLD).open(packet)


def test_a_key_of_the_same_id_is_refused() -> None:
    """A key's id is only a name: who makes another key's packets bear it forges."""
    packet = one(NEW).seal(CONTENT, stream=False)

    assert "forged-packet" == event(other(OLD), packet[:1] + OLD.tag + packet[4:])


def test_unsealed_packets_need_leave() -> None:
    """A packet without a seal is taken only where the ring says so, and a damaged one nowhere."""
    packet = codec.plain_packet(CONTENT)

    assert "unsealed-packet" == event(other(OLD), packet)
    assert not event(other(OLD, PLAIN), packet)
    assert "bad-packet" == event(other(OLD, PLAIN), packet[:-1])


def test_a_packet_is_opened_once() -> None:
    """A repeated packet is refused, at once and after many others."""
    sender, receiver = one(), other()
    packets = sealed(sender, 10)
    for packet in packets:
        assert not event(receiver, packet)

    assert ["replayed-packet"] * 10 == [event(receiver, packet) for packet in packets]


@given(st.permutations(range(40)))
def test_order_does_not_matter(order: list[int]) -> None:
    """Packets within the window are opened in any order, each once."""
    packets = sealed(one(), 40)
    receiver = other()

    assert [""] * 40 == [event(receiver, packets[number]) for number in order]
    assert ["replayed-packet"] * 40 == [event(receiver, packets[number]) for number in order]


def test_the_edge_of_the_window() -> None:
    """The oldest counter of the window is still opened, once; the one before it is not."""
    packets = sealed(one(), WINDOW + 1)
    receiver = other()
    assert not event(receiver, packets[-1])

    assert "replayed-packet" == event(receiver, packets[0])
    assert ["", "replayed-packet"] == [event(receiver, packets[1]) for _ in range(2)]


@given(st.lists(st.integers(1, 3 * WINDOW), min_size=1, max_size=60))
def test_window_against_a_set(counters: list[int]) -> None:
    """The window accepts what a set of all counters seen would, but for those older than it."""
    window, seen, highest = None, set[int](), 0
    for counter in counters:
        old = bool(seen) and counter <= highest - WINDOW
        try:
            window = seal._advanced(window, counter)
        except UnopenedError:
            assert old or counter in seen
        else:
            assert not old
            assert counter not in seen
        seen.add(counter)
        highest = max(highest, counter)


def test_a_forgery_moves_no_window() -> None:
    """A made-up counter, however high, keeps no true packet out."""
    first, second = sealed(one(), 2)
    receiver = other()
    receiver.open(first)

    assert "forged-packet" == event(receiver, second[:12] + b"\xff\xff\xff\xff" + second[16:])
    assert not event(receiver, second)


def test_streams_are_numbered_apart() -> None:
    """A stream that thousands of datagrams overtake is not too old when it is there."""
    sender, receiver = one(), other()
    late = sender.seal(CONTENT, stream=True)
    for packet in sealed(sender, 2 * WINDOW):
        receiver.open(packet)

    assert not event(receiver, late)
    assert "replayed-packet" == event(receiver, late)


def test_a_restart_is_another_session() -> None:
    """After a restart counters begin anew, under another derived key: the same is sealed otherwise."""
    before, after = one(session=b"first..."), one(session=b"second..")
    packets = [each.seal(CONTENT, stream=False) for each in (before, after)]
    receiver = other()

    assert packets[0][12:16] == packets[1][12:16]
    assert packets[0][16:] != packets[1][16:]
    assert ["", ""] == [event(receiver, packet) for packet in packets]


@pytest.mark.parametrize(("limit", "value"), [("_counter", seal.PACKETS_MAX), ("_blocks", seal.BLOCKS_MAX)])
def test_the_end_of_a_session(limit: str, value: int) -> None:
    """No counter repeats: a session that has sealed as much as is safe is followed by another one."""
    sender, receiver = one(), other()
    first = sender.seal(CONTENT, stream=False)
    setattr(sender._datagrams, limit, value - 1)
    last, *after = sealed(sender, 3)

    assert [first[4:12]] == [last[4:12]]
    assert [b"\0\0\0\1", b"\0\0\0\2"] == [packet[12:16] for packet in after]
    assert 1 == len({packet[4:12] for packet in after} - {first[4:12]})
    assert [""] * 4 == [event(receiver, packet) for packet in (first, last, *after)]


def test_rotation_keeps_the_counters() -> None:
    """Under another key a session goes on, so that what was opened under the old one stays opened."""
    sender, receiver = one(OLD, NEW), other(OLD, NEW)
    before = sender.seal(CONTENT, stream=False)
    assert not event(receiver, before)
    for each in (sender, receiver):
        each.use(KeyRing((NEW, OLD)))
    after = sender.seal(CONTENT, stream=False)

    assert not event(receiver, after)
    assert ["replayed-packet"] * 2 == [event(receiver, packet) for packet in (before, after)]
    receiver.use(KeyRing((NEW,)))
    assert "unknown-key" == event(receiver, before)


def test_sessions_are_bounded() -> None:
    """The session longest silent is forgotten when there are too many, but not for a made-up one."""
    receiver = other()
    receiver._windows = {number.to_bytes(8, "big"): 1 << 32 | 1 for number in range(seal.SESSIONS_MAX)}
    speaking = next(iter(receiver._windows))
    receiver._windows[speaking] = receiver._windows.pop(speaking)
    packet = one().seal(CONTENT, stream=False)
    assert "forged-packet" == event(receiver, packet[:4] + b"made up." + packet[12:])
    assert not event(receiver, packet)

    assert seal.SESSIONS_MAX == len(receiver._windows)
    assert speaking in receiver._windows
    assert (1).to_bytes(8, "big") not in receiver._windows


def test_a_key_without_a_session_is_a_bug() -> None:
    """A daemon that was given no session cannot seal: it would use numbers twice."""
    with pytest.raises(AssertionError):
        Seal(KeyRing((OLD,)), b"")
    unsealed = Seal(UNSEALED, b"")
    with pytest.raises(AssertionError):
        unsealed.use(KeyRing((OLD, PLAIN)))


def test_a_notice_says_which_key() -> None:
    """Who is told that it was not understood learns which key is in use there; nothing more is believed."""
    with pytest.raises(UnopenedError, match=f"it uses key {NEW.id}, this daemon no key") as caught:
        Seal(UNSEALED, b"").open(seal.notice(KeyRing((NEW,))))
    assert "refused-by-peer" == caught.value.event
    with pytest.raises(UnopenedError, match=f"it uses no key, this daemon key {OLD.id}"):
        other(OLD).open(seal.notice(UNSEALED))
