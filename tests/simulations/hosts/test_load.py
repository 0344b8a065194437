"""The CNI program as load, with a real daemon, and what is stated of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from simulations.hosts.host import Host
from simulations.hosts.journal import Journal
from simulations.hosts.load import Clients

pytestmark = pytest.mark.slow


@pytest.fixture
def journal() -> Journal:
    """Nothing is known yet."""
    return Journal()


@pytest.fixture
def clients(host: Host, journal: Journal) -> Iterator[Clients]:
    """The runtime of one host, idle."""
    made = Clients({host.name: host}, journal, Random(1))
    yield made
    made.close()


def keys(host: Host) -> list[str]:
    """What its daemon lists."""
    return [one["key"] for one in host.daemon.ask("GET", "/v1/allocations")]


def wait(holds: Callable[[], bool]) -> None:
    """Until it holds; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_burst_takes_all_there_is(host: Host, journal: Journal, clients: Clients) -> None:
    """Of 65 requests at once 62 get the 62 addresses, three are refused, and all come back."""
    given = clients.burst(65, ["n1"])
    listed = len(keys(host))
    clients.release([])

    assert (given, listed, keys(host)) == (62, 62, [])
    assert (dict(journal.failures), journal.court.violations) == ({"exhausted": 3}, [])


def test_pods_come_and_go(host: Host, journal: Journal, clients: Clients) -> None:
    """Under load pods are added and deleted; without it those there are go when their time has come."""
    clients.load(40.0, 0.1, [])
    wait(lambda: journal.given_count > 20)
    clients.load(0.0, 0.0, [])

    wait(lambda: not clients.pods_of(host))
    clients.close()
    assert (keys(host), journal.court.violations) == ([], [])


def test_deletions_survive_a_dead_daemon(host: Host, journal: Journal, clients: Clients) -> None:
    """What is deleted while the daemon is down is gone once it is back and has been called."""
    clients.burst(3, ["n1"])
    host.kill()
    clients.release([])
    host.daemon.start()
    host.daemon.wait_ready()
    before = clients.burst(1, ["n1"])

    assert (before, len(keys(host)), journal.court.violations) == (1, 1, [])


def test_a_daemon_that_forgot_is_found_out(host: Host, journal: Journal, clients: Clients) -> None:
    """If its disk is replaced and nobody says so, the CHECK before the deletion shows what it has lost."""
    clients.burst(1, ["n1"])
    host.kill()
    shutil.rmtree(host.data)
    host.daemon.start()
    host.daemon.wait_ready()
    clients.release([])

    assert [one.checker for one in journal.court.violations] == ["durability"]


def test_a_snapshot_is_what_was_there(host: Host, clients: Clients) -> None:
    """A disk that is restored holds what it held when it was saved, and the daemon ran on meanwhile."""
    clients.burst(2, ["n1"])
    before = keys(host)
    host.save(host.daemon.plan.directory / "saved")
    clients.burst(2, ["n1"])
    between = keys(host)
    host.kill()
    host.restore(host.daemon.plan.directory / "saved")
    host.daemon.start()
    host.daemon.wait_ready()

    assert (len(before), len(between), keys(host)) == (2, 4, before)
