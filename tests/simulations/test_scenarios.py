"""Every scenario: that it is there, that what it does makes sense for any cluster, and that it holds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from ring.address import parse_cidr
from simulations import scenarios
from simulations.plan import Plan
from simulations.releases import RELEASES, Release
from simulations.run import run
from weaveipam.protocol.keyring import Key, KeyRing

DEMANDED = [
    "idle",
    "split-two",
    "split-three",
    "minority-of-one",
    "asymmetric-partition",
    "rolling-restart",
    "rolling-upgrade",
    "mass-death",
    "mass-start",
    "exact-exhaustion",
    "slow-link",
    "flapping-link",
    "power-cut",
    "zombie-return",
    "restored-snapshot",
    "cloned-image",
    "remove-both-sides",
    "remove-taker-dies",
    "remove-amid-change",
    "remove-late-words",
    "remove-two-at-once",
    "remove-zombie",
    "leave",
    "churn-week",
]
"""Names that operators and scripts rely on."""

NOT_YET: set[str] = set()
"""Scenarios of what weaveipam cannot do yet."""

FAILING: dict[str, str] = {}
"""Scenarios that are known not to hold, and why; each is a defect to be mended."""

SMALL = {"churn-week": 5.0}
"""Minutes of those that need more than the others when they are run in small."""


class Rehearsal:
    """A stage that does nothing but check that what it is told makes sense."""

    def __init__(self, nodes: int, seconds: float, pool_size: int) -> None:
        self.seconds = seconds
        self.pool_size = pool_size
        self.spent_s = 0.0
        self.troubled = False
        """Whether the network is not as it should be."""
        self.claims: dict[str, bool] = {}
        self.paused: set[str] = set()
        self._lost: set[str] = set()
        self._names = [f"n{number}" for number in range(nodes)]
        self._up = set(self._names)
        self._held: dict[str, int] = {}
        self._snapshots: dict[str, int] = {}
        self._copies: set[str] = set()
        """They give nothing."""

    @property
    def names(self) -> tuple[str, ...]:
        """As a stage has them."""
        return tuple(self._names)

    def run(self, seconds: float) -> None:
        """Time that passes is never negative, nor nothing."""
        assert seconds > 0
        self.spent_s += seconds

    def contested(self) -> int:
        """Nobody contests anything here."""
        return 0

    def resolve(self) -> int:
        """There is nothing to decide."""
        return 0

    def set_keys(self, at: Sequence[str], *keys: Key) -> None:
        """Daemons that there are get keys that make a ring."""
        assert set(at) <= set(self._names)
        assert KeyRing(keys).keys == keys

    def unopened(self) -> int:
        """Nothing is sent here."""
        return 0

    def load(self, adds_per_s: float, hold_s: float, at: Sequence[str] = ()) -> None:
        """Clients hold what they get for some time."""
        assert adds_per_s >= 0
        assert hold_s > 0
        self._check_known(at)

    def burst(self, count: int, at: Sequence[str]) -> int:
        """Give what there is; whoever is asked must be able to answer."""
        assert count >= 0
        assert at
        self._check_known(at)
        assert set(at) <= self._up - self.paused
        asked = [name for name in itertools.islice(itertools.cycle(at), count) if name not in self._copies]
        served = asked[: self.pool_size - sum(self._held.values())]
        for name in served:
            self._held[name] = self._held.get(name, 0) + 1
        return len(served)

    def release(self, at: Sequence[str] = ()) -> None:
        """Take back what bursts gave."""
        self._check_known(at)
        for name in at or self.names:
            self._held.pop(name, None)

    def split(self, *groups: Sequence[str]) -> None:
        """Groups have members, and nobody is in two of them."""
        self._check_groups(*groups)
        self.troubled = True

    def cut(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Nobody is cut off from himself."""
        self._check_groups(sources, targets)
        self.troubled = True

    def heal(self) -> None:
        """There was something to heal."""
        assert self.troubled
        self.troubled = False

    def impair(
        self, at: Sequence[str], *, delay_s: float = 0.0, loss: float = 0.0, bytes_per_s: float = 0.0
    ) -> None:
        """Something gets worse, and something still passes."""
        self._check_groups(at)
        assert max(delay_s, loss, bytes_per_s) > 0
        assert min(delay_s, loss, bytes_per_s) >= 0
        assert loss < 1
        self.troubled = True

    def join(self, count: int) -> Sequence[str]:
        """Somebody joins, and somebody is there to be joined."""
        assert count > 0
        assert self._up - self.paused
        fresh = [f"n{len(self._names) + number}" for number in range(count)]
        self._names += fresh
        self._up.update(fresh)
        return fresh

    def kill(self, *names: str) -> None:
        """Only who is up can be ended."""
        self._check_groups(names)
        assert set(names) <= self._up - self.paused
        self._up -= set(names)

    stop = kill

    def leave(self, *names: str) -> None:
        """Only who runs can be told to leave, and somebody stays."""
        self.kill(*names)
        self.release(names)
        assert self._up

    def power_cut(self, *names: str) -> None:
        """The pods are gone too."""
        self.kill(*names)
        self.release(names)

    def lose(self, *names: str) -> None:
        """As after a power cut, and somebody is left."""
        self.power_cut(*names)
        assert self._up
        self._lost |= set(names)

    def remove(self, names: Sequence[str], at: str, wait_s: float, *, force: bool = False) -> bool:
        """Only who seems to be lost is removed, by one that is up; in trouble not at once, but by force."""
        self._check_groups(names, [at])
        assert set(names) <= self._lost | self.paused
        assert at in self._up - self.paused
        assert wait_s >= 0
        return force or not self.troubled

    def start(self, *names: str) -> None:
        """Only who is down can be started."""
        self._check_groups(names)
        assert not set(names) & self._up
        self._up |= set(names)
        self._lost -= set(names)

    def install(self, release: Release, *names: str) -> None:
        """Only who is down can be given another release."""
        self._check_groups(names)
        assert not set(names) & self._up
        assert release in RELEASES

    def pause(self, *names: str) -> None:
        """Only who runs can be paused."""
        self._check_groups(names)
        assert set(names) <= self._up - self.paused
        self.paused |= set(names)

    def resume(self, *names: str) -> None:
        """Only who is paused can go on."""
        self._check_groups(names)
        assert set(names) <= self.paused
        self.paused -= set(names)

    def snapshot(self, name: str) -> None:
        """Of a host that is there."""
        self._check_known([name])
        self._snapshots[name] = self._held.get(name, 0)

    def roll_back(self, name: str, *, apart: bool = False) -> None:
        """To a snapshot that was made; apart from others only if the network is cut."""
        assert self.troubled or not apart
        self._held[name] = self._snapshots[name]
        self._up.add(name)

    def clone(self, name: str) -> str:
        """One host more."""
        self._check_known([name])
        (copied,) = self.join(1)
        self._copies.add(copied)
        return copied

    def scrap(self, name: str) -> None:
        """Who is up is down for good."""
        self.kill(name)

    def claim(self, text: str, held: object) -> None:
        """A sentence that can be told from the others of the scenario."""
        assert text
        self.claims[text] = self.claims.get(text, True) and bool(held)

    def settle(self) -> None:
        """Nothing is left to heal."""
        self.troubled = False

    def _check_known(self, names: Sequence[str]) -> None:
        assert set(names) <= set(self._names)

    def _check_groups(self, *groups: Sequence[str]) -> None:
        named = [name for group in groups for name in group]
        self._check_known(named)
        assert len(named) == len(set(named))
        assert all(groups)


