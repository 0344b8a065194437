"""Who sends too much is not listened to for a while, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from weaveipam.daemon import flood
from weaveipam.daemon.flood import Gate, shut_out
from weaveipam.daemon.udp import Datagrams, kernel_drops_count
from weaveipam.protocol.values import Endpoint

PATIENCE_S = 10.0


class _Timer:
    def __init__(self, at: float, act: Callable[[], None]) -> None:
        self.at = at
        self.act = act
        self.over = False

    def cancel(self) -> None:
        self.over = True


class _World:
    """A clock, its timers, and the hosts that are shut out."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[_Timer] = []
        self.shut: list[str] = []
        self.gate = Gate(self.shut_out, self)

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[str], None], host: str) -> _Timer:
        self.timers.append(_Timer(self.now + delay, lambda: callback(host)))
        return self.timers[-1]

    def shut_out(self, hosts: Sequence[str]) -> None:
        self.shut = list(hosts)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for one in self.timers:
            if not one.over and one.at <= self.now:
                one.over = True
                one.act()

    def send(self, host: str, count: int) -> int:
        """How many of so many datagrams are admitted."""
        return sum(self.gate.admits(host) for _ in range(count))


class TestGate:
    """Counting."""

    def test_what_peers_send_is_admitted(self) -> None:
        """A host that stays below the limit loses nothing, however long it goes on."""
        world = _World()
        for _ in range(20):
            assert world.send("a", flood.WINDOW_DATAGRAMS_MAX) == flood.WINDOW_DATAGRAMS_MAX
            world.wait(flood.WINDOW_S)

        assert world.shut == []

    def test_the_surplus_of_one_host_is_dropped(self) -> None:
        """Beyond the limit a host is not heard until the window ends, and the others are."""
        world = _World()

        assert world.send("a", flood.WINDOW_DATAGRAMS_MAX + 10) == flood.WINDOW_DATAGRAMS_MAX
        assert world.send("b", 10) == 10
        world.wait(flood.WINDOW_S)
        assert world.send("a", 10) == 10

    def test_a_flood_is_shut_out_for_a_while(self) -> None:
        """Hosts that go on beyond the limit are shut out together, and let in again one by one."""
        world = _World()
        world.send("a", flood.FLOOD_DATAGRAMS)
        assert world.shut == ["a"]

        world.wait(flood.SHUT_S / 2)
        world.send("b", flood.FLOOD_DATAGRAMS)
        assert world.shut == ["a", "b"]

        world.wait(flood.SHUT_S / 2)
        assert world.shut == ["b"]
        world.wait(flood.SHUT_S / 2)
        assert world.shut == []

        world.send("a", flood.FLOOD_DATAGRAMS)
        assert world.shut == ["a"]
        world.gate.stop()
        world.send("b", flood.FLOOD_DATAGRAMS)
        assert all(one.over for one in world.timers)
        assert world.shut == ["a"]

    def test_forged_hosts_are_bounded(self) -> None:
        """However many hosts there are, few are counted, fewer shut out; the others share one count."""
        world = _World()
        admitted = sum(world.send(f"h{number}", 1) for number in range(flood.HOSTS_MAX + 5000))
        assert admitted == flood.HOSTS_MAX + flood.WINDOW_DATAGRAMS_MAX
        assert len(world.gate._counts) == flood.HOSTS_MAX + 1

        world.wait(flood.WINDOW_S)
        for number in range(flood.SHUT_HOSTS_MAX + 5):
            world.send(f"h{number}", flood.FLOOD_DATAGRAMS)
        assert len(world.shut) == flood.SHUT_HOSTS_MAX


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
@pytest.mark.parametrize(
    ("family", "bad", "good"),
    [
        (socket.AF_INET, [f"127.0.2.{number}" for number in range(1, 65)], ["127.0.3.1", "127.1.2.1"]),
        (socket.AF_INET6, ["::2", "fe80::1%lo"], ["::1"]),
    ],
)
def test_the_kernel_drops_what_is_shut_out(family: int, bad: list[str], good: list[str]) -> None:
    """Datagrams of exactly the named hosts never arrive, until the filter is taken away; they are counted."""
    with contextlib.ExitStack() as stack:

        def bound(host: str) -> socket.socket:
            sock = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            sock.bind((host, 0))
            sock.settimeout(PATIENCE_S)
            return sock

        receiver = bound(good[0])
        strangers = {host: bound(host) for host in bad if host.startswith("127.")}
        shut_out(receiver, bad)
        for sock in strangers.values():
            sock.sendto(b"bad", receiver.getsockname())
        for host in good:
            bound(host).sendto(host.encode(), receiver.getsockname())

        assert good == [receiver.recv(64).decode() for _ in good]
        assert kernel_drops_count(receiver) == len(strangers)

        shut_out(receiver, ())
        for sock in list(strangers.values())[:1]:
            sock.sendto(b"heard", receiver.getsockname())
            assert receiver.recv(64) == b"heard"


def test_without_filters_nothing_happens() -> None:
    """Where a filter cannot be set or taken away, that is no error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        shut_out(sock, ())
    shut_out(sock, ["127.0.0.1"])


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
async def test_a_real_flood() -> None:
    """A host that floods the socket is shut out by the kernel; all that another one sends is delivered."""
    delivered: Counter[str] = Counter()
    counters: Counter[str] = Counter()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    datagrams = await Datagrams.open(sock, lambda _packet, source: delivered.update([source.host]), counters)
    address = Endpoint(*sock.getsockname())
    sent: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        loud, quiet = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in "12")
        loud.bind(("127.0.4.1", 0))
        quiet.bind(("127.0.4.2", 0))
        async with asyncio.timeout(PATIENCE_S):
            while counters["dropped.kernel"] == 0 or sent["quiet"] < 20:  # however slow this machine is
                for _ in range(100):
                    loud.sendto(b"loud", address)
                quiet.sendto(b"quiet", address)
                sent.update(loud=100, quiet=1)
                while sum(delivered.values()) + lost(datagrams, counters) < sum(sent.values()):  # noqa: ASYNC110 - counters know of no event
                    await asyncio.sleep(0)
    await datagrams.close()

    assert counters["dropped.datagram-flood"] > 0
    assert delivered["127.0.4.2"] == sent["quiet"]
    assert delivered["127.0.4.1"] < sent["loud"]


def lost(datagrams: Datagrams, counters: Counter[str]) -> int:
    """Datagrams that were dropped on purpose."""
    datagrams.refresh_counters()
    return counters["dropped.datagram-flood"] + counters["dropped.kernel"]
