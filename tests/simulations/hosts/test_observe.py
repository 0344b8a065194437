"""What daemons show."""

from __future__ import annotations

from random import Random

import pytest

from ring.address import Family
from ring.ring import Peer
from simulations.hosts.host import Host
from simulations.hosts.journal import Journal
from simulations.hosts.load import Clients
from simulations.hosts.observe import look
from simulations.pools import hulls_of
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
POOL = parse_pool({"name": "default", "ranges": ["10.32.0.0/26"]})
HULL = hulls_of([POOL])[RING]
FIRST, LAST = HULL.start, HULL.stop - 1
ONE, TWO = Peer("n1", 1), Peer("n2", 2)


@pytest.mark.slow
def test_a_daemon_shows_what_it_has(host: Host) -> None:
    """A view has the daemon's life, its ring, and where its addresses are."""
    clients = Clients({"n1": host}, Journal(), Random(1))
    clients.burst(2, ["n1"])
    clients.close()
    views, at_once = look([host], (RING,))

    (shown,) = views.values()
    (run,) = shown.rings[RING]
    assert at_once
    assert (run.start, run.stop, run.owner) == (FIRST, LAST + 1, shown.life)
    assert (shown.free, shown.used, shown.size, len(shown.keys)) == ({"default": 60}, {"default": 2}, 62, 2)
    assert (shown.serving, shown.alive, shown.outgoing, shown.unreachable) == (True, frozenset({"n1"}), 0, 0)


@pytest.mark.slow
def test_a_dead_daemon_shows_nothing(host: Host) -> None:
    """A daemon that does not answer has no view."""
    host.kill()

    assert look([host], (RING,)) == ({}, True)
