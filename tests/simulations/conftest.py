"""What tests of the simulator share."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from simulations.checkers.court import Court, all_checkers
from simulations.run import pools_of
from simulations.simulated import SimulatedStage
from simulations.world import Layout, World
from weaveipam.protocol.values import Pool


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Runs that a test can predict, and that other processes can import."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("doubles")


@pytest.fixture
def stage_of() -> Callable[..., SimulatedStage]:
    """
    Makes a stage: `stage_of(nodes=3, pool="10.0.0.0/27", seed="1")`; its cluster has formed, but for 0.

    With `pools` it has those.
    """

    def make(
        nodes: int = 3, pool: str = "10.0.0.0/27", seed: str = "1", pools: tuple[Pool, ...] = ()
    ) -> SimulatedStage:
        court = Court(all_checkers(cooldown_s=4.5))
        world = World(seed, Layout(pools=pools or pools_of([("default", pool)])), court.hear)
        court.on_first = world.trace.freeze
        stage = SimulatedStage(world, court, Random(seed), 20.0, lambda _share: None)
        if nodes:
            stage.form(nodes)
        return stage

    return make
