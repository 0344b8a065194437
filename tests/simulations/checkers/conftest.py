"""
Stories that checkers judge: facts, one second after the other, with semicolons between them.

    ask 1 n1 a              request 1: at n1, key a wants an address; `durable`, `size=8`
    given 1 10.0.0.1        it is answered; `late`: after a wait, `free=9`: shown as free before;
                            10.0.0.0/29 is a block, blue:10.0.0.1 an address of another network;
                            `for=9`: surely held for so many seconds since it was asked for
    back 2 n1 a             request 2: at n1, what key a holds is given back
    taken 2 10.0.0.1        it is answered; nothing may have been found
    refused 2 exhausted     it is answered so; `free=9`
    vanished 2              it is never answered
    emptied n1, forgot n1, down n1, departed n1
    moved n1 a n2           what key a held at n1 is shown to be at n2
    owns n1 10.0.0.0/25     what n1 shows that it owns
    look n1=5 n2            an observation of all that run, with their free addresses;
                            `settled`, `apart`: nobody reaches another, `strange`: nobody sees another alive,
                            `has=a,b`: keys that hold something at all of them
    began amber 10.0.0.0/28 the pools that there are at first: this one
    change 3 amber 10.0.0.0/29
                            request 3: a pool shall be this, or be no more
    changed 3 amber 10.0.0.0/29
                            it is answered; `refused` and `vanished` as above
    at 17.5                 when the next of them happens
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ring.address import Range, parse_cidr
from ring.ring import Peer
from simulations.checkers.base import Address, Checker
from simulations.facts import (
    Asked,
    Began,
    Changed,
    Changing,
    Condemned,
    Departed,
    Down,
    Emptied,
    Fact,
    Forgot,
    Given,
    Moved,
    Observed,
    Owns,
    Refused,
    Taken,
    Vanished,
    View,
)
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import Pool, RingId


def _life(machine: str) -> Peer:
    return Peer(machine, 1)


def _view(machine: str, *, free: int = 0, alive: str = "", keys: str = "") -> View:
    """Of a daemon that serves, holds no ring, has nothing open and sees itself and some others alive."""
    return View(
        life=_life(machine),
        serving=True,
        rings={},
        free={"default": free},
        used={"default": 0},
        size=254,
        unreachable=0,
        keys=frozenset(filter(None, keys.split(","))),
        alive=frozenset([machine, *alive.split()]),
        outgoing=0,
        conflicts=(),
    )


def _address(text: str) -> Address:
    network, _, cidr = text.rpartition(":")
    family, span, _ = parse_cidr(cidr if "/" in cidr else f"{cidr}/32")
    return RingId(network or "default", family), span


def _observed(when: float, words: list[str]) -> Observed:
    names = {name: int(free or 0) for name, _, free in (one.partition("=") for one in words if one[0] == "n")}
    everybody = "" if "strange" in words else " ".join(names)
    keys = next((one[4:] for one in words if one.startswith("has=")), "")
    return Observed(
        when,
        {name: _view(name, free=free, alive=everybody, keys=keys) for name, free in names.items()},
        settled="settled" in words,
        reach={name: frozenset([name] if "apart" in words else names) for name in names},
    )


def _answer(when: float, verb: str, request: int, words: list[str]) -> Fact:
    options = dict(one.split("=") for one in words if "=" in one)
    free = int(options["free"]) if "free" in options else None
    addresses = tuple(_address(one) for one in words if "." in one)
    match verb:
        case "given":
            held_s = float(options["for"]) if "for" in options else None
            return Given(when, request, addresses, "late" not in words, free, held_s)
        case "taken":
            return Taken(when, request, addresses)
        case "refused":
            return Refused(when, request, words[0], "as the story goes", free)
        case _:
            return Vanished(when, request)


def _end(when: float, verb: str, words: list[str]) -> Fact:
    match verb:
        case "condemned":
            return Condemned(when, tuple(map(_life, words)))
        case "forgot":
            return Forgot(when, words[0])
        case "down":
            return Down(when, words[0])
        case _:
            return Departed(when, words[0], _life(words[0]))


def _owned(texts: list[str]) -> dict[RingId, tuple[Range, ...]]:
    ranges: dict[RingId, tuple[Range, ...]] = {}
    for ring, span in map(_address, texts):
        ranges[ring] = (*ranges.get(ring, ()), span)
    return ranges


def _pool(name: str, texts: list[str]) -> Pool | None:
    return parse_pool({"name": name, "ranges": texts}) if texts else None


def _change(when: float, verb: str, words: list[str]) -> Fact:
    if verb == "began":
        return Began(when, (parse_pool({"name": words[0], "ranges": words[1:]}),))
    number, name, *texts = words
    if verb == "change":
        return Changing(when, int(number), name, _pool(name, texts))
    return Changed(when, int(number), _pool(name, texts))


def _fact(when: float, verb: str, words: list[str]) -> Fact:
    match verb:
        case "ask" | "back":
            number, machine, key, *options = words
            size = int(next((one[5:] for one in options if one.startswith("size=")), "1"))
            durable = "durable" in options
            return Asked(when, int(number), machine, _life(machine), key, verb == "ask", durable, size)
        case "given" | "taken" | "refused" | "vanished":
            return _answer(when, verb, int(words[0]), words[1:])
        case "began" | "change" | "changed":
            return _change(when, verb, words)
        case "emptied":
            return Emptied(when, words[0], "for-good" in words)
        case "condemned" | "forgot" | "down" | "departed":
            return _end(when, verb, words)
        case "moved":
            return Moved(when, *words)
        case "owns":
            return Owns(when, words[0], _life(words[0]), _owned(words[1:]))
        case "look":
            return _observed(when, words)
    raise ValueError(verb)


def _read(story: str) -> Iterator[Fact]:
    when = 0.0
    for clause in filter(None, map(str.strip, story.split(";"))):
        verb, *words = clause.split()
        if verb == "at":
            when = float(words[0])
        else:
            yield _fact(when, verb, words)
            when += 1.0


@pytest.fixture
def tell() -> Callable[[Checker, str], list[str]]:
    """Tells a checker a story; every violation that it finds."""
    return lambda checker, story: [text for fact in _read(story) for text in checker.hear(fact)]


@pytest.fixture
def view() -> Callable[..., View]:
    """Makes what a daemon shows: `view(machine, free=0, alive="n1 n2")`."""
    return _view
