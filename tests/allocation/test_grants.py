"""Grants on their way."""

from __future__ import annotations

from dataclasses import dataclass

from ring.address import Family
from ring.ring import Peer, Run, Token
from weaveipam.allocation.grants import Grants, outgoing
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.gossip.members import Members
from weaveipam.protocol.messages import Grant, Rumour
from weaveipam.protocol.values import Endpoint, MemberState, RingId

ME, HEIR = Peer("me", 1), Peer("heir", 1)
RUN = Run(0, 8, Token(0, 1), HEIR, ME)
SETTINGS = AllocationSettings(repeat_s=1.0)


@dataclass
class World:
    """A node's grants and its members."""

    grants: Grants
    members: Members


def world(*, known: bool = True) -> World:
    """One grant that was just sent, its heir a member or not."""
    members = Members(ME, Endpoint("me", 1), 0.0)
    if known:
        members.hear(Rumour(HEIR, Endpoint("heir", 1), MemberState.ALIVE, 0), 0.0)
    grants = Grants(SETTINGS)
    grants.add(outgoing(5, HEIR, RingId("default", Family.V4), [RUN]), 9, 0.0)
    return World(grants, members)


def test_repeated_with_growing_pauses_until_acknowledged() -> None:
    """A grant goes out again and again, ever more rarely, with the same number and runs."""
    it = world()
    sent = []
    for _ in range(3):
        at = it.grants.wake_at
        sent += [(at, tell.message) for tell in it.grants.wake(it.members, at)]

    assert [1.0, 3.0, 7.0] == [at for at, _ in sent]
    assert {Grant(5, 9, RingId("default", Family.V4), (RUN,))} == {message for _, message in sent}


def test_acknowledged_is_forgotten_on_disk_too() -> None:
    """An acknowledgement ends the repeats and deletes the record; a second one does nothing."""
    it = world()
    (persist,) = it.grants.acknowledged(5, HEIR)

    assert 1 == len(persist.delete)
    assert [] == it.grants.acknowledged(5, HEIR)
    assert [] == it.grants.wake(it.members, 100.0)


def test_only_the_heir_can_acknowledge() -> None:
    """Another peer, or another life of the heir, acknowledges nothing."""
    it = world()

    assert [] == it.grants.acknowledged(5, Peer("heir", 2))
    assert 1 == len(it.grants)


def test_kept_while_the_heir_is_unknown() -> None:
    """With nowhere to go the grant waits; it is not lost."""
    it = world(known=False)

    assert [] == it.grants.wake(it.members, 10.0)
    assert 1 == len(it.grants)


def test_restored_is_repeated_at_once() -> None:
    """After a restart everything outstanding is sent again first."""
    it = world()
    grants = Grants(SETTINGS)
    grants.restore([outgoing(5, HEIR, RingId("default", Family.V4), [RUN])], 50.0)

    assert 50.0 == grants.wake_at
    assert 1 == len(grants.wake(it.members, 50.0))


def test_a_doubled_request_is_recognised() -> None:
    """The same question from the same peer has been answered; from another it has not."""
    it = world()

    assert it.grants.answered(HEIR, 9)
    assert not it.grants.answered(ME, 9)
