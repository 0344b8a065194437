"""An operator in the simulator gets lost machines removed, whatever becomes of the daemon that is asked."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from simulations.facts import Fact, Removed
from simulations.removal import Attendant
from simulations.simulated import SimulatedStage
from simulations.views import runs_of

StageOf = Callable[..., SimulatedStage]

pytestmark = pytest.mark.slow


def owners(stage: SimulatedStage, at: str) -> set[str]:
    """Who owns anything, as one daemon shows it."""
    return {run.owner.name for run in runs_of(stage.world.machines[at], stage.world.rings[0])}


def listen(stage: SimulatedStage) -> list[Fact]:
    """Facts from now on."""
    facts: list[Fact] = []
    heard = stage.world.hear

    def hear(fact: Fact) -> None:
        facts.append(fact)
        heard(fact)

    stage.world.hear = hear
    return facts


def test_what_is_lost_is_removed(stage_of: StageOf) -> None:
    """It is done when the others own everything, and that is a fact."""
    stage = stage_of(4)
    facts = listen(stage)
    stage.lose("n3")
    life = stage.world.machines["n3"].life
    assert stage.remove(["n3"], "n1", 20.0)

    assert [(life,)] == [one.lives for one in facts if isinstance(one, Removed)]
    assert "n3" not in owners(stage, "n1")
    assert {"n3"} == stage.trouble.removed
    stage.judge()
    assert stage.court.violations == []


def test_another_daemon_is_asked_when_the_first_is_lost_too(stage_of: StageOf) -> None:
    """The operator goes on elsewhere, and names that one as well when it is waited for."""
    stage = stage_of(5)
    stage.lose("n5")
    removal = stage.trouble.remove(["n5"], "n4", Random(1))
    stage.lose("n4")
    stage.run(20.0)

    assert removal.done
    assert owners(stage, "n1") == {"n1", "n2", "n3"}


def test_survivors_are_named_when_that_is_asked_for(stage_of: StageOf) -> None:
    """Of three electors two are lost: all who are left are affirmed."""
    stage = stage_of(4)
    stage.lose("n1", "n2")

    assert stage.remove(["n1", "n2"], "n4", 20.0)
    assert owners(stage, "n3") == {"n3", "n4"}


def test_an_earlier_life_is_removed_when_nobody_needs_what_it_gave(stage_of: StageOf) -> None:
    """A disk was lost: its pods end before the life that they were given their addresses by is removed."""
    stage = stage_of(4)
    stage.burst(8, ["n2"])
    machine = stage.world.machines["n2"]
    first = machine.life
    stage.kill("n2")
    machine.disk.wipe()
    stage.world.forgot(machine)
    stage.start("n2")
    stage.lose("n3")
    assert stage.remove(["n3"], "n1", 20.0)
    stage.run(5.0)

    assert machine.life != first
    assert first not in {run.owner for run in runs_of(machine, stage.world.rings[0])}
    assert stage.trouble.counts["removed-earlier"] == 1
    assert not any(one.machine is machine for one in stage.clients.here.values())


def test_who_never_joined_is_forgotten(stage_of: StageOf) -> None:
    """If no daemon has ever heard of a lost machine there is nothing to remove, and the others are."""
    stage = stage_of()
    stage.world.network.cut(["n4"], list(stage.names))
    stage.world.network.cut(list(stage.names), ["n4"])
    stage.world.add("n4", ["n1"]).start()
    stage.run(1.0)
    stage.lose("n3", "n4")

    assert stage.remove(["n3", "n4"], "n1", 20.0)
    assert owners(stage, "n1") == {"n1", "n2"}


def test_electors_that_are_gone_are_removed_for_newcomers(stage_of: StageOf) -> None:
    """After the trouble somebody reads why a daemon is not admitted, and does what is to be done."""
    stage = stage_of()
    stage.lose("n2", "n3")
    (fresh,) = stage.join(1)
    stage.run(5.0)
    assert not stage.burst(1, [fresh])
    Attendant(stage.trouble, Random(1)).look()
    stage.run(20.0)

    assert stage.burst(1, [fresh])
    assert owners(stage, "n1") == {"n1", fresh}