@pytest.mark.parametrize("name", DEMANDED)
def test_what_is_relied_upon_is_there(name: str) -> None:
    """Every name that is promised can be loaded."""
    assert scenarios.load(name).play


def test_scenarios_are_listed_in_order_with_a_sentence_each() -> None:
    """The list is sorted, and each sentence is one line that ends and says something of its own."""
    names = scenarios.names()
    sentences = [scenarios.sentence(scenarios.load(name)) for name in names]

    assert list(names) == sorted(set(names))
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(names)


def test_what_cannot_run_yet_says_so() -> None:
    """Exactly the scenarios that need more than weaveipam has name what is missing."""
    waiting = {name for name in scenarios.names() if scenarios.missing(scenarios.load(name))}

    assert waiting == NOT_YET


@pytest.mark.parametrize("minutes", [0.1, 1.0])
@pytest.mark.parametrize("nodes", [3, 5, 8])
@pytest.mark.parametrize("name", scenarios.names())
def test_a_scenario_makes_sense_for_any_cluster(name: str, nodes: int, minutes: float) -> None:
    """It takes its time, acts on who is there, heals what it broke; where all goes well it holds."""
    scenario = scenarios.load(name)
    assert scenario.NODES >= 3
    assert scenario.MINUTES > 0
    pool_size = parse_cidr(scenarios.pool(scenario))[1].size - 2
    stage = Rehearsal(nodes, minutes * 60, pool_size)

    scenario.play(stage)

    assert 0.8 * stage.seconds <= stage.spent_s <= 1.2 * stage.seconds
    assert not stage.troubled
    assert not stage.paused
    assert all(stage.claims.values()), stage.claims


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in scenarios.names() if name not in NOT_YET])
def test_a_scenario_holds(name: str, request: pytest.FixtureRequest) -> None:
    """Played in small with the real state machines, nothing happens that must never be."""
    if name in FAILING:
        request.applymarker(pytest.mark.xfail(reason=FAILING[name], strict=True))

    outcome = run(Plan(seed=1, scenario=name, nodes=4, minutes=SMALL.get(name, 0.5)))

    assert outcome.held, "\n".join([outcome.replay, *(str(one) for one in outcome.violations)])
    assert outcome.allocations > 0 or name == "idle"
