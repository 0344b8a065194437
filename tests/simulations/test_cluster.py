"""The ledger, which judges every end-to-end run, and the plan of a cluster."""

from __future__ import annotations

from pathlib import Path

from simulations.hosts.cluster import Ledger, plan_cluster
from simulations.hosts.relay import Relay


def test_an_address_held_by_two_is_a_duplicate() -> None:
    """The second container that is answered an address in use is named with the first."""
    ledger = Ledger()
    ledger.given("one", ["10.0.0.1"])
    ledger.given("two", ["10.0.0.2", "10.0.0.1"])

    assert ledger.duplicates == ["10.0.0.1 was given to two, but one has it"]


def test_an_address_that_was_returned_may_be_given_again() -> None:
    """After a container is struck out its addresses are free for others."""
    ledger = Ledger()
    ledger.given("one", ["10.0.0.1"])
    ledger.returned("one")
    ledger.given("two", ["10.0.0.1"])

    assert (ledger.duplicates, ledger.held(), ledger.answers_count) == ([], {"two": ("10.0.0.1",)}, 2)


def test_the_same_answer_again_is_no_duplicate() -> None:
    """A repeated ADD that is answered the same counts once."""
    ledger = Ledger()
    ledger.given("one", ["10.0.0.1"])
    ledger.given("one", ["10.0.0.1"])

    assert (ledger.duplicates, ledger.answers_count) == ([], 1)


def test_another_answer_for_the_same_container_is_reported() -> None:
    """A repeated ADD that is answered with another address breaks idempotence."""
    ledger = Ledger()
    ledger.given("one", ["10.0.0.1"])
    ledger.given("one", ["10.0.0.2"])

    assert len(ledger.duplicates) == 1


def test_returning_an_unknown_container_is_harmless() -> None:
    """A DEL of a container that never got anything changes nothing."""
    ledger = Ledger()
    ledger.returned("none")

    assert ledger.held() == {}


def test_every_daemon_is_told_of_all_others(tmp_path: Path) -> None:
    """A planned daemon joins the stand-ins of all others, and all know the same seeds."""
    with Relay(["a", "b", "c"]) as relay:
        plans = plan_cluster(["a", "b", "c"], relay, tmp_path, ("p=10.0.0.0/24",))
        expected = tuple(relay.place(name).advertise for name in "bc")

    assert (plans[0].join, {plan.seeds for plan in plans}) == (expected, {("a", "b", "c")})
