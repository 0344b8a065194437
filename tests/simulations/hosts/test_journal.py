"""Facts from several threads, and what the checkers make of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ring.address import Family, Range
from ring.ring import Peer
from simulations.facts import Asked, Given, Refused
from simulations.hosts.journal import TAIL_MAX, Journal
from weaveipam.protocol.values import RingId

LIFE = Peer("n1", 1)
RING = RingId("default", Family.V4)


def give(journal: Journal, key: str, address: int) -> None:
    """A key asks and is given an address."""
    request = journal.next_request()
    journal.state(partial(Asked, request=request, machine="n1", life=LIFE, key=key, give=True))
    journal.state(partial(Given, request=request, addresses=((RING, Range(address, address + 1)),)))


def test_a_planted_duplicate_is_found() -> None:
    """A false fact that gives one address to two keys violates uniqueness, and what led to it is kept."""
    journal = Journal()
    give(journal, "one", 7)
    give(journal, "two", 8)
    sound = list(journal.court.violations)
    give(journal, "three", 7)

    assert (sound, [one.checker for one in journal.court.violations]) == ([], ["uniqueness"])
    assert "key='three'" in journal.tail[-2]
    assert len(journal.tail) == 6


def test_every_thread_is_heard() -> None:
    """Facts of many threads are all counted, each request has its own number, and time does not go back."""
    journal = Journal()
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda number: give(journal, f"k{number}", number), range(400)))
    give(journal, "again", 399)

    moments = [float(line.split()[0]) for line in journal.tail]
    assert (journal.given_count, journal.facts_count) == (401, 802)
    assert (len(moments), moments) == (TAIL_MAX, sorted(moments))


def test_marks_last_until_they_end() -> None:
    """What lasts ends for the machines that are named; a moment has no end; `close` ends the rest."""
    journal = Journal()
    journal.mark("pause", ["n1"], "", lasting=True)
    journal.mark("pause", ["n2"], "", lasting=True)
    journal.mark("crash", ["n1"], "")
    journal.end("pause", ["n1"])
    first = [one.until for one in journal.marks]
    journal.close()
    last = [one.until for one in journal.marks]

    assert first[0] == last[0]
    assert last[0] is not None
    assert last[0] > journal.marks[0].at
    assert (first[1], last[2]) == (journal.marks[1].at, None)
    assert last[1] is not None
    assert last[1] > journal.marks[1].at


def test_a_refusal_gives_nothing() -> None:
    """A refused request counts as no answer that gave."""
    journal = Journal()
    journal.state(partial(Asked, request=1, machine="n1", life=LIFE, key="k", give=True))
    journal.state(partial(Refused, request=1, reason="exhausted", detail=""))

    assert (journal.given_count, journal.court.violations) == (0, [])
