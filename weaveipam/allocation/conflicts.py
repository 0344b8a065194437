"""
What is contested, foreign, lent or in use twice, shown to those who ask, as values and in sentences.

Changes nothing.  Does not know how any of it came about, nor how it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from ring.address import Range, format_range
from weaveipam.allocation.adoption import Adoption
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settling import Settling
from weaveipam.protocol.findings import Conflicts, Contested, Foreign, Holder, LentOut, Problem, UsedTwice
from weaveipam.protocol.records import Frozen, Lent
from weaveipam.protocol.values import ContestStage, RingId

NAMED_MAX = 8
"""Addresses that one sentence names; more are counted."""

_NEXT_STEP = {
    ContestStage.OPEN: "handed out by neither; decide with: weaveipam conflicts resolve RANGE --owner NAME",
    ContestStage.KEEPING: "this daemon keeps it as soon as the other one has given it up",
    ContestStage.YIELDED: "given up here; the other one has not heard of it yet",
}


def all_conflicts(holdings: Holdings, adoption: Adoption, settling: Settling) -> Conflicts:
    """All that this node knows of; linear in what it finds, and in the leases for contested blocks."""
    foreign = [
        Foreign(loan.ring, loan.range, loan.key, owner, adoption.is_adopted(loan, owner))
        for loan, owner in holdings.foreign.loans(holdings.rings)
    ]
    return Conflicts(
        tuple(_contested(holdings, settling, one) for one in holdings.contests),
        tuple(sorted(foreign, key=lambda one: (one.ring, one.range, one.key))),
        tuple(LentOut(one.loan.ring, one.loan.range, _holder(one)) for one in holdings.loans),
        tuple(_twice(adoption)),
    )


def conflict_problems(found: Conflicts) -> list[Problem]:
    """A sentence for each thing that somebody should look at."""
    problems = [Problem("contested", _of_contest(one)) for one in found.contested]
    problems += [Problem("in-use-twice", _of_twice(one)) for one in found.twice]
    by_owner = sorted(found.foreign, key=lambda one: (one.adopted, one.owner, one.ring, one.range))
    for (adopted, owner), group in groupby(by_owner, key=lambda one: (one.adopted, one.owner)):
        held = list(group)
        count = sum(one.range.size for one in held)
        named = _named((one.ring, one.range) for one in held)
        keeps = "keeps them for their users" if adopted else "has not said that it keeps them for their users"
        sentence = f"{count} addresses in use here are {owner}'s now, which {keeps}: {named}"
        problems.append(Problem("foreign" if adopted else "foreign-unadopted", sentence))
    return problems


def _contested(holdings: Holdings, settling: Settling, one: Frozen) -> Contested:
    run = holdings.rings[one.ring].at(one.range.start)
    told = settling.told(one)
    return Contested(
        one.ring,
        one.range,
        one.mine,
        one.theirs,
        one.stage,
        None if run is None else run.owner,
        _held(settling.held_here(one)),
        None if told is None else _held(told),
    )


def _twice(adoption: Adoption) -> list[UsedTwice]:
    """Each pair once, whichever of the two comes first."""
    found: dict[tuple[RingId, Range, frozenset[tuple[str, str]]], UsedTwice] = {}
    for loan, holder, other in adoption.held_twice():
        pair = frozenset(((loan.key, holder.name), (other.key, other.holder.name)))
        one, two = Holder(loan.key, holder), Holder(other.key, other.holder)
        found.setdefault((loan.ring, loan.range, pair), UsedTwice(loan.ring, loan.range, one, two))
    return sorted(found.values(), key=lambda one: (one.ring, one.range, one.one, one.other))


def _held(held: Iterable[Lent]) -> tuple[tuple[Range, Holder], ...]:
    return tuple(sorted((one.loan.range, _holder(one)) for one in held))


def _holder(lent: Lent) -> Holder:
    return Holder(lent.loan.key, lent.holder)


def _of_contest(one: Contested) -> str:
    text = format_range(one.ring.family, one.range)
    sides = [run.owner for run in (one.mine, one.theirs) if run is not None]
    who = " and ".join(str(peer) for peer in sides) or "this daemon and another one"
    return f"{text} has two owners with one token, {who}; {_NEXT_STEP[one.stage]}"


def _of_twice(one: UsedTwice) -> str:
    text = format_range(one.ring.family, one.range)
    return (
        f"{text} is in use twice: by key {one.one.key} at {one.one.peer} and by key {one.other.key} at "
        f"{one.other.peer}; release one of the two"
    )


def _named(places: Iterable[tuple[RingId, Range]]) -> str:
    texts = [format_range(ring.family, what) for ring, what in places]
    more = f" and {len(texts) - NAMED_MAX} more" if len(texts) > NAMED_MAX else ""
    return ", ".join(texts[:NAMED_MAX]) + more
