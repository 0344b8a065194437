"""The knobs of gossip."""

from __future__ import annotations

from typing import Any

import pytest

from weaveipam.errors import ConfigError
from weaveipam.gossip.settings import GossipSettings


@pytest.mark.parametrize("name", ["lan", "wan", "test"])
def test_presets_exist(name: str) -> None:
    """Each preset that is named in the documentation passes its own checks."""
    assert GossipSettings.preset(name).fan_out == 4


def test_an_unknown_preset_is_the_operators_error() -> None:
    """A misspelt preset is refused, and the sentence names those there are."""
    with pytest.raises(ConfigError, match="expected lan, wan or test"):
        GossipSettings.preset("lann")


def test_the_test_preset_is_quick() -> None:
    """On one host a few members find a death within about a second and a half."""
    test = GossipSettings.preset("test")

    assert test.suspicion_s(3, 0) == pytest.approx(1.02)
    assert test.probe_interval_s <= 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        {"probe_timeout_s": 0.9},
        {"probe_timeout_s": 0.0},
        {"suspicion_multiplier": 0.5},
        {"suspicion_max_factor": 0.5},
        {"suspicion_confirmations": -1},
        {"health_max": -1},
        {"remember_s": 0.0},
        {"rumour_interval_s": 0.0},
        {"retransmission_multiplier": 0.0},
        {"fan_out": 0},
        {"push_queue_max": 0},
        {"dead_probe_rounds": 0},
        {"helpers": -1},
        {"repair_interval_s": -0.1},
        {"push_again_s": (0.2, 0.1)},
        {"push_again_s": (0.0, 0.1)},
    ],
)
def test_values_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """A value out of bounds, or at odds with another one, is the operator's error."""
    with pytest.raises(ConfigError):
        GossipSettings(**wrong)


@pytest.mark.parametrize(
    ("members", "packets"), [(1, 4), (2, 4), (9, 4), (10, 8), (98, 8), (99, 8), (999, 12)]
)
def test_retransmissions_grow_with_the_logarithm(members: int, packets: int) -> None:
    """Ten times the members cost one more multiplier of packets for each rumour."""
    assert GossipSettings().retransmissions(members) == packets


@pytest.mark.parametrize(("members", "seconds"), [(1, 6.0), (1000, 6.0), (10000, 8.0)])
def test_suspicion_grows_with_the_logarithm(members: int, seconds: float) -> None:
    """From a thousand on ten times the members give a suspect two rounds more."""
    assert GossipSettings().suspicion_s(members, 3) == pytest.approx(seconds)


@pytest.mark.parametrize(("members", "confirmations"), [(1, 0), (2, 0), (4, 0), (5, 3), (5000, 3)])
def test_no_more_are_asked_for_than_there_are(members: int, confirmations: int) -> None:
    """A suspicion waits for confirmation by three members, or by none where there are not so many."""
    settings = GossipSettings()

    assert settings.confirmations(members) == confirmations
    assert settings.suspicion_s(members, confirmations) == settings.suspicion_s(members, 9)


@pytest.mark.parametrize("preset", ["lan", "wan", "test"])
def test_a_confirmation_more_is_never_a_longer_time(preset: str) -> None:
    """Each confirmation shortens the time of a suspect, from the most to the least."""
    times = [GossipSettings.preset(preset).suspicion_s(100, confirmed) for confirmed in range(5)]

    assert times[:4] == sorted(set(times), reverse=True)
    assert times[3] == times[4]
