"""What a member does with what it hears: as the daemon, without time and disks."""

from __future__ import annotations

from ring.address import Range
from ring.ring import Peer
from simulations.explorer.member import POOL, RING, Letter, Member, Step
from simulations.explorer.shell import Shell
from simulations.explorer.worlds import World
from weaveipam.allocation.campaign import Wanted
from weaveipam.allocation.rules import RULES
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.messages import Grant, GrantAck, Ownership
from weaveipam.protocol.rollcalls import (
    Accept,
    Accepted,
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


NO_POOL = Wanted(drop=(POOL,), vacates=(Span(RING, (Range(0, 3),)),))


def asked_for_no_pool(one: Member) -> tuple[Member, Prepare]:
    """A, once it has called for no pool, and what it has said to all."""
    begun = SHELL.begins(one, NO_POOL)
    assert begun is not None
    call = to(B, begun[1], Prepare).said
    assert isinstance(call, Prepare)
    return begun[0], call


def done(step: Step | None) -> Member:
    """A member after something that may be done."""
    assert step is not None
    return step[0]


def test_what_is_about_to_belong_to_no_pool_is_kept_back() -> None:
    """Who has promised hands it out to nobody, nor gives it to another member; who was not asked does."""
    _, call = asked_for_no_pool(FIRST[A])
    b, _ = told(FIRST[B], Letter(A, B, call))

    assert SHELL.hands_out(b, 1) is None
    assert SHELL.grants(b, 1, A) is None
    assert SHELL.hands_out(FIRST[X], 2) is not None
    assert SHELL.hands_out(FIRST[X], 1) is None, "it is another's"


def test_what_is_in_use_is_told_and_keeps_the_pool() -> None:
    """Who calls may ask again when it is not; until then nothing is proposed."""
    a, call = asked_for_no_pool(FIRST[A])
    b = done(SHELL.hands_out(FIRST[B], 1))
    assert SHELL.hands_out(b, 1) is None
    assert SHELL.grants(b, 1, A) is None
    b, promises = told(b, Letter(A, B, call))
    _, more = told(FIRST[X], Letter(A, X, call))
    a, sent = told(a, to(A, promises, Promise), to(A, more, Promise))
    assert a.campaign is not None
    assert a.campaign.decree is None
    assert not [one for one in sent if isinstance(one.said, Accept)]

    again = SHELL.asks_again(a)
    assert again is not None
    b, promises = told(done(SHELL.gets_back(b, 1)), to(B, again[1], Prepare))
    _, more = told(FIRST[X], to(X, again[1], Prepare))
    a, _ = told(again[0], to(A, promises, Promise), to(A, more, Promise))
    assert a.campaign is not None
    assert a.campaign.decree is not None
    assert (POOL,) == a.campaign.decree.drop


def test_nobody_is_asked_again_while_nothing_is_in_use() -> None:
    """Or before all have answered."""
    a, _ = asked_for_no_pool(done(SHELL.hands_out(FIRST[A], 0)))
    assert SHELL.asks_again(a) is None
    assert SHELL.asks_again(FIRST[A]) is None


def test_what_is_handed_over_is_in_use_until_the_heir_has_it() -> None:
    """The heir says that it has it, and then it is in use there; a repeat brings nothing back."""
    b = done(SHELL.hands_out(FIRST[B], 1))
    assert SHELL.hands_over(FIRST[B], 1, A) is None, "nobody uses it"
    step = SHELL.hands_over(b, 1, A)
    assert step is not None
    b, letters = step
    grant = to(A, letters, Grant)
    assert [] == [*b.owned()]
    assert {1} == b.in_use

    a, answers = told(FIRST[A], grant)
    assert {1} == a.in_use
    b, _ = told(b, to(B, answers, GrantAck))
    assert frozenset() == b.in_use
    a = done(SHELL.gets_back(a, 1))
    a, again = told(a, grant)
    assert frozenset() == a.in_use
    assert 1 == len(again)


def test_an_heir_waits_for_the_user_of_what_a_leaver_gave() -> None:
    """Who hears first that it is the owner hands nothing out; nor takes it in what it keeps back."""
    shell = Shell(RULES, frozenset(), "b")
    step = shell.hands_over(done(shell.hands_out(FIRST[B], 1)), 1, A)
    assert step is not None
    grant = to(A, step[1], Grant)
    a, _ = told(FIRST[A], *(one for one in step[1] if one.to is None))
    assert [0, 1] == [*a.owned()]
    assert shell.hands_out(a, 1) is None

    keeps, _ = asked_for_no_pool(a)
    after, sent = told(keeps, grant)
    assert (keeps, []) == (after, sent)
    assert {1} == told(a, grant)[0].in_use


def test_a_decision_on_pools_confines_the_ring() -> None:
    """What is said of addresses of no pool is forgotten, and not believed any more."""
    a, call = asked_for_no_pool(FIRST[A])
    answers = [to(A, told(FIRST[one], Letter(A, one, call))[1], Promise) for one in (B, X)]
    a, _ = told(a, *answers)
    accepts = [Letter(one, A, Accepted(1, call.ballot)) for one in (B, X)]
    a, _ = told(a, *accepts)

    assert 1 == a.ledger.charter.number
    assert [] == [*a.ring]
    a, _ = told(a, Letter(B, None, Ownership(RING, tuple(FIRST[B].ring))))
    assert [] == [*a.ring]
