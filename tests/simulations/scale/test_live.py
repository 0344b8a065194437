"""A real daemon among simulated nodes."""

from __future__ import annotations

from random import Random

import pytest

from simulations.scale.fleet import Fleet, Shape
from simulations.scale.live import daemon
from simulations.scale.policies import POLICIES


@pytest.mark.slow
def test_a_daemon_joins_and_is_measured() -> None:
    """It sees all simulated nodes and itself, and what it takes is more than nothing and less than all."""
    fleet = Fleet(Shape(5, loopback=True), POLICIES["ours"], "1")
    readings = daemon(fleet, Random(1), 1.0, calm_s=2.0, burst_s=1.0)

    assert readings["members"] == 6
    cpu_share, rss_bytes = readings["cpu_share"], readings["rss_bytes"]
    assert isinstance(cpu_share, float)
    assert isinstance(rss_bytes, float)
    assert 0 <= cpu_share < 1
    assert 1e6 < rss_bytes < 1e9
