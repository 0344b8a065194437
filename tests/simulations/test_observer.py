"""What an observer shows is what daemons show, and looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ring.address import Family
from simulations.clients import Habits
from simulations.facts import Fact, Observed
from simulations.outcome import BAND_CELLS
from simulations.simulated import SimulatedStage
from simulations.views import free_for, is_ready, owned_by, runs_of, view_of
from weaveipam.protocol.requests import Allocate, Want

StageOf = Callable[..., SimulatedStage]
CHURN = Habits(adds_per_s=20.0, hold_s=1.0, repeat=0.2, vanish=0.2, cross=0.2)


def observed(stage: SimulatedStage) -> list[Observed]:
    """The observations from now on."""
    found: list[Observed] = []

    def hear(fact: Fact) -> None:
        if isinstance(fact, Observed):
            found.append(fact)

    stage.world.hear = hear
    return found


# Views


def test_a_view_is_what_a_daemon_shows(stage_of: StageOf) -> None:
    """Free and used addresses, the ring, keys and members of one daemon; together they are the pool."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    client = stage.clients.add(machine, Habits())
    stage.run(1.0)
    views = [view_of(one, stage.world.rings) for one in stage.world.machines.values()]

    first = views[0]
    assert first.serving
    assert first.life == machine.life
    assert first.keys == {client.key}
    assert first.used == {"default": 1}
    assert first.alive == {"n1", "n2", "n3"}
    assert (first.size, first.unreachable, first.outgoing, first.conflicts) == (30, 0, 0, ())
    assert sum(one.free["default"] + one.used["default"] for one in views) == 30
    assert all(one.rings == first.rings for one in views)


def test_who_does_not_serve_owns_nothing(stage_of: StageOf) -> None:
    """A daemon in no cluster shows no ring, and nobody is told what it owns or has free."""
    stage = stage_of()
    lonely = stage.world.add("n4", [])
    lonely.start()
    ring = stage.world.rings[0]

    assert not is_ready(lonely)
    assert runs_of(lonely, ring) == ()
    assert owned_by(lonely, stage.world.rings) is None
    assert free_for(lonely, Allocate("a", wants=(Want(pools=("default",)),))) is None
    assert not view_of(lonely, stage.world.rings).serving


