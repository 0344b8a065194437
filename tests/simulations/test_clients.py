"""Clients misbehave as they are told to, and in the end leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simulations.clients import RETRY_S, Habits
from simulations.facts import Asked, Fact, Vanished
from simulations.simulated import SimulatedStage
from simulations.views import view_of

StageOf = Callable[..., SimulatedStage]
BUSY = Habits(adds_per_s=20.0, hold_s=0.5, wait_s=2.0)
ROUGH = replace(BUSY, repeat=0.5, vanish=0.3, cross=0.5, durable=0.3, block=0.1, ttl=0.3, ttl_s=3)


def used(stage: SimulatedStage) -> dict[str, frozenset[str]]:
    """Keys that hold something, by machine."""
    return {name: view_of(one, stage.world.rings).keys for name, one in stage.world.machines.items()}


def facts_of(stage: SimulatedStage) -> list[Fact]:
    """What the world states from now on."""
    facts: list[Fact] = []
    judge = stage.world.hear

    def hear(fact: Fact) -> None:
        facts.append(fact)
        judge(fact)

    stage.world.hear = hear
    return facts


def end(stage: SimulatedStage) -> None:
    """No new clients, and time for the old ones to leave."""
    stage.clients.load(Habits())
    stage.run(30.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_nothing_is_left_behind(stage_of: StageOf, seed: str) -> None:
    """However rough clients are, when all have left no address is in use, and nobody is still there."""
    stage = stage_of(seed=seed)
    stage.clients.load(ROUGH)
    stage.run(10.0)
    assert stage.clients.here

    end(stage)

    assert stage.clients.here == {}
    assert used(stage) == dict.fromkeys(("n1", "n2", "n3"), frozenset())
    assert stage.court.violations == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "power"])
def test_nothing_is_left_behind_by_a_crash(stage_of: StageOf, how: str) -> None:
    """Also when daemons die, or hosts lose their power, while clients come and go."""
    stage = stage_of()
    stage.clients.load(ROUGH)
    for name in ("n1", "n2", "n3", "n1"):
        machine = stage.world.machines[name]
        stage.run(2.0)
        if how == "kill":
            machine.kill()
        else:
            stage.trouble.cut_power([machine])
        stage.run(0.5)
        stage.trouble.settle_down(machine)

    end(stage)

    assert stage.clients.here == {}
    assert used(stage) == dict.fromkeys(("n1", "n2", "n3"), frozenset())
    assert stage.court.violations == []


@pytest.mark.slow
def test_clients_come_at_a_rate_and_stay_for_a_while(stage_of: StageOf) -> None:
    """About as many come, and are there at one time, as was asked for."""
    stage = stage_of(pool="10.0.0.0/24")
    facts = facts_of(stage)
    stage.clients.load(Habits(adds_per_s=10.0, hold_s=2.0))
    stage.run(20.0)

    asked = [one for one in facts if isinstance(one, Asked) and one.give]
    assert 150 < len(asked) < 250
    assert {one.machine for one in asked} == {"n1", "n2", "n3"}
    assert 8 < len(stage.clients.here) < 35


def test_clients_come_only_where_they_are_sent(stage_of: StageOf) -> None:
    """With a list of machines nobody asks elsewhere, and nobody at all where no daemon runs."""
    stage = stage_of()
    stage.world.machines["n2"].kill()
    facts = facts_of(stage)
    stage.clients.load(BUSY, ["n1", "n2"])
    stage.run(3.0)

    assert {one.machine for one in facts if isinstance(one, Asked)} == {"n1"}


@pytest.mark.parametrize("habit", ["repeat", "vanish", "cross"])
def test_each_habit_shows(stage_of: StageOf, habit: str) -> None:
    """A habit is counted as often as clients have it, and no other is."""
    stage = stage_of()
    facts = facts_of(stage)
    always: dict[str, Any] = {habit: 1.0}
    stage.clients.load(replace(BUSY, **always))
    stage.run(5.0)

    name = {"repeat": "repeated", "vanish": "vanished", "cross": "crossed"}[habit]
    assert {one for one in ("repeated", "vanished", "crossed") if stage.clients.counters[one]} == {name}
    gives = [one.key for one in facts if isinstance(one, Asked) and one.give]
    assert (len(set(gives)) < len(gives)) == (habit == "repeat")
    assert any(isinstance(one, Vanished) for one in facts) == (habit == "vanish")


def test_durable_clients_say_so(stage_of: StageOf) -> None:
    """Who wants an allocation that survives the host asks for one, and outlives the host's power."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    pod = stage.clients.add(machine, Habits())
    claim = stage.clients.add(machine, Habits(durable=1.0))
    stage.run(1.0)
    stage.trouble.cut_power([machine])
    stage.trouble.settle_down(machine)
    stage.run(10.0)

    assert set(stage.clients.here) == {claim.key}
    assert claim.size == 1
    assert pod.leaving
    assert used(stage)["n1"] == {claim.key}


