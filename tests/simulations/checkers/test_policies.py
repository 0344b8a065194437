"""Whatever breaks a rule of a pool is found, and nobody is accused of what the rules allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ring.address import Family, parse_cidr, parse_range
from ring.ring import Peer
from simulations.checkers.policies import Policies
from simulations.facts import Asked, Began, Changing, Emptied, Fact, Forgot, Given, Refused
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.requests import Allocate, Subject, Want
from weaveipam.protocol.values import DEFAULT_NETWORK, RingId

WEB = Subject(labels=(("app", "web"),))
RED = Subject(namespace_labels=(("team", "red"),))

POOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "blue",
        "ranges": ["10.0.0.0/28"],
        "exclude": ["10.0.0.5"],
        "reserve": ["10.0.0.8-10.0.0.9"],
        "preallocate": {"vm": "10.0.0.3", "old": "10.0.0.9"},
        "labels": {"tier": "gold"},
    },
    {"name": "green", "ranges": ["10.0.1.0/28"], "manual": True, "node_limit": 2},
    {"name": "pods", "ranges": ["10.0.2.0/28"], "pod_selector": "app=web"},
    {"name": "team", "ranges": ["10.0.3.0/28"], "namespace_selector": "team"},
    {"name": "zone", "ranges": ["10.0.4.0/28"], "node_selector": "zone=a", "preallocate": {"vm": "10.0.4.3"}},
    {"name": "six", "ranges": ["fd00::/124"], "labels": {"tier": "gold"}},
)


@dataclass
class Story:
    """Facts, one second after the other, and what the checker says of them."""

    facts: list[Fact] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def ask(self, key: str, *wants: Want, at: str = "n1", zone: str = "", **more: Any) -> Story:
        """A key wants something of a daemon in a zone."""
        self.numbers[key] = len(self.facts)
        labels = (("zone", zone),) if zone else ()
        wish = Allocate(key, wants=wants, **more)
        number, life = self.numbers[key], Peer(at, 1)
        durable = wish.durable
        return self._add(
            Asked(0.0, number, at, life, key, give=True, durable=durable, wish=wish, node_labels=labels)
        )

    def given(self, key: str, *texts: str) -> Story:
        """It is given these."""
        held = (parse_cidr(text if "/" in text else f"{text}/{128 if ':' in text else 32}") for text in texts)
        addresses = tuple((RingId(DEFAULT_NETWORK, family), what) for family, what, _ in held)
        return self._add(Given(0.0, self.numbers[key], addresses))

    def refused(self, key: str, reason: str) -> Story:
        """It is refused."""
        return self._add(Refused(0.0, self.numbers[key], reason, "as the story goes"))

    def back(self, key: str, at: str = "n1") -> Story:
        """It gives back what it holds, and is never answered."""
        return self._add(Asked(0.0, len(self.facts) + 1000, at, Peer(at, 1), key, give=False))

    def then(self, fact: Fact) -> Story:
        """Something else happens."""
        return self._add(fact)

    def _add(self, fact: Fact) -> Story:
        self.facts.append(fact)
        return self

    def judged(self) -> list[str]:
        """All violations."""
        checker = Policies()
        began = Began(0.0, tuple(map(parse_pool, POOLS)))
        return [text for fact in (began, *self.facts) for text in checker.hear(fact)]


def one(want: Want, address: str, **more: Any) -> Story:
    """A client wants something, and is given an address."""
    return Story().ask("k", want, **more).given("k", address)


def exact(text: str, *pools: str) -> Want:
    """Who wants just these addresses."""
    family, what = parse_range(text)
    return Want(family, pools, (what,))


def many(addresses: Iterable[str], **more: Any) -> Story:
    """Each address of green is given to a key of its own."""
    story = Story()
    for number, address in enumerate(addresses):
        story.ask(f"k{number}", Want(pools=("green",)), **more).given(f"k{number}", address)
    return story


BLUE, ANY = Want(pools=("blue",)), Want()

FOUND = {
    "excluded": (one(BLUE, "10.0.0.5"), "blue excludes it"),
    "excluded, by its number": (one(Want(Family.V4, ("blue",), index=5), "10.0.0.5"), "blue excludes it"),
    "reserved": (one(BLUE, "10.0.0.8"), "is reserved"),
    "reserved, and another one was asked for": (
        one(exact("10.0.0.8-10.0.0.9", "blue"), "10.0.0.8"),
        "is reserved",
    ),
    "in a block": (one(Want(Family.V4, ("blue",), prefix_length=30), "10.0.0.8/30"), "keeps it for old"),
    "kept for another": (one(BLUE, "10.0.0.3"), "keeps it for vm"),
    "kept for another, by itself": (one(exact("10.0.0.3"), "10.0.0.3", name="old"), "keeps it for vm"),
    "reserved and kept for another": (one(exact("10.0.0.9"), "10.0.0.9"), "keeps it for old"),
    "not the one kept for the name": (one(BLUE, "10.0.0.6", name="vm"), "should have 10.0.0.3"),
    "another number": (one(Want(Family.V4, ("blue",), index=6), "10.0.0.7"), "should have 10.0.0.6"),
    "another address": (one(exact("10.0.0.6"), "10.0.0.7"), "wanted another one"),
    "another family": (one(Want(Family.V6, ("blue",)), "10.0.0.6"), "IPv6 was wanted"),
    "another pool": (one(BLUE, "10.0.2.6", subject=WEB), "pods was not named"),
    "not selected by labels": (
        one(Want(selector="tier=gold"), "10.0.2.6", subject=WEB),
        "pods was not selected",
    ),
    "a pool that must be named": (one(ANY, "10.0.1.1"), "green is manual"),
    "a pool for other pods": (one(ANY, "10.0.2.6"), "pods does not select"),
    "a pool for other namespaces": (one(ANY, "10.0.3.6", subject=WEB), "team does not select"),
    "a pool for other nodes": (one(ANY, "10.0.4.6", zone="b"), "zone does not select"),
    "a pool for other nodes, in the end": (
        one(Want(pools=("green",), fallback=True), "10.0.4.6", zone="b"),
        "zone does not select",
    ),
    "too few": (Story().ask("k", BLUE, BLUE).given("k", "10.0.0.6"), "wants 2 addresses"),
    "more than a daemon may": (many(("10.0.1.1", "10.0.1.2", "10.0.1.3")), "node_limit is 2"),
    "refused though it is there": (Story().ask("k", BLUE).refused("k", "invalid"), "what pools allow"),
    "refused though it is kept for it": (
        Story().ask("k", exact("10.0.0.3"), name="vm").refused("k", "invalid"),
        "what pools allow",
    ),
    "refused though it has that number": (
        Story().ask("k", Want(Family.V4, ("green",), index=3)).refused("k", "invalid"),
        "what pools allow",
    ),
    "refused though a pool serves it": (
        Story().ask("k", ANY, subject=RED).refused("k", "no-such-pool"),
        "what pools allow",
    ),
}
FINE = {
    "any": one(BLUE, "10.0.0.6"),
    "without wants": Story().ask("k").given("k", "10.0.0.6", "fd00::5"),
    "reserved, by itself": one(exact("10.0.0.8"), "10.0.0.8"),
    "reserved, by its number": one(Want(Family.V4, ("blue",), index=8), "10.0.0.8"),
    "kept for it": one(BLUE, "10.0.0.3", name="vm"),
    "kept for it, and reserved": one(BLUE, "10.0.0.9", name="old"),
    "kept for it in the pool that selects": one(ANY, "10.0.4.3", name="vm", zone="a"),
    "kept for it, but it wants a block": one(
        Want(Family.V4, ("blue",), prefix_length=31), "10.0.0.6/31", name="vm"
    ),
    "kept for it elsewhere only": one(Want(pools=("pods",)), "10.0.2.6", name="vm"),
    "named, whoever it selects": one(Want(pools=("pods",)), "10.0.2.6"),
    "manual, and named": one(Want(pools=("green",)), "10.0.1.1"),
    "manual, by its address": one(exact("10.0.1.1"), "10.0.1.1"),
    "selected by labels": one(Want(selector="tier=gold"), "10.0.0.6"),
    "a pool that selects": one(ANY, "10.0.3.6", subject=RED),
    "a pool that selects, in the end": one(Want(pools=("green",), fallback=True), "10.0.2.6", subject=WEB),
    "a pool that selects the node": one(ANY, "10.0.4.6", zone="a"),
    "as many as a daemon may": many(("10.0.1.1", "10.0.1.2")),
    "as many as daemons may": many(("10.0.1.1", "10.0.1.2"))
    .ask("x", Want(pools=("green",)), at="n2")
    .given("x", "10.0.1.3"),
    "one was given back": many(("10.0.1.1", "10.0.1.2"))
    .back("k0")
    .ask("x", Want(pools=("green",)))
    .given("x", "10.0.1.3"),
    "one was given back before it was given": (
        Story()
        .ask("k", Want(pools=("green",)))
        .back("k")
        .given("k", "10.0.1.9")
        .ask("x", Want(pools=("green",)))
        .given("x", "10.0.1.2")
        .ask("y", Want(pools=("green",)))
        .given("y", "10.0.1.3")
    ),
    "durable ones may come from others": many(("10.0.1.1", "10.0.1.2", "10.0.1.3"), durable=True),
    "pods are gone": many(("10.0.1.1", "10.0.1.2"))
    .then(Emptied(0.0, "n1"))
    .ask("x", Want(pools=("green",)))
    .given("x", "10.0.1.3"),
    "the disk is gone": many(("10.0.1.1", "10.0.1.2"))
    .then(Forgot(0.0, "n1"))
    .ask("x", Want(pools=("green",)))
    .given("x", "10.0.1.3"),
    "told again by another daemon": (
        one(ANY, "10.0.4.6", zone="a").ask("k", ANY, at="n2", zone="b").given("k", "10.0.4.6")
    ),
    "refused for want of space": Story().ask("k", BLUE).refused("k", "exhausted"),
    "refused, as it is excluded": Story().ask("k", exact("10.0.0.5")).refused("k", "invalid"),
    "refused, as there is none of that number": (
        Story().ask("k", Want(Family.V4, ("blue",), index=16)).refused("k", "invalid")
    ),
    "refused, as it is in another pool": Story().ask("k", exact("10.0.1.1", "blue")).refused("k", "invalid"),
    "refused, as there is no such pool": Story().ask("k", Want(pools=("x",))).refused("k", "no-such-pool"),
    "refused, as no labels are like that": (
        Story().ask("k", Want(selector="tier=tin")).refused("k", "no-such-pool")
    ),
    "refused, as the family is missing": Story().ask("k", Want(Family.V6, ("blue",))).refused("k", "invalid"),
}


@pytest.mark.parametrize(("story", "why"), FOUND.values(), ids=FOUND)
def test_a_broken_rule_is_found(story: Story, why: str) -> None:
    """One violation, which names the rule."""
    (text,) = story.judged()

    assert why in text


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_pools_allow_is_fine(story: Story) -> None:
    """Nobody is accused of what the rules allow."""
    assert story.judged() == []


def changed(**more: Any) -> Iterator[Fact]:
    """An operator wants blue to be otherwise."""
    yield Changing(0.0, 99, "blue", parse_pool({**POOLS[0], **more}))


@pytest.mark.parametrize(
    ("more", "address", "found"),
    [
        ({"reserve": []}, "10.0.0.8", False),
        ({"exclude": []}, "10.0.0.5", False),
        ({"exclude": ["10.0.0.5-10.0.0.6"]}, "10.0.0.5", True),
        ({"exclude": ["10.0.0.5-10.0.0.6"]}, "10.0.0.6", False),
    ],
)
def test_what_a_changed_pool_ever_allowed_is_fine(more: dict[str, Any], address: str, *, found: bool) -> None:
    """A daemon may not have heard of a change, or of its end: only what was never allowed is found."""
    story = Story()
    for fact in changed(**more):
        story.then(fact)
    story.ask("k", BLUE).given("k", address)

    assert bool(story.judged()) is found
