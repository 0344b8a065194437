"""One member's ledger, its disk and its rings go together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ring.address import Family, Range, union
from ring.ring import Peer, Run, Token
from weaveipam.allocation.audit import audit
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.seat import HEARD_MAX, Seat
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.decisions import Ballot, Decree, Statements
from weaveipam.protocol.effects import Durability, Persist, Report
from weaveipam.protocol.messages import Ownership, Publish, Step
from weaveipam.protocol.records import Chartered, Owned, Record, RecordKey, Resting
from weaveipam.protocol.rollcalls import Accept, Prepare
from weaveipam.protocol.values import Birth, Pool, PoolRange, RingId

ME, OTHER, DEAD = Peer("me", 1), Peer("other", 1), Peer("dead", 1)
RING = RingId("default", Family.V4)
POOL = Pool("p", "default", (PoolRange(Family.V4, Range(0, 30), 27),))
BIRTH = Birth(bytes(16), (DEAD, ME, OTHER), (POOL,))
SETTINGS = AllocationSettings(heard_s=5.0)
BALLOT = Ballot(1, 1, OTHER)


class Member:
    """A seat, its holdings, and a disk that does as it is told."""

    def __init__(self, disk: dict[RecordKey, Record] | None = None) -> None:
        self.disk = {} if disk is None else disk
        self.holdings = Holdings(ME, SETTINGS)
        records = tuple(self.disk.values())
        self.perform(self.holdings.restore(BIRTH, BIRTH.pools, records, 0.0))
        self.seat = Seat(ME, SETTINGS, self.holdings)
        self.seat.take(BIRTH, records)

    def perform(self, steps: Iterable[Step]) -> None:
        """Remember what is to be remembered."""
        for step in steps:
            if isinstance(step, Persist):
                for key in step.delete:
                    self.disk.pop(key, None)
                self.disk.update((one.record_key, one) for one in step.put)

    def accept(self, now: float = 0.0, put: tuple[Pool, ...] = ()) -> None:
        """Promise and accept that what the dead one owned is this member's; and other pools."""
        (dead,) = [run for run in self.holdings.rings[RING] if run.owner == DEAD]
        said = Statements(RING, (Run(dead.start, dead.stop, Token(1, 0), ME, ME),))
        promised, _ = self.seat.ledger.promise(Prepare(1, BALLOT, (DEAD,), 1, (), 0), ())
        self.perform(self.seat.keep(promised, now))
        decree = Decree((DEAD,), (said,), (ME,), put)
        accepted, declined = self.seat.ledger.accept(Accept(1, BALLOT, decree, ()))
        assert declined is None
        self.perform(self.seat.keep(accepted, now))

    def complete(self, now: float = 0.0) -> list[Step]:
        """Learn that it is decided; what that wants."""
        steps = self.seat.complete(now)
        self.perform(steps)
        return steps


def test_who_has_promised_believes_the_fenced_no_more() -> None:
    """From a promise on what the fenced say is left out, and a restart changes nothing about it."""
    it = Member()
    it.accept()
    (mine, *_) = it.holdings.rings[RING]
    said = Ownership(RING, (Run(mine.start, mine.stop, Token(0, 9), OTHER, DEAD),))

    for member in (it, Member(it.disk)):
        assert member.seat.ledger.closed == {DEAD}
        assert member.holdings.belief.is_over(DEAD)
        theirs = member.holdings.checked(said)
        assert theirs is not None
        assert 0 == len(theirs)


def test_what_is_accepted_changes_nothing_yet() -> None:
    """Until it is known to be decided the vote is on disk, and rings are as they were."""
    it = Member()
    before = it.holdings.rings[RING]
    it.accept()

    for member in (it, Member(it.disk)):
        assert member.seat.ledger.vote is not None
        assert before == member.holdings.rings[RING]


def test_what_is_decided_is_on_disk_with_what_it_does() -> None:
    """The decision, the runs and the rest of what was taken over are one commit, on stable storage."""
    it = Member()
    it.accept()
    steps = it.complete()
    first = steps[0]

    assert isinstance(first, Persist)
    assert Durability.HOST is first.durability
    assert {Chartered, Owned, Resting} <= {type(one) for one in first.put}
    assert not any(isinstance(one, Publish) for one in steps), "all who may believe it have it"


def test_what_is_taken_over_rests() -> None:
    """Addresses of the dead are handed out only after the cooldown, as their neighbours may remember them."""
    it = Member()
    before = sum(one.space.free_count for one in it.holdings.pools.stocks.values())
    it.accept()
    it.complete(7.0)

    assert before == sum(one.space.free_count for one in it.holdings.pools.stocks.values())
    assert 7.0 + SETTINGS.cooldown_s == it.holdings.thaw_at
    again = Member(it.disk)
    assert before == sum(one.space.free_count for one in again.holdings.pools.stocks.values())


def test_nothing_is_known_of_what_a_decision_takes_from_a_pool() -> None:
    """It may say at once whose those addresses are that the dead owned: of no pool nobody owns any."""
    it = Member()
    (dead,) = [run for run in it.holdings.rings[RING] if run.owner == DEAD]
    kept = Range(dead.start + 1, 30)
    it.accept(put=(replace(POOL, ranges=(PoolRange(Family.V4, kept, 27),)),))
    it.complete()

    assert (kept,) == it.holdings.pools.whole(RING)
    on_disk = [one.run for one in it.disk.values() if isinstance(one, Owned)]
    for known in (it.holdings.rings[RING], on_disk):
        assert (kept,) == union(Range(run.start, run.stop) for run in known)
    assert [] == audit(it.holdings, ME, None)


def test_a_decision_is_reported_once_it_is_complete() -> None:
    """The report names who was removed; then they are over for good, and no longer only fenced."""
    it = Member()
    it.accept()
    assert not it.holdings.belief.is_removed(DEAD)
    steps = it.complete()

    (report,) = [one for one in steps if isinstance(one, Report)]
    assert ("decided", (("number", 1), ("removed", "dead"))) == (report.event, report.fields)
    for member in (it, Member(it.disk)):
        assert 1 == member.seat.ledger.charter.number
        assert member.holdings.belief.is_removed(DEAD)


def test_what_later_decisions_bring_is_not_believed_yet() -> None:
    """A statement of a generation whose decision this member does not know of waits until it does."""
    it = Member()
    (first, *_) = it.holdings.rings[RING]
    later = Ownership(RING, (Run(first.start, first.stop, Token(1, 0), OTHER, OTHER),))
    theirs = it.holdings.checked(later)
    assert theirs is not None
    assert 0 == len(theirs)

    it.accept()
    it.complete()
    theirs = it.holdings.checked(later)
    assert theirs is not None
    assert 1 == len(theirs)


def test_who_was_heard_lately_is_known_for_a_while() -> None:
    """Of some lives those are told that spoke within the time of a suspicion."""
    it = Member()
    it.seat.hear(DEAD, 1.0)
    it.seat.hear(OTHER, 4.0)

    assert [DEAD, OTHER] == it.seat.heard_lately([OTHER, DEAD], 5.0)
    assert [OTHER] == it.seat.heard_lately([OTHER, DEAD], 7.0)


def test_what_is_heard_does_not_fill_the_memory() -> None:
    """Of more lives than there can be the first is forgotten."""
    it = Member()
    for number in range(HEARD_MAX + 1):
        it.seat.hear(Peer("x", number), 1.0)

    assert [] == it.seat.heard_lately([Peer("x", 0)], 1.0)
    assert 1 == len(it.seat.heard_lately([Peer("x", HEARD_MAX)], 1.0))