def test_free_is_known_for_any_one_address(stage_of: StageOf) -> None:
    """What a daemon has free is told for requests that any address will do for, and for no others."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    plain = Want(pools=("default",))
    view = view_of(machine, stage.world.rings)

    assert free_for(machine, Allocate("a", wants=(plain,))) == view.free["default"]
    assert free_for(machine, Allocate("a", wants=(Want(pools=("other",)),))) == 0
    for other in (
        replace(plain, family=Family.V4),
        replace(plain, prefix_length=30),
        replace(plain, index=3),
        replace(plain, fallback=True),
        Want(),
    ):
        assert free_for(machine, Allocate("a", wants=(other,))) is None
    assert free_for(machine, Allocate("a", wants=(plain,), name="vm")) is None
    assert free_for(machine, Allocate("a", wants=(plain, plain))) is None


def test_free_is_not_known_for_a_mixed_pool(stage_of: StageOf) -> None:
    """Where a pool has addresses of both families, nobody is told how many of one are free."""
    stage = stage_of(pool="10.0.0.0/29,fd00::/120")
    machine = stage.world.machines["n1"]

    assert view_of(machine, stage.world.rings).free["default"] > 6
    assert free_for(machine, Allocate("a", wants=(Want(pools=("default",)),))) is None


@pytest.mark.slow
def test_nobody_is_accused_of_free_addresses_of_the_other_family(stage_of: StageOf) -> None:
    """A pool whose IPv4 addresses are used up is exhausted, however many IPv6 addresses it has."""
    stage = stage_of(pool="10.0.0.0/29,fd00::/120")

    given = [stage.burst(12, stage.names)]
    stage.run(5.0)
    given.append(stage.burst(3, ["n1"]))
    stage.run(5.0)
    stage.judge()

    assert given == [6, 0]
    assert stage.court.violations == []


# Looking


@pytest.mark.slow
@pytest.mark.parametrize("every_s", [0.1, 0.37])
def test_looking_changes_nothing(stage_of: StageOf, every_s: float) -> None:
    """A run in which somebody looks all the time is the same run as one in which nobody does."""
    traces = []
    for looks in (False, True):
        stage = stage_of()
        stage.clients.load(CHURN)
        stage.split(["n1"], ["n2", "n3"])
        for _ in range(int(10 / every_s)):
            stage.world.timeline.run(stage.world.now + every_s)
            if looks:
                stage.observer.observe()
                stage.observer.agree()
        traces.append(stage.world.trace.digest())

    assert traces[0] == traces[1]


def test_only_who_can_be_asked_is_seen(stage_of: StageOf) -> None:
    """Daemons that are paused or down show nothing."""
    stage = stage_of()
    stage.pause("n1")
    stage.kill("n2")

    assert set(stage.observer.observe()) == {"n3"}


def test_reach_is_both_ways_and_all_the_while(stage_of: StageOf) -> None:
    """Machines reach each other if they did at the look before and nothing was cut in between."""
    stage = stage_of()
    found = observed(stage)
    everybody = {"n1", "n2", "n3"}

    stage.observer.observe()
    stage.observer.observe()
    assert found[-1].reach == dict.fromkeys(sorted(everybody), everybody)
    stage.cut(["n1"], ["n2"])
    stage.observer.observe()
    stage.observer.observe()
    assert found[-1].reach == {"n1": {"n1", "n3"}, "n2": {"n2", "n3"}, "n3": everybody}
    stage.heal()
    stage.cut(["n1"], ["n2"])
    stage.heal()
    stage.observer.observe()
    assert not any(found[-1].reach.values())
    stage.observer.observe()
    assert found[-1].reach["n1"] == everybody


def test_disagreement_is_measured(stage_of: StageOf) -> None:
    """A spell lasts from the first difference between daemons in reach until all hold one ring again."""
    stage = stage_of(nodes=4, pool="10.0.0.0/28")
    before = len(stage.observer.spells)
    assert stage.observer.agree()
    stage.split(["n1", "n2"], ["n3", "n4"])
    assert stage.burst(6, ["n1"])
    stage.run(1.0)
    assert stage.observer.agree(), "those who do not reach each other may differ"
    stage.world.network.heal()
    assert not stage.observer.agree()
    stage.run(10.0)

    assert stage.observer.agree()
    assert len(stage.observer.spells) > before
    assert max(stage.observer.spells) < 10.0


def test_the_chart_shows_the_run(stage_of: StageOf) -> None:
    """Samples cover the run at equal steps; bands are full of owners, and who came later has a place."""
    stage = stage_of()
    stage.clients.load(Habits(adds_per_s=5.0, hold_s=5.0))
    stage.run(3.0)
    stage.join(1)
    stage.run(3.0)
    stage.kill("n2")
    stage.run(1.0)
    chart = stage.observer.chart()

    last = chart.samples[-1]
    assert chart.machines == ("n1", "n2", "n3", "n4")
    assert chart.owners[:3] == ("n1", "n2", "n3")
    assert all(len(one.running) == len(one.free) == len(one.sent_bytes) == 4 for one in chart.samples)
    assert last.running == (True, False, True, True)
    assert 0 < last.given <= stage.world.given_count
    assert last.runs <= stage.observer.samples.runs_max
    (band,) = last.bands.values()
    assert len(band) == BAND_CELLS
    assert set(band) <= set(range(len(chart.owners)))
    assert list(chart.rings.values()) == ["10.0.0.0 10.0.0.31"]
    steps = {
        round(other.at - one.at, 6) for one, other in zip(chart.samples, chart.samples[1:], strict=False)
    }
    assert steps == {1.0}
    assert {one.kind for one in chart.marks} >= {"join", "crash", "phase"}


def test_another_life_is_another_owner(stage_of: StageOf) -> None:
    """What a daemon's second life owns is told apart from what the first one did."""
    stage = stage_of()
    machine = stage.world.machines["n3"]
    machine.kill()
    machine.disk.wipe()
    machine.start()
    stage.run(20.0)
    stage.burst(9, ["n3"])
    stage.run(3.0)

    assert "n3'2" in stage.observer.chart().owners
