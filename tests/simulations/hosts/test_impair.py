"""Trouble between hosts, seen by pings through the kernel."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import permutations
from pathlib import Path
from statistics import median

import pytest

from simulations.hosts.impair import Segment, has_netem, ruleset
from simulations.hosts.namespaces import ping, why_unavailable
from simulations.hosts.place import within

root = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(why_unavailable() is not None, reason=f"{why_unavailable()}"),
]
needs_nft = pytest.mark.skipif(shutil.which("nft") is None, reason="no nftables")

ADDRESSES = {"a": "172.30.0.1", "b": "172.30.0.2", "c": "172.30.0.3"}


@pytest.fixture(params=["wires", "netem"])
def segment(request: pytest.FixtureRequest) -> Iterator[Segment]:
    """Hosts a, b and c, with links of either kind."""
    if request.param == "netem" and not has_netem():
        pytest.skip("this kernel has no netem")
    with Segment(use_netem=request.param == "netem") as made:
        for name, address in ADDRESSES.items():
            made.add_host(name, f"{address}/16")
        yield made


def ping_ms(segment: Segment, source: str, target: str) -> float:
    """The middle one of five pings that are answered."""
    namespace = segment.lab.place(source).namespace
    assert namespace is not None
    seconds = [ping(namespace, ADDRESSES[target]) for _ in range(5)]
    return 1000 * median([one for one in seconds if one is not None])


def answers(segment: Segment, source: str, target: str) -> bool:
    """Whether a single ping is answered."""
    namespace = segment.lab.place(source).namespace
    assert namespace is not None
    return ping(namespace, ADDRESSES[target], timeout_s=0.2) is not None


def arrivals(segment: Segment, count: int, size_bytes: int) -> list[float]:
    """When each of so many datagrams from a arrives at b, of those that do; `time.monotonic`."""
    places = [segment.lab.place(name).namespace for name in "ab"]
    source, target = (within(place, partial(socket.socket, type=socket.SOCK_DGRAM)) for place in places)
    found: list[float] = []
    with source, target:
        target.bind((ADDRESSES["b"], 9))
        target.settimeout(0.5)
        for _ in range(count):
            source.sendto(bytes(size_bytes), (ADDRESSES["b"], 9))
        with suppress(TimeoutError):
            while len(found) < count:
                target.recv(2048)
                found.append(time.monotonic())
    return found


def pings_received(segment: Segment, host: str) -> int:
    """ICMP echo requests that have arrived at a host, by its kernel."""
    text = within(segment.lab.place(host).namespace, Path("/proc/thread-self/net/snmp").read_text)
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp:"))
    return int(values[names.index("InEchos")])


def test_rules_name_pairs_and_shares() -> None:
    """The script replaces the whole table by one with each cut pair, and with each lossy host both ways."""
    script = ruleset([("b", "a"), ("a", "c")], {"a": 0.25, "b": 0.0})

    assert script.splitlines() == [
        "table bridge weaveipam",
        "delete table bridge weaveipam",
        "table bridge weaveipam {",
        '  set cut { type ifname . ifname; elements = { "to-a" . "to-c", "to-b" . "to-a" }; }',
        "  chain forward {",
        "    type filter hook forward priority 0;",
        "    iifname . oifname @cut drop",
        '    iifname "to-a" numgen random mod 10000 < 2500 drop',
        '    oifname "to-a" numgen random mod 10000 < 2500 drop',
        "  }",
        "}",
    ]


class TestSegment:
    """Each impairment is felt, by those concerned and nobody else, until it is healed."""

    pytestmark = root

    def test_delay_is_added_each_way(self, segment: Segment) -> None:
        """A host that is 30 ms away answers after 60 ms; others do as before, and so does it once healed."""
        before = ping_ms(segment, "a", "b")
        segment.impair(["b"], delay_s=0.03, loss=0.0, bytes_per_s=0.0)
        during, beside = ping_ms(segment, "a", "b"), ping_ms(segment, "a", "c")
        segment.heal()
        after = ping_ms(segment, "a", "b")

        assert max(before, beside, after) < 30
        assert 60 <= during < 120

    def test_a_thin_line_takes_its_time(self, segment: Segment) -> None:
        """30 datagrams of 1,042 bytes each on the wire take 0.3 s on a line of 100,000 bytes a second."""
        ping_ms(segment, "a", "b")  # they have found each other
        segment.impair(["b"], delay_s=0.0, loss=0.0, bytes_per_s=100_000.0)
        moments = arrivals(segment, 30, size_bytes=1000)

        assert 0.29 <= moments[-1] - moments[0] < 0.6

    @needs_nft
    def test_loss_is_a_share(self, segment: Segment) -> None:
        """Of 200 datagrams to a host that loses half about half arrive; the odds against are 1 to 10^7."""
        ping_ms(segment, "a", "b")
        segment.impair(["b"], delay_s=0.0, loss=0.5, bytes_per_s=0.0)

        assert 60 < len(arrivals(segment, 200, size_bytes=1)) < 140

    @needs_nft
    def test_a_cut_has_a_direction(self, segment: Segment) -> None:
        """With a to b cut, a's ping never arrives at b, b's arrives at a and its answer is lost."""
        ping_ms(segment, "a", "b")
        segment.cut([("a", "b")])
        before = [pings_received(segment, name) for name in "ab"]
        answered = [answers(segment, *pair) for pair in ("ab", "ba", "ac", "cb")]
        after = [pings_received(segment, name) for name in "ab"]

        assert answered == [False, False, True, True]
        assert [late - early for late, early in zip(after, before, strict=True)] == [1, 1]  # b's, and c's

    @needs_nft
    def test_heal_ends_everything(self, segment: Segment) -> None:
        """After all has been cut and made lossy everybody is reached again."""
        segment.cut(permutations(ADDRESSES, 2))
        segment.impair(ADDRESSES, delay_s=0.5, loss=1.0, bytes_per_s=100.0)
        during = answers(segment, "a", "b")
        segment.heal()

        assert (during, segment.cuts) == (False, set())
        assert ping_ms(segment, "a", "b") < 50
