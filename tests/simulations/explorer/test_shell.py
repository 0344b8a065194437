"""What a member does with what it hears: as the daemon, without time and disks."""

from __future__ import annotations

from ring.ring import Peer
from simulations.explorer.member import Letter, Member
from simulations.explorer.shell import Shell
from simulations.explorer.worlds import World
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.rules import RULES
from weaveipam.protocol.messages import Ownership
from weaveipam.protocol.rollcalls import (
    Accept,
    CharterShare,
    Closure,
    Decided,
    Enrol,
    Enrolled,
    Prepare,
    Promise,
)

A, B, N, X = (Peer(name, 1) for name in "abnx")
SHELL = Shell(RULES, frozenset())
FIRST = dict(zip((A, B, X, N), World(seeds="abx", newcomers="n", owners="abx").members(), strict=True))
REMOVE_X = Wanted(victims=frozenset({X}))


def told(one: Member, *letters: Letter) -> tuple[Member, list[Letter]]:
    """A member after it has heard some messages, and all that it sent."""
    sent: list[Letter] = []
    for letter in letters:
        one, more = SHELL.hears(one, letter)
        sent += more
    return one, sent


def to(peer: Peer, letters: list[Letter] | tuple[Letter, ...], kind: type) -> Letter:
    """The message of a kind that goes to somebody."""
    (found,) = [one for one in letters if one.to == peer and isinstance(one.said, kind)]
    return found


def decided() -> tuple[Member, Member]:
    """A and B, after they have removed X."""
    begun = SHELL.begins(FIRST[A], REMOVE_X)
    assert begun is not None
    a, calls = begun
    b, promises = told(FIRST[B], to(B, calls, Prepare))
    a, accepts = told(a, to(A, promises, Promise))
    b, answers = told(b, to(B, accepts, Accept))
    a, sent = told(a, *[one for one in answers if one.to == A])
    b, _ = told(b, to_all(sent))
    return a, b


def to_all(letters: list[Letter]) -> Letter:
    """That the decision is made."""
    (found,) = [one for one in letters if isinstance(one.said, Decided)]
    return found


def test_a_removal_takes_five_steps_of_two_members() -> None:
    """In the end both know of it, and somebody who lives owns each address."""
    a, b = decided()

    assert a.ledger.charter == b.ledger.charter
    assert a.ring == b.ring
    assert [0, 1, 2] == sorted([*a.owned(), *b.owned()])


def test_an_owner_has_granted_before_anybody_hears_of_it() -> None:
    """It owns the address no longer; who does hears so from anybody."""
    granted = SHELL.grants(FIRST[A], 0, B)
    assert granted is not None
    a, (letter,) = granted

    assert [] == [*a.owned()]
    assert letter.to is None
    assert isinstance(letter.said, Ownership)
    assert [0, 1] == [*told(FIRST[B], letter)[0].owned()]


def test_nobody_grants_what_is_not_its_own_or_to_those_who_are_gone() -> None:
    """Nor to itself."""
    a, _ = decided()

    assert SHELL.grants(FIRST[A], 1, B) is None
    assert SHELL.grants(FIRST[A], 0, A) is None
    assert SHELL.grants(a, 0, X) is None
    assert SHELL.grants(FIRST[A], 0, X) is not None


def test_a_newcomer_is_admitted_by_a_majority() -> None:
    """Two of three electors are one; before that it owns nothing and calls for nothing."""
    asked = SHELL.enrols(FIRST[N])
    assert asked is not None
    n, letters = asked
    assert {A, B, X} == {one.to for one in letters}
    answers = [to(N, told(FIRST[one], to(one, letters, Enrol))[1], Enrolled) for one in (A, B)]

    n, _ = told(n, answers[0])
    assert not n.ledger.admitted
    assert SHELL.begins(n, REMOVE_X) is None
    n, _ = told(n, answers[1])
    assert n.ledger.admitted


def test_a_newcomer_that_is_behind_is_told_what_was_decided() -> None:
    """It adopts the charter, and asks the electors of now."""
    a, _ = decided()
    asked = SHELL.enrols(FIRST[N])
    assert asked is not None
    n, letters = asked
    _, (share,) = told(a, to(A, [*letters], Enrol))
    assert isinstance(share.said, CharterShare)
    n, again = told(n, share)

    assert 1 == n.ledger.charter.number
    assert {*a.ledger.charter.electors} == {one.to for one in again}


def test_who_hears_that_it_is_over_stops() -> None:
    """It owns nothing any more; another's end is nothing to it."""
    x, _ = told(FIRST[X], Letter(A, X, Closure((B,))))
    assert [2] == [*x.owned()]
    x, _ = told(x, Letter(A, X, Closure((X,))))

    assert x.told
    assert x.stopped
    assert [] == [*x.owned()]


def test_who_is_heard_is_not_called_gone() -> None:
    """While somebody can be heard his removal does not begin, unless an operator insists."""
    shell = Shell(RULES, frozenset({X}))
    begun = shell.begins(FIRST[A], REMOVE_X)
    assert begun is not None
    assert begun[0].campaign is None
    assert () == begun[1]

    insisted = shell.begins(FIRST[A], Wanted(victims=frozenset({X}), forced=frozenset({X})))
    assert insisted is not None
    assert insisted[0].campaign is not None


def test_to_hear_that_more_are_gone_begins_another_ballot() -> None:
    """The round is higher, and those who have promised are asked anew."""
    begun = SHELL.begins(FIRST[A], REMOVE_X)
    assert begun is not None
    a, calls = begun
    again = SHELL.widens(a, [B])
    assert again is not None

    prepare = to(B, [*calls], Prepare).said
    assert isinstance(prepare, Prepare)
    assert again[0].ledger.promised is not None
    assert again[0].ledger.promised > prepare.ballot
    assert {B, X} == again[0].ledger.closed
