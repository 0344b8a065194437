"""The relay between daemons, with plain sockets in the daemons' place."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from simulations.hosts.relay import Relay


def split(endpoint: str) -> tuple[str, int]:
    """The host and port of an endpoint's text."""
    host, _, port = endpoint.rpartition(":")
    return host, int(port)


class Party:
    """One daemon's sockets: bound where a daemon would bind, talking to stand-ins as a daemon would."""

    def __init__(self, relay: Relay, name: str) -> None:
        self.bind, self.advertise = (split(endpoint) for endpoint in relay.place(name)[:2])
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(self.bind)
        self.datagrams.settimeout(0.2)
        self.listener = socket.create_server(self.bind)
        self.listener.settimeout(2)

    def connect(self, other: Party) -> socket.socket:
        """A connection to the other's stand-in."""
        return socket.create_connection(other.advertise, timeout=2, source_address=(self.bind[0], 0))

    def close(self) -> None:
        """Closes the sockets."""
        self.datagrams.close()
        self.listener.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay for a, b and c."""
    with Relay(["a", "b", "c"]) as running:
        yield running


@pytest.fixture
def parties(relay: Relay) -> Iterator[dict[str, Party]]:
    """The sockets of a, b and c."""
    made = {name: Party(relay, name) for name in "abc"}
    yield made
    for party in made.values():
        party.close()


def reaches(source: Party, target: Party) -> bool:
    """Whether a datagram arrives."""
    source.datagrams.sendto(b"ping", target.advertise)
    try:
        return target.datagrams.recvfrom(100)[0] == b"ping"
    except TimeoutError:
        return False


def test_datagrams_arrive_from_the_senders_stand_in(parties: dict[str, Party]) -> None:
    """A datagram keeps its bytes, and its source is where an answer to the sender would go."""
    parties["a"].datagrams.sendto(b"hello", parties["b"].advertise)

    assert parties["b"].datagrams.recvfrom(100) == (b"hello", parties["a"].advertise)


@pytest.mark.slow
def test_cut_drops_datagrams_of_one_party_only(relay: Relay, parties: dict[str, Party]) -> None:
    """Nothing reaches or leaves the party that is cut off, and the others do not notice."""
    a, b, c = parties["a"], parties["b"], parties["c"]
    relay.cut("c")

    assert (reaches(a, b), reaches(a, c), reaches(c, a)) == (True, False, False)


@pytest.mark.slow
def test_heal_lets_datagrams_pass_again(relay: Relay, parties: dict[str, Party]) -> None:
    """After a heal both directions work as before."""
    a, c = parties["a"], parties["c"]
    relay.cut("c")
    dropped = reaches(a, c)
    relay.heal("c")

    assert (dropped, reaches(a, c), reaches(c, a)) == (False, True, True)


def test_streams_carry_bytes_both_ways_and_their_end(parties: dict[str, Party]) -> None:
    """A connection through the relay is a connection: bytes in both directions, and the end of the stream."""
    with parties["a"].connect(parties["b"]) as near, parties["b"].listener.accept()[0] as far:
        near.sendall(b"x" * 100_000)
        near_sent = far.recv(100_000, socket.MSG_WAITALL)
        far.sendall(b"y")
        far_sent = near.recv(1)
        near.close()

        assert (near_sent, far_sent, far.recv(1)) == (b"x" * 100_000, b"y", b"")


def test_a_stream_comes_from_the_senders_stand_in(parties: dict[str, Party]) -> None:
    """The receiver sees the sender's stand-in as the host that connected."""
    with parties["a"].connect(parties["b"]), parties["b"].listener.accept()[0] as far:
        assert far.getpeername()[0] == parties["a"].advertise[0]


def test_cut_breaks_connections_in_both_directions(relay: Relay, parties: dict[str, Party]) -> None:
    """A connection that a cut-off party opened, and one that it accepted, are both broken at both ends."""
    a, c = parties["a"], parties["c"]
    with (
        a.connect(c) as to_c,
        c.listener.accept()[0] as at_c,
        c.connect(a) as to_a,
        a.listener.accept()[0] as at_a,
    ):
        relay.cut("c")
        ends = []
        for end in (to_c, at_c, to_a, at_a):
            end.settimeout(2)
            try:
                ends.append(end.recv(1))
            except ConnectionError:
                ends.append(b"")

        assert ends == [b""] * 4


def test_no_new_connection_passes_a_cut(relay: Relay, parties: dict[str, Party]) -> None:
    """A connection to a party that is cut off ends without a byte, and the party never sees it."""
    a, c = parties["a"], parties["c"]
    relay.cut("c")
    c.listener.settimeout(0.1)
    with a.connect(c) as near:
        try:
            got = near.recv(1)
        except ConnectionError:
            got = b""

    assert got == b""
    with pytest.raises(TimeoutError):
        c.listener.accept()


def test_strangers_are_not_passed_on(parties: dict[str, Party]) -> None:
    """A datagram from an address that belongs to no party goes nowhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"who am i", parties["a"].advertise)
        parties["b"].datagrams.sendto(b"after", parties["a"].advertise)

    assert parties["a"].datagrams.recvfrom(100)[0] == b"after"


def test_two_relays_live_side_by_side(relay: Relay) -> None:
    """A second relay takes other addresses than the first."""
    with Relay(["a"]) as other:
        assert other.place("a").bind != relay.place("a").bind
