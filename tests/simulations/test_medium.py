"""What ports share: the time that links take."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import fmean

import pytest

from simulations.links import Links, Quality
from simulations.medium import Medium
from simulations.timeline import Timeline


def test_delays_are_a_minimum_and_an_exponential() -> None:
    """No delay is below the minimum, and the mean and the tail of what is added are as they should be."""
    medium = Medium(Timeline(), Random(1), Links(Quality()), Counter())
    link = Quality(delay_s=0.01, jitter_s=0.002)

    delays = [medium.delay_s(link) for _ in range(5000)]

    assert min(delays) >= 0.01
    assert fmean(delays) == pytest.approx(0.012, rel=0.02)
    assert sum(delay > 0.01 + 3 * 0.002 for delay in delays) == pytest.approx(5000 * 0.0498, rel=0.2)
