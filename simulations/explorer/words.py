"""
Steps in words, for people and for beginnings.

Does not know what a step does.
"""

from __future__ import annotations

from collections.abc import Iterable

from ring.address import Range
from ring.ring import Peer, Run
from simulations.explorer.member import Letter
from weaveipam.protocol.decisions import Ballot, Decree, Span
from weaveipam.protocol.messages import Grant, GrantAck, Ownership
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
    CharterShare,
    Closure,
    Decided,
    Declined,
    Enrol,
    Enrolled,
    Prepare,
    Promise,
)
from weaveipam.protocol.values import Pool


def heard(who: Peer, letter: Letter) -> str:
    """
    That a member hears a message.

    >>> heard(Peer("b", 1), Letter(Peer("a", 1), None, Decided(2)))
    'b hears from a: decision 2 is made'
    """
    return f"{who.name} hears from {letter.sender.name}: {_said(letter)}"


def names(peers: Iterable[Peer]) -> str:
    """Names of peers; `nobody` if there are none."""
    return " and ".join(sorted(peer.name for peer in peers)) or "nobody"


def pools(there: Iterable[Pool]) -> str:
    """Which addresses are a pool's; `no pool` if none is."""
    extents = [_range(one.range) for each in there for one in each.ranges]
    return f"a pool of {' and '.join(extents)}" if extents else "no pool"


def owned(runs: Iterable[Run]) -> str:
    """
    Who owns what, and by which token.

    >>> from ring.ring import Token
    >>> owned([Run(0, 2, Token(1, 3), Peer("a", 1), Peer("b", 1))])
    "0-1 is a's at (1, 3), says b"
    """
    return ", ".join(
        f"{_range(Range(run.start, run.stop))} is {run.owner.name}'s at {tuple(run.token)}, "
        f"says {run.author.name}"
        for run in runs
    )


def _range(what: Range) -> str:
    return str(what.start) if what.size == 1 else f"{what.start}-{what.stop - 1}"


def _said(letter: Letter) -> str:  # noqa: C901 - a case for each message
    match letter.said:
        case Ownership() | Grant() | GrantAck():
            return _said_of_space(letter.said)
        case Prepare(number, ballot, fenced, asked, vacates=spans):
            again = f", asked again ({asked})" if asked > 1 else ""
            kept = f", keep back {_spans(spans)}" if spans else ""
            ask = f"promise ballot {_ballot(ballot)} of decision {number}"
            return f"{ask} without {names(fenced)}{again}{kept}"
        case Promise(number, ballot, _, _, statements, vote, roster, uses):
            known = "; ".join(owned(one.runs) for one in statements) or "what you know"
            accepted = (
                "" if vote is None else f", have accepted in {_ballot(vote.ballot)}: {_decree(vote.decree)}"
            )
            on = f", have enrolled {names(roster)}" if roster else ""
            used = f", {', '.join(_range(one.range) for one in uses)} is in use" if uses else ""
            return (
                f"I promise ballot {_ballot(ballot)} of decision {number}, know {known}{on}{used}{accepted}"
            )
        case Declined(number, ballot, why):
            return f"not ballot {_ballot(ballot)} of decision {number}: {why.name.lower()}"
        case Accept(number, ballot, decree):
            return f"accept in ballot {_ballot(ballot)} as decision {number}: {_decree(decree)}"
        case Accepted(number, ballot):
            return f"I have accepted ballot {_ballot(ballot)} of decision {number}"
        case Decided(number):
            return f"decision {number} is made"
        case Enrol(number):
            return f"enrol me, as of decision {number}"
        case Enrolled(number):
            return f"you are enrolled, as of decision {number}"
        case CharterShare(charter):
            return f"{charter.number} decisions are made"
        case Closure(closed):
            return f"over are the lives of {names(closed)}"


def _said_of_space(said: Ownership | Grant | GrantAck) -> str:
    match said:
        case Ownership(_, runs):
            return owned(runs)
        case Grant(runs=runs):
            return f"{owned(runs)}, and in use"
        case GrantAck():
            return "I have what you gave"


def _ballot(ballot: Ballot) -> str:
    return f"{ballot.fenced}.{ballot.round}.{ballot.proposer.name}"


def _decree(decree: Decree) -> str:
    taken = "; ".join(owned(one.runs) for one in decree.statements) or "nothing changes its owner"
    changed = f", {pools(decree.put)}" if decree.put or decree.drop else ""
    return f"without {names(decree.victims)}, {taken}{changed}"


def _spans(spans: Iterable[Span]) -> str:
    return ", ".join(_range(one) for span in spans for one in span.ranges)