def test_a_block_is_held_as_one(stage_of: StageOf) -> None:
    """Who wants a block holds all of its addresses."""
    stage = stage_of(pool="10.0.0.0/24")
    client = stage.clients.add(stage.world.machines["n1"], Habits(block=1.0))
    stage.run(1.0)

    assert client.size in {2, 4, 8, 16, 32, 64}


def test_who_gets_no_answer_tries_again(stage_of: StageOf) -> None:
    """A client whose daemon dies asks the next one, as soon as it runs."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    machine.pause()
    client = stage.clients.add(machine, Habits())
    machine.kill()
    stage.run(3 * RETRY_S)
    assert client.size == 0

    machine.start()
    stage.run(10.0)

    assert client.size == 1
    assert stage.clients.counters["retried"] == 1


def test_who_leaves_tries_until_it_is_done(stage_of: StageOf) -> None:
    """What is held at a daemon that is down is given back when it runs again."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    client = stage.clients.add(machine, Habits())
    stage.run(1.0)
    machine.kill()
    stage.clients.leave(client)
    stage.clients.leave(client)
    stage.run(5.0)
    assert client.key in stage.clients.here

    machine.start()
    stage.run(5.0)

    assert stage.clients.here == {}
    assert used(stage)["n1"] == frozenset()


def test_who_has_something_for_a_time_renews_it(stage_of: StageOf) -> None:
    """It is held for much longer than that, also over a short absence of its daemon."""
    stage = stage_of()
    machine = stage.world.machines["n1"]
    client = stage.clients.add(machine, Habits(ttl=1.0, ttl_s=3))
    stage.run(4.0)
    machine.kill()
    stage.run(1.0)
    machine.start()
    stage.run(10.0)

    assert used(stage)["n1"] == {client.key}
    assert stage.clients.counters["renewed"] >= 10
    assert machine.reports["lease-expired"] == 0
    assert stage.court.violations == []


def test_who_renews_no_more_has_nothing_in_the_end(stage_of: StageOf) -> None:
    """Nobody gives anything back, and all of it ends."""
    stage = stage_of()
    stage.clients.load(Habits(adds_per_s=4.0, hold_s=0.5, ttl=1.0, ttl_s=2, lapse=1.0))
    facts = facts_of(stage)
    stage.run(5.0)
    end(stage)

    assert stage.clients.here == {}
    assert used(stage) == dict.fromkeys(("n1", "n2", "n3"), frozenset())
    assert stage.clients.counters["lapsed"] == sum(
        one.reports["lease-expired"] for one in stage.world.machines.values()
    )
    assert not any(isinstance(one, Asked) and not one.give for one in facts)
    assert stage.court.violations == []


@pytest.mark.slow
def test_who_has_something_may_stay(stage_of: StageOf) -> None:
    """Told to stay, those who hold something keep it for ever, and nobody new comes."""
    stage = stage_of()
    stage.clients.load(Habits(adds_per_s=5.0, hold_s=5.0))
    stage.run(5.0)
    stage.clients.stay()
    stage.run(10.0)
    held = {key: one.size for key, one in stage.clients.here.items()}
    stage.run(60.0)

    assert held
    assert {key: one.size for key, one in stage.clients.here.items()} == held
