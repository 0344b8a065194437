"""Every checker hears every fact, and what they find is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simulations import checkers
from simulations.checkers.court import VIOLATIONS_MAX, Court, all_checkers
from simulations.facts import Down, Fact
from simulations.outcome import Violation


class Naysayer:
    """Finds fault with every fact: its time, and always the same."""

    name = "naysayer"

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        yield f"it is {fact.when}"
        yield "always"


def test_violations_are_written_down_once() -> None:
    """Each sentence is kept with its checker and its time; a sentence that comes again is not."""
    court = Court([Naysayer()])
    court.hear(Down(1.0, "n1"))
    court.hear(Down(2.0, "n1"))

    assert court.violations == [
        Violation("naysayer", 1.0, "it is 1.0"),
        Violation("naysayer", 1.0, "always"),
        Violation("naysayer", 2.0, "it is 2.0"),
    ]


def test_others_may_accuse() -> None:
    """What somebody else has found stands beside what checkers find."""
    court = Court([])
    court.accuse("claim", 3.0, "the sky is blue")

    assert court.violations == [Violation("claim", 3.0, "the sky is blue")]


def test_the_first_violation_is_announced() -> None:
    """Whoever wants to look at that moment is called then, and only then."""
    calls: list[int] = []
    court = Court([Naysayer()])
    court.on_first = lambda: calls.append(len(court.violations))
    court.hear(Down(1.0, "n1"))
    court.hear(Down(2.0, "n1"))

    assert calls == [0]


def test_only_the_first_many_are_kept() -> None:
    """A broken run does not fill the memory with its consequences."""
    court = Court([Naysayer()])
    for when in range(10 * VIOLATIONS_MAX):
        court.hear(Down(float(when), "n1"))

    assert len(court.violations) == VIOLATIONS_MAX


def test_no_checker_is_left_out() -> None:
    """Each module that has a checker is in the court, and names are told apart."""
    names = [one.name for one in all_checkers(1.0)]
    modules = {path.stem for folder in checkers.__path__ for path in Path(folder).glob("*.py")}

    assert len(set(names)) == len(names)
    assert modules == {*names, "__init__", "base", "court", "spans", "told"}
