"""Making runs, each in a process of its own."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from simulations.scale.fleet import Fleet
from simulations.scale.measures import Measurement
from simulations.scale.results import Results
from simulations.scale.spreading import Readings
from simulations.scale.taking import FailedError, take


def moved(fleet: Fleet, rng: Random) -> Readings:
    """Changes the cluster, and tells how late it is in it."""
    fleet.run(1.0)
    return {"now": fleet.now, "chance": rng.random()}


def failing(_fleet: Fleet, _rng: Random) -> Readings:
    """Has a bug."""
    raise ZeroDivisionError


def test_runs_begin_with_the_same_cluster_and_are_kept(tmp_path: Path) -> None:
    """No run sees what another one did, each has its own chance, and all are in the file."""
    results = Results(tmp_path / "scale.json")
    one = Measurement(name="moved", run=moved, seeds={0: 3})
    told: list[str] = []
    take([one], [2, 3], results, again=False, tell=told.append)

    runs = list(Results(tmp_path / "scale.json"))
    assert [(run.nodes, run.seed) for run in runs] == [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
    assert len({run.readings["now"] for run in runs}) == 1
    assert len({run.readings["chance"] for run in runs}) == 3
    assert len(told) == 2 + 6


def test_what_is_there_is_made_again_only_if_asked(tmp_path: Path) -> None:
    """Without `again` nothing is left to do, not even a cluster to make."""
    results = Results(tmp_path / "scale.json")
    one = Measurement(name="moved", run=moved, seeds={0: 1})
    told: list[str] = []
    take([one], [2], results, again=False, tell=told.append)
    told.clear()
    take([one], [2], results, again=False, tell=told.append)
    assert told == []
    take([one], [2], results, again=True, tell=told.append)
    assert len(told) == 2


def test_a_run_that_fails_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By name, and its own error is on stderr."""
    one = Measurement(name="failing", run=failing, seeds={0: 1})
    with pytest.raises(FailedError, match="failing with 2 nodes, seed 0"):
        take([one], [2], Results(tmp_path / "scale.json"), again=False, tell=lambda _line: None)
    assert "ZeroDivisionError" in capfd.readouterr().err
