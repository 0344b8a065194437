"""What a scenario tells the stage happens to the simulated cluster, and the end is judged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.facts import Fact, Observed
from simulations.simulated import SimulatedStage
from simulations.views import is_ready, view_of
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.keyring import PLAIN, Key, KeyRing
from weaveipam.protocol.requests import GetAllocations

StageOf = Callable[..., SimulatedStage]


@pytest.fixture
def stage(stage_of: StageOf) -> SimulatedStage:
    """Three daemons that serve, and 30 addresses."""
    return stage_of()


def running(stage: SimulatedStage) -> list[str]:
    """Whose daemons run and are not paused."""
    return [one.name for one in stage.world.running()]


def alive(stage: SimulatedStage, name: str) -> frozenset[str]:
    """Whom a daemon sees alive."""
    return view_of(stage.world.machines[name], stage.world.rings).alive


def test_a_stage_forms_its_cluster(stage: SimulatedStage) -> None:
    """So many daemons as asked for serve and agree, and the pool is known."""
    assert stage.names == ("n1", "n2", "n3")
    assert stage.pool_size == 30
    assert stage.seconds == 20.0
    assert all(is_ready(one) for one in stage.world.running())
    assert stage.observer.agree()
    assert stage.court.violations == []


def test_keys_are_set(stage: SimulatedStage) -> None:
    """Daemons get other keys at once and keep them over a restart; too early a step is counted."""
    old, new = Key(b"an old key......"), Key(b"and a new key...")
    for keys in ((PLAIN, old), (old,)):
        stage.set_keys(stage.names, *keys)
        stage.run(1.0)
    stage.kill("n2")
    stage.start("n2")
    stage.settle()
    assert stage.unopened() == 0
    assert all(one.settings.keyring == KeyRing((old,)) for one in stage.world.running())

    stage.set_keys(["n1"], new, old)
    stage.run(1.0)
    assert stage.unopened() > 0


def test_time_passes(stage: SimulatedStage) -> None:
    """As much as was asked for, to the moment."""
    before = stage.world.now
    stage.run(2.7)

    assert stage.world.now == pytest.approx(before + 2.7)


# Clients


def test_a_burst_is_answered(stage: SimulatedStage) -> None:
    """So many ask at once, in turn at these machines that are up; it says how many were given something."""
    stage.kill("n2")

    assert stage.burst(6, ["n1", "n2", "n3"]) == 6
    held = [one.machine.name for one in stage.clients.here.values()]
    assert [held.count(name) for name in stage.names] == [3, 0, 3]
    assert stage.burst(4, ["n2"]) == 0


def test_a_burst_beyond_what_there_is_is_refused(stage: SimulatedStage) -> None:
    """No more are given something than there are addresses."""
    assert stage.burst(40, ["n1"]) == 30


def test_what_is_held_can_be_released(stage: SimulatedStage) -> None:
    """At some machines, or everywhere."""
    stage.burst(6, stage.names)
    stage.release(["n1"])
    assert {one.machine.name for one in stage.clients.here.values()} == {"n2", "n3"}

    stage.release()

    assert stage.clients.here == {}


def test_load_comes_and_ends(stage: SimulatedStage) -> None:
    """Clients come at a rate until it is 0, and then leave when their time has come."""
    stage.load(adds_per_s=10.0, hold_s=0.5)
    stage.run(5.0)
    count = stage.world.given_count
    assert 25 < count < 100

    stage.load(adds_per_s=0, hold_s=1)
    stage.run(10.0)

    assert stage.world.given_count <= count + 5
    assert stage.clients.here == {}


# The network


def test_groups_do_not_reach_each_other(stage_of: StageOf) -> None:
    """Nothing passes between groups, and who is in none is alone; within a group all is well."""
    stage = stage_of(nodes=4)
    stage.split(["n1", "n2"], ["n3"])
    reaches = stage.world.network.reaches

    assert {(one, other) for one in stage.names for other in stage.names if reaches(one, other)} == {
        ("n1", "n2"),
        ("n2", "n1"),
        *((one, one) for one in stage.names),
    }
    stage.run(10.0)
    assert alive(stage, "n1") == {"n1", "n2"}
    assert alive(stage, "n4") == {"n4"}


def test_a_cut_has_a_direction_and_heals(stage: SimulatedStage) -> None:
    """Nothing passes from these to those; after healing everything does."""
    reaches = stage.world.network.reaches
    stage.cut(["n1"], ["n2", "n3"])
    assert not reaches("n1", "n2")
    assert reaches("n2", "n1")

    stage.heal()

    assert reaches("n1", "n2")


def test_links_are_impaired_and_heal(stage: SimulatedStage) -> None:
    """Slow links lose what they are said to lose, until they heal."""
    lost = stage.world.network.counters
    stage.run(5.0)
    assert lost["datagram.lost"] == 0
    stage.impair(["n1"], delay_s=0.01, loss=0.5, bytes_per_s=1e6)
    stage.run(5.0)
    count = lost["datagram.lost"]
    assert count > 0

    stage.heal()
    stage.run(5.0)

    assert lost["datagram.lost"] == count


# Machines


def test_daemons_join(stage: SimulatedStage) -> None:
    """New machines are numbered on, and become members."""
    assert stage.join(2) == ["n4", "n5"]
    stage.run(10.0)

    assert alive(stage, "n1") == {"n1", "n2", "n3", "n4", "n5"}
    assert stage.burst(4, ["n4", "n5"]) == 4


def test_daemons_end_and_begin(stage: SimulatedStage) -> None:
    """Killed, stopped and started ones are what they are said to be; to start who runs does nothing."""
    stage.kill("n1")
    stage.stop("n2")
    assert running(stage) == ["n3"]

    stage.start("n1", "n2", "n3")
    stage.run(5.0)

    assert running(stage) == ["n1", "n2", "n3"]
    assert alive(stage, "n3") == {"n1", "n2", "n3"}


def test_paused_daemons_go_on(stage: SimulatedStage) -> None:
    """Who is paused is seen dead, and alive when it goes on."""
    stage.pause("n1")
    stage.run(10.0)
    assert running(stage) == ["n2", "n3"]
    assert alive(stage, "n2") == {"n2", "n3"}

    stage.resume("n1")
    stage.run(10.0)

    assert alive(stage, "n2") == {"n1", "n2", "n3"}


def test_a_power_cut_takes_the_pods_too(stage: SimulatedStage) -> None:
    """Daemons are down and their pods gone; after the boot nothing is in use there."""
    stage.burst(6, stage.names)
    stage.power_cut("n1", "n2")
    assert running(stage) == ["n3"]
    assert {one.machine.name for one in stage.clients.here.values()} == {"n3"}

    stage.start("n1", "n2")
    stage.run(10.0)

    shown = stage.world.machines["n1"].show(GetAllocations())
    assert getattr(shown, "allocations", None) == ()


def test_a_host_goes_back_to_its_snapshot(stage: SimulatedStage) -> None:
    """Disk and pods are what they were; what came later never was."""
    stage.burst(1, ["n1"])
    before = set(stage.clients.here)
    stage.snapshot("n1")
    stage.burst(2, ["n1"])
    stage.roll_back("n1")
    stage.run(5.0)

    assert set(stage.clients.here) == before
    assert view_of(stage.world.machines["n1"], stage.world.rings).keys == before


def test_a_clone_runs_beside_the_original(stage: SimulatedStage) -> None:
    """It is another machine, whose daemon has the same life."""
    assert stage.clone("n1") == "n4"

    assert stage.world.machines["n4"].life == stage.world.machines["n1"].life
    assert running(stage) == ["n1", "n2", "n3", "n4"]


# Judgement


def test_a_claim_that_is_not_so_is_a_violation(stage: SimulatedStage) -> None:
    """A sentence that is true is nothing, one that is false is found by its text."""
    stage.claim("the sun shines", held=True)
    stage.claim("it rains", held=[])

    assert [(one.checker, one.text) for one in stage.court.violations] == [("claim", "it rains")]


def test_settling_heals_everything(stage: SimulatedStage) -> None:
    """Whatever was cut, down or paused, all agree afterwards."""
    stage.split(["n1"], ["n2"], ["n3"])
    stage.pause("n1")
    stage.kill("n2")
    stage.run(10.0)
    stage.settle()

    assert running(stage) == ["n1", "n2", "n3"]
    assert stage.observer.agree()
    assert stage.court.violations == []


def test_who_never_agrees_is_found(stage: SimulatedStage) -> None:
    """If all is healed and they do not agree in time, that is a violation that says what is amiss."""
    stage.world.machines["n3"].disk.damage()
    stage.kill("n3")
    machine = stage.world.machines["n3"]
    machine.settings = stage.world.add("n4", []).settings  # it knows nobody, and so never joins
    stage.trouble.gone.add("n4")
    stage.settle()

    (found,) = stage.court.violations
    assert found.checker == "convergence"
    assert "n3 runs, and does not serve" in found.text


@pytest.mark.slow
def test_the_end_is_judged(stage: SimulatedStage) -> None:
    """All is looked at once when it is settled, and every address can be had that nobody holds."""
    settled: list[bool] = []
    judge = stage.world.hear

    def hear(fact: Fact) -> None:
        settled.extend([fact.settled] if isinstance(fact, Observed) else [])
        judge(fact)

    stage.world.hear = hear
    stage.burst(5, ["n1"])
    stage.judge()

    assert settled.count(True) == 1
    assert sum(one.size for one in stage.clients.here.values()) == 30
    assert stage.court.violations == []


@pytest.mark.slow
def test_what_nobody_holds_is_found(stage: SimulatedStage) -> None:
    """An allocation that its client does not know of in the end is a violation."""
    stage.burst(1, ["n1"])
    stage.clients.here.clear()
    stage.judge()

    assert "n1 keeps for nobody: ['k1']" in [one.text for one in stage.court.violations]


@pytest.mark.slow
def test_what_is_kept_is_had_by_who_may_have_it(stage_of: StageOf) -> None:
    """In the end each reserved and pre-allocated address is given as well: all of the pool is held."""
    table = {"name": "p", "ranges": ["10.0.0.0/28"], "reserve": ["10.0.0.4-10.0.0.5"]}
    stage = stage_of(pools=(parse_pool({**table, "preallocate": {"vm": "10.0.0.9"}}),))
    stage.judge()

    assert sum(one.size for one in stage.clients.here.values()) == 14
    assert stage.court.violations == []
