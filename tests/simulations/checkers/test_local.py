"""A daemon that keeps a client waiting, or refuses it, although it has free addresses is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulations.checkers.base import CLIENTS_OWN, Checker
from simulations.checkers.local import Local

Tell = Callable[[Checker, str], list[str]]

FOUND = {
    "given late": "ask 1 n1 a; given 1 10.0.0.1 late free=1",
    "exhausted": "ask 1 n1 a; refused 1 exhausted free=1",
    "not ready": "ask 1 n1 a; refused 1 not-ready free=1",
    "overloaded": "ask 1 n1 a; refused 1 overloaded free=200",
}
FINE = {
    "given at once": "ask 1 n1 a; given 1 10.0.0.1 free=1",
    "given late, as none was free": "ask 1 n1 a; given 1 10.0.0.1 late free=0",
    "given late, and nobody knows what was free": "ask 1 n1 a; given 1 10.0.0.1 late",
    "exhausted, as none was free": "ask 1 n1 a; refused 1 exhausted free=0",
    "exhausted, and nobody knows what was free": "ask 1 n1 a; refused 1 exhausted",
    "giving back is refused": "back 1 n1 a; refused 1 not-ready free=3",
    "never answered": "ask 1 n1 a; vanished 1",
    "refused after the client had gone": "ask 1 n1 a; vanished 1; refused 1 exhausted free=1",
    "answered after the client had gone": "ask 1 n1 a; vanished 1; given 1 10.0.0.1 late free=1",
}


@pytest.mark.parametrize("story", FOUND.values(), ids=FOUND)
def test_waiting_without_need_is_found(tell: Tell, story: str) -> None:
    """The daemon showed a free address when it took the request, and did not give it at once."""
    (text,) = tell(Local(), story)

    assert text.startswith("n1 had ")


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_waiting_for_need_is_fine(tell: Tell, story: str) -> None:
    """Nobody is accused who had nothing, or of whom nobody knows what he had."""
    assert tell(Local(), story) == []


@pytest.mark.parametrize("reason", sorted(CLIENTS_OWN))
def test_a_wrong_request_may_be_refused(tell: Tell, reason: str) -> None:
    """Free addresses do not help a request for what cannot be."""
    assert tell(Local(), f"ask 1 n1 a; refused 1 {reason} free=9") == []
