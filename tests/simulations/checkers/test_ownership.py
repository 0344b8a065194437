"""Two daemons that show the same address as their own are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from simulations.checkers.base import Checker
from simulations.checkers.ownership import Ownership
from simulations.facts import Observed, View
from weaveipam.protocol.values import RingId

Tell = Callable[[Checker, str], list[str]]

FOUND = {
    "the same": "owns n1 10.0.0.0/25; owns n2 10.0.0.0/25",
    "a part": "owns n1 10.0.0.0/25; owns n2 10.0.0.127",
    "around": "owns n2 10.0.0.7; owns n1 10.0.0.0/25",
    "the last of several": "owns n1 10.0.0.0/26 10.0.0.128/26; owns n2 10.0.0.64/26 10.0.0.190",
    "what grew": "owns n1 10.0.0.0/26; owns n2 10.0.0.64/26; owns n1 10.0.0.0/25",
    "one that is paused": "owns n1 10.0.0.0/25; owns n3 10.0.1.0/25; owns n2 10.0.0.0/26",
    "when another is to be removed": "owns n1 10.0.0.0/25; condemned n3; owns n2 10.0.0.0/25",
    "what came back": "owns n1 10.0.0.0/25; down n1; owns n2 10.0.0.0/25; owns n1 10.0.0.0/25",
}
FINE = {
    "neighbours": "owns n1 10.0.0.0/25; owns n2 10.0.0.128/25",
    "interleaved": "owns n1 10.0.0.0/26 10.0.0.128/26; owns n2 10.0.0.64/26 10.0.0.192/26",
    "the same in another network": "owns n1 10.0.0.0/25; owns n2 blue:10.0.0.0/25",
    "given away before": "owns n1 10.0.0.0/24; owns n1 10.0.0.0/25; owns n2 10.0.0.128/25",
    "one that is down": "owns n1 10.0.0.0/25; down n1; owns n2 10.0.0.0/25",
    "the same again": "owns n1 10.0.0.0/25; owns n1 10.0.0.0/25",
    "nothing": "owns n1; owns n2",
    "one that is to be removed": "owns n1 10.0.0.0; condemned n1 n3; owns n2 10.0.0.0; owns n1 10.0.0.0",
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_two_owners_are_found(tell: Tell, story: str) -> None:
    """An address in what two running daemons showed last: one violation, with both names."""
    (text,) = tell(Ownership(), story)

    assert "n1" in text
    assert "n2" in text


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_one_owner_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused for what he has given away, or of sharing with one that is down."""
    assert tell(Ownership(), story) == []


RING = RingId("default", Family.V4)


def run(owner: Peer, start: int, stop: int) -> Run:
    """A run at addresses that stand for nothing else."""
    return Run(start, stop, Token(0, 1), owner, owner)


@pytest.mark.parametrize(
    ("what", "serving", "text"),
    [
        (Range(5, 15), True, ["both n1 and n2 show that they own 0.0.0.5-0.0.0.9 of default"]),
        (Range(10, 15), True, []),
        (Range(5, 15), False, []),
    ],
)
def test_observations_are_judged_too(
    view: Callable[..., View], what: Range, text: list[str], *, serving: bool
) -> None:
    """What daemons show that they own themselves is compared; what they believe of others is not."""
    one, two = view("n1"), view("n2")
    others = run(one.life, 10, 15)  # as n1 has it, which is late
    ones = replace(one, rings={RING: (run(one.life, 0, 10), run(two.life, 10, 15))})
    twos = replace(two, rings={RING: (run(two.life, what.start, what.stop), others)}, serving=serving)

    assert list(Ownership().hear(Observed(0.0, {"n1": ones, "n2": twos}))) == text


def test_three_owners_are_two_violations(view: Callable[..., View]) -> None:
    """Each overlap with who reaches furthest is found, also over several ranges."""
    views = {name: view(name) for name in ("n1", "n2", "n3")}
    spans = {"n1": (0, 20), "n2": (5, 8), "n3": (12, 30)}
    shown = {name: replace(one, rings={RING: (run(one.life, *spans[name]),)}) for name, one in views.items()}

    found = list(Ownership().hear(Observed(0.0, shown)))

    assert [text.split()[1:4] for text in found] == [["n1", "and", "n2"], ["n1", "and", "n3"]]
