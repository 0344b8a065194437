"""The world states what happens to requests, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from simulations.facts import Asked, Began, Down, Fact, Forgot, Given, Owns, Refused, Taken, Vanished
from simulations.run import pools_of
from simulations.simulated import SimulatedStage
from simulations.views import runs_of
from simulations.world import WATCH_CLOSELY_MAX, Layout, World
from weaveipam.protocol.requests import Allocate, Allocated, Answer, Release, Released, Want

StageOf = Callable[..., SimulatedStage]
WANT = (Want(pools=("default",)),)


class Heard:
    """A world, what it states from now on, and the answers to its clients."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.facts: list[Fact] = []
        self.answers: list[Answer | None] = []
        judge = world.hear

        def hear(fact: Fact) -> None:
            self.facts.append(fact)
            judge(fact)

        world.hear = hear

    def ask(self, machine: str, request: Allocate | Release) -> int:
        """Put a request."""
        return self.world.ask(self.world.machines[machine], request, self.answers.append)

    def run(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.world.timeline.run(self.world.now + seconds)

    def of(self, *kinds: type[Fact]) -> list[Fact]:
        """The facts of these kinds."""
        return [one for one in self.facts if isinstance(one, kinds)]


@pytest.fixture
def heard(stage_of: StageOf) -> Heard:
    """A cluster of three that has formed."""
    return Heard(stage_of().world)


def test_requests_are_facts(heard: Heard) -> None:
    """What is asked, given and taken back is stated once each, and the client hears the same."""
    number = heard.ask("n1", Allocate("a", wants=WANT, durable=True))
    heard.run()
    heard.ask("n1", Release(key="a"))
    heard.run()

    asked, given, back, taken = heard.of(Asked, Given, Taken, Refused, Vanished)
    assert isinstance(asked, Asked)
    assert isinstance(given, Given)
    assert isinstance(back, Asked)
    assert isinstance(taken, Taken)
    assert (asked.request, asked.machine, asked.key, asked.give) == (number, "n1", "a", True)
    assert (asked.durable, asked.size, asked.life) == (True, 1, heard.world.machines["n1"].life)
    assert (back.give, back.key) == (False, "a")
    assert given.addresses == taken.addresses
    assert given.immediate
    assert [type(one) for one in heard.answers] == [Allocated, Released]
    assert [one.when for one in heard.facts] == sorted(one.when for one in heard.facts)


def test_what_was_free_is_measured_when_the_request_is_taken(heard: Heard) -> None:
    """Each answer tells how many addresses the daemon showed as free just before."""
    for number in range(3):
        heard.ask("n1", Allocate(f"k{number}", wants=WANT))
    heard.run()

    counts = [one.free_before for one in heard.of(Given) if isinstance(one, Given)]
    assert counts[0] is not None
    assert counts == [counts[0], counts[0] - 1, counts[0] - 2]


def test_blocks_are_told_by_their_size(heard: Heard) -> None:
    """Who asks for an aligned block wants that many addresses."""
    family = heard.world.layout.pools[0].ranges[0].family
    heard.ask("n1", Allocate("a", wants=(Want(family=family, pools=("default",), prefix_length=30),)))

    assert [one.size for one in heard.facts if isinstance(one, Asked)] == [4]


def test_refusals_are_facts_and_counted(heard: Heard) -> None:
    """A request that is refused is stated with the reason, and counted if it wanted something."""
    heard.ask("n1", Allocate("a", wants=(Want(pools=("nowhere",)),)))
    heard.run()

    (refused,) = heard.of(Refused)
    assert isinstance(refused, Refused)
    assert refused.reason == "no-such-pool"
    assert heard.world.failures == {"no-such-pool": 1}
    assert heard.world.given_count == 0


def test_who_dies_answers_nobody(heard: Heard) -> None:
    """The death of a daemon is stated, and that its clients get no answer."""
    machine = heard.world.machines["n2"]
    machine.pause()
    number = heard.ask("n2", Allocate("a", wants=WANT))
    machine.kill()
    heard.run()

    assert [one.machine for one in heard.facts if isinstance(one, Down)] == ["n2"]
    assert [one.request for one in heard.facts if isinstance(one, Vanished)] == [number]
    assert heard.answers == [None]
    assert heard.world.failures == {"no-answer": 1}


def test_a_client_may_go_away(heard: Heard) -> None:
    """It gets no answer, and that is stated."""
    machine = heard.world.machines["n1"]
    machine.pause()
    number = heard.ask("n1", Allocate("a", wants=WANT))
    heard.world.cancel(machine, number)
    machine.resume()
    heard.run()

    assert [type(one) for one in heard.of(Given, Vanished)] == [Vanished]
    assert heard.answers == []


def test_waiting_and_rest_are_counted(stage_of: StageOf) -> None:
    """It is counted when a client waited for space, and when it was given what had not rested."""
    world = stage_of(nodes=2, pool="10.0.0.0/29").world  # six addresses
    heard = Heard(world)
    for number in range(6):
        heard.ask("n1", Allocate(f"k{number}", wants=WANT))
    heard.run(5.0)
    assert world.counters["waited"] > 0
    assert world.counters["rested-given"] == 0

    heard.ask("n1", Release(key="k0"))
    heard.ask("n1", Allocate("late", wants=WANT))
    heard.run(5.0)

    assert world.given_count == 7
    assert world.counters["rested-given"] == 1


def test_what_a_daemon_owns_is_stated_when_it_changes(stage_of: StageOf) -> None:
    """While a small cluster forms, each says what it owns: together everything, and nothing twice."""
    stage = stage_of(nodes=0)
    heard = Heard(stage.world)
    stage.form(3)

    last = {one.machine: one for one in heard.facts if isinstance(one, Owns)}
    assert set(last) == {"n1", "n2", "n3"}
    assert sum(span.size for one in last.values() for spans in one.ranges.values() for span in spans) == 32
    stated = [(one.machine, one.ranges) for one in heard.facts if isinstance(one, Owns)]
    assert all(one != other for one, other in pairwise(stated) if one[0] == other[0])


@pytest.mark.slow
def test_a_large_world_is_not_watched_closely(stage_of: StageOf) -> None:
    """With many machines nobody is asked at every change, nor at every request."""
    stage = stage_of(nodes=0, pool="10.0.0.0/24")
    heard = Heard(stage.world)
    stage.form(WATCH_CLOSELY_MAX + 1)
    heard.ask("n1", Allocate("a", wants=WANT))
    heard.run()

    assert heard.of(Owns) == []
    assert [one.free_before for one in heard.facts if isinstance(one, Given)] == [None]


def test_the_first_few_found_the_cluster(stage_of: StageOf) -> None:
    """So many as the layout says are seeds with pools; the others, and later ones, join by them."""
    world = stage_of(nodes=5).world
    world.add("n6", ["n4"])
    settings = {name: one.settings for name, one in world.machines.items()}

    assert {name for name, one in settings.items() if one.pools} == {"n1", "n2", "n3"}
    assert settings["n1"].seeds == ("n1", "n2", "n3")
    assert settings["n5"].seeds == ()
    assert settings["n6"].join == (settings["n4"].endpoint,)
    assert len({one.endpoint for one in settings.values()}) == 6
    assert all(one.endpoint not in one.join for one in settings.values())


def test_a_clone_has_the_same_disk_elsewhere(heard: Heard) -> None:
    """A copy of a host has its own name and endpoint, and its daemon the life of the original."""
    original = heard.world.machines["n1"]
    copy = heard.world.clone(original, "n4")
    copy.start()

    assert copy.settings.endpoint != original.settings.endpoint
    assert copy.life == original.life


def test_the_beginning_and_losses_are_facts() -> None:
    """The first fact is the pools; that a disk is not what it was is stated when somebody says so."""
    facts: list[Fact] = []
    layout = Layout(pools=pools_of([("default", "10.0.0.0/28")]))
    world = World("1", layout, facts.append)
    (machine,) = world.found(["n1"])
    assert not world.forgetful

    world.forgot(machine, older=True)

    assert world.forgetful
    assert facts == [Began(0.0, layout.pools), Forgot(0.0, "n1", older=True)]


def test_who_cannot_be_asked_does_not_serve(heard: Heard) -> None:
    """A daemon that is paused or in the middle of a commit shows nothing, one that is down neither."""
    world = heard.world
    one, two, three = world.machines.values()
    one.pause()
    two.kill()

    assert [world.serving(each) for each in (one, two, three)] == [False, False, True]
    assert world.running() == [three]
    assert runs_of(three, world.rings[0])
