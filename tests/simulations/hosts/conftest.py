"""One real daemon on a loopback address, for what needs neither a network nor root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulations.hosts.host import Host
from simulations.hosts.processes import DaemonPlan
from simulations.hosts.relay import Relay
from weaveipam.errors import ConfigError

POOL = "10.32.0.0/26"
"""62 addresses can be allocated."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host whose daemon serves; it is ended after the test."""
    with Relay(["n1"]) as relay:
        plan = DaemonPlan(
            name="n1",
            directory=tmp_path / "n1",
            place=relay.place("n1"),
            seeds=("n1",),
            pools=(f"default={POOL}",),
        )
        try:
            made = Host("n1", plan)
        except ConfigError as error:
            pytest.skip(str(error))
        with made.daemon as daemon:
            daemon.start()
            daemon.wait_ready()
            yield made
            made.kill()
