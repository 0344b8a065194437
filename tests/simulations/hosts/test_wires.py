"""Cables of TAP devices."""

from __future__ import annotations

import threading

import pytest
from pyroute2 import netns

from simulations.hosts.namespaces import Lab, ping, why_unavailable
from simulations.hosts.wires import Wires

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(why_unavailable() is not None, reason=f"{why_unavailable()}"),
]


def test_frames_pass_and_wait() -> None:
    """Hosts on such cables reach each other, late by what both cables take; nothing is left in the end."""
    before = set(netns.listnetns()), threading.active_count()
    with Wires() as wires, Lab(wires.cable) as lab:
        first = lab.add_host("a", "172.30.0.11/24")
        lab.add_host("b", "172.30.0.12/24")
        quick = ping(first, "172.30.0.12")
        wires.slow("to-a", delay_s=0.01, bytes_per_s=0.0)
        wires.slow("to-b", delay_s=0.03, bytes_per_s=0.0)
        slow = ping(first, "172.30.0.12")

    assert quick is not None
    assert slow is not None
    assert quick < 0.08 <= slow < 0.2
    assert set(netns.listnetns()) <= before[0]
    assert threading.active_count() == before[1]


def test_frames_in_flight_go_with_their_hosts() -> None:
    """A lab that is closed while frames are under way takes its cables along."""
    with Wires() as wires:
        with Lab(wires.cable) as lab:
            first = lab.add_host("a", "172.30.0.11/24")
            lab.add_host("b", "172.30.0.12/24")
            wires.slow("to-b", delay_s=5.0, bytes_per_s=0.0)
            unanswered = ping(first, "172.30.0.12", timeout_s=0.3)
        wires.close()

    assert unanswered is None
