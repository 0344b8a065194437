"""Rounds, helpers, suspicion, and pings of the dead."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.gossip.members import Members
from weaveipam.gossip.probe import HEALING_PROBES_MAX, RELAYS_MAX, Digest, Probe
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.messages import Ack, Header, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

ALIVE, SUSPECT, DEAD, LEFT = MemberState
SETTINGS = GossipSettings()
DIGEST = Digest(7)
ME = Peer("me", 1)
HERE = Endpoint("192.0.2.99", 6783)


def endpoint(index: int) -> Endpoint:
    """Where the member of that number listens."""
    return Endpoint(f"192.0.2.{index}", 6783)


class Prober:
    """One prober with its table, driven by hand from 100 s on."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self.now = 100.0
        self.members = Members(ME, HERE, self.now)
        self.probe = Probe(self.members, SETTINGS, Random(seed), self.now)
        for index in range(count):
            self.hear(index, ALIVE)

    def hear(self, index: int, state: MemberState, refutation: int = 0) -> None:
        """Believe something of the member of that number."""
        rumour = Rumour(Peer(f"n{index}", 1), endpoint(index), state, refutation)
        change = self.members.hear(rumour, self.now)
        assert change is not None
        self.probe.note(change, self.now)

    def wake(self) -> list[Tell]:
        """Go on to the next deadline and do what is due, verdicts included; the pings and requests."""
        self.now = max(self.now, self.probe.wake_at)
        self.probe.forgive(self.now)
        for verdict in self.probe.verdicts(self.now):
            change = self.members.hear(verdict, self.now)
            if change is None:
                self.probe.confirm(verdict.peer.name, verdict.accuser, self.now)
            else:
                self.probe.note(change, self.now, verdict.accuser)
        return self.probe.pings(DIGEST, self.now)

    def ack(self, tells: list[Tell]) -> None:
        """Answer every ping."""
        for tell in tells:
            if isinstance(tell.message, Ping):
                self.probe.acked(Ack(tell.message.probe, tell.message.target, 7), self.now)

    def pinged(self, rounds: int) -> list[str]:
        """Who is pinged in so many wake-ups in which everybody answers."""
        names = []
        for _ in range(rounds):
            tells = self.wake()
            names += [tell.message.target.name for tell in tells if isinstance(tell.message, Ping)]
            self.ack(tells)
        return names

    def state(self, index: int) -> MemberState:
        """Of the member of that number."""
        member = self.members.get(f"n{index}")
        assert member is not None
        return member.state


def test_everybody_is_probed_once_before_anybody_twice() -> None:
    """A traversal of the members pings each once, and the next traversal in another order."""
    prober = Prober(8)
    first, second = prober.pinged(8), prober.pinged(8)

    assert sorted(first) == sorted(second) == [f"n{index}" for index in range(8)]
    assert first != second


def test_who_comes_and_goes_is_probed_once_a_traversal() -> None:
    """A member that died and came back while it waited for its turn still has only one."""
    prober = Prober(6)
    prober.pinged(1)
    for state, refutation in ((DEAD, 0), (ALIVE, 1), (DEAD, 1), (ALIVE, 2)):
        for index in range(6):
            prober.hear(index, state, refutation)
    prober.probe.pings(DIGEST, prober.now)  # those that came back are looked for besides
    names = prober.probe._order

    assert sorted(set(names)) == sorted(names)


def test_rounds_keep_their_interval() -> None:
    """Rounds are a second apart, a tenth more or less."""
    prober = Prober(3)
    times = []
    for _ in range(50):
        prober.ack(prober.wake())
        times.append(prober.now)

    assert all(0.9 <= later - earlier <= 1.1 for earlier, later in pairwise(times))
    assert len(set(times)) == 50


def test_a_missing_ack_sends_helpers_and_then_makes_a_suspect() -> None:
    """Without an ack three others are asked after the time-out; at the round's end the target is suspect."""
    prober = Prober(6)
    (tell,) = prober.wake()
    ping, started = tell.message, prober.now
    assert isinstance(ping, Ping)

    *requests, direct = prober.wake()

    assert prober.now == pytest.approx(started + 0.3)
    assert {PingRequest(ping.probe, ping.target, tell.target)} == {one.message for one in requests}
    assert len({one.target for one in requests} - {tell.target}) == 3
    assert Tell(tell.target, replace(ping, stream=True), stream=True) == direct

    prober.wake()

    assert 0.9 <= prober.now - started <= 1.1
    assert SUSPECT is prober.state(int(ping.target.name[1:]))


@pytest.mark.parametrize("wrong", ["probe", "subject"])
def test_only_the_ack_of_this_probe_counts(wrong: str) -> None:
    """An ack with another number, or of another life, does not save the target."""
    prober = Prober(1)
    (tell,) = prober.wake()
    ping = tell.message
    assert isinstance(ping, Ping)
    ack = Ack(ping.probe, ping.target, 7)
    prober.probe.acked(
        replace(ack, probe=99) if wrong == "probe" else replace(ack, subject=Peer("n0", 2)), prober.now
    )
    prober.wake()
    prober.wake()

    assert SUSPECT is prober.state(0)


def test_a_late_ack_still_counts() -> None:
    """An ack after the helpers were asked, through one of them or not, ends the probe."""
    prober = Prober(4)
    tells = prober.wake()
    prober.wake()
    prober.ack(tells)
    prober.wake()

    assert [ALIVE] * 4 == [prober.state(index) for index in range(4)]


def test_a_suspect_is_told_by_its_accuser_until_it_is_dead() -> None:
    """Who accuses pings the suspect with the accusation, at once and each round, until it is dead."""
    prober = Prober(8)
    accusation = Rumour(Peer("n0", 1), endpoint(0), SUSPECT, 0)
    told: list[float] = []
    while prober.state(0) is not DEAD:
        tells = prober.wake()
        told += [prober.now for tell in tells if tell == Tell(endpoint(0), accusation)]
        prober.ack([tell for tell in tells if tell.target != endpoint(0)])

    assert len(set(told)) >= 4
    assert all(later - earlier <= 1.1 * (1 + SETTINGS.health_max) for earlier, later in pairwise(told))
    assert SETTINGS.suspicion_s(9, 0) == pytest.approx(prober.now - told[0])


def test_a_refutation_ends_the_suspicion() -> None:
    """A suspect that raised its refutation does not die at the deadline of the old suspicion."""
    prober = Prober(1)
    prober.hear(0, SUSPECT)
    prober.hear(0, ALIVE, 1)
    prober.pinged(20)

    assert ALIVE is prober.state(0)


def test_the_left_are_not_probed() -> None:
    """Neither rounds nor calls ping a member that has left."""
    prober = Prober(2)
    prober.hear(0, LEFT)
    prober.probe.call("n0", prober.now)

    assert set(prober.pinged(30)) == {"n1"}


def test_the_dead_are_pinged_now_and_then() -> None:
    """While others are alive, a dead member is pinged in one of ten rounds, and told that it is dead."""
    prober = Prober(2)
    prober.hear(0, DEAD)
    tells: list[Tell] = []
    for _ in range(100):
        woken = prober.wake()
        prober.ack(woken)
        tells += woken

    dead = [tell.message for tell in tells if tell.target == endpoint(0)]

    assert sum(isinstance(one, Ping) for one in dead) == 10
    assert dead.count(Rumour(Peer("n0", 1), endpoint(0), DEAD, 0)) == 10


def test_alone_one_looks_for_the_dead_in_every_round() -> None:
    """A member that sees nobody alive pings one of the dead each round."""
    prober = Prober(3)
    for index in range(3):
        prober.hear(index, DEAD)

    assert len(prober.pinged(10)) == 10


@pytest.mark.parametrize(("count", "expected"), [(3, 2), (10, 4), (200, HEALING_PROBES_MAX)])
def test_one_back_from_the_dead_starts_the_search_for_others(count: int, expected: int) -> None:
    """When a dead member is back others are pinged at once, in proportion to the share of this side."""
    prober = Prober(count)
    for index in range(count):
        prober.hear(index, DEAD)
    if count == 10:
        for index in range(100, 150):
            prober.hear(index, ALIVE)

    prober.hear(0, ALIVE, 1)

    assert len({tell.target for tell in prober.probe.pings(DIGEST, prober.now)} - {endpoint(0)}) == expected


def test_a_newcomer_is_in_the_traversal_that_is_under_way() -> None:
    """A member that joins is pinged before anybody is pinged twice."""
    prober = Prober(6)
    prober.pinged(2)
    prober.hear(6, ALIVE)

    assert "n6" in prober.pinged(5)


def test_a_stalled_daemon_blames_nobody() -> None:
    """After a pause far beyond a deadline others are not blamed for missing acks or refutations."""
    prober = Prober(3)
    prober.hear(0, SUSPECT)
    prober.wake()
    prober.now += 60

    prober.wake()

    assert [SUSPECT, ALIVE, ALIVE] == [prober.state(index) for index in range(3)]


def test_a_stall_is_no_respite_for_those_suspected_after_it() -> None:
    """A suspicion heard of before a stall was noticed lasts as long as any other, not the stall longer."""
    prober = Prober(3)
    prober.wake()
    prober.now += 60
    prober.hear(0, SUSPECT)
    suspected = prober.now

    while prober.state(0) is SUSPECT:
        prober.ack(prober.wake())

    assert prober.now - suspected == pytest.approx(SETTINGS.suspicion_s(4, 0))


@pytest.mark.parametrize(("lost", "lossy"), [(0.0, False), (0.05, False), (0.25, True), (1.0, True)])
def test_missed_acks_tell_how_many_packets_get_lost(lost: float, lossy: bool) -> None:
    """Where a quarter of packets gets lost that shows most of the time, and where a twentieth does hardly."""
    prober, rng = Prober(30), Random(7)
    said = []
    for _ in range(600):
        tells = prober.wake()
        arrived = rng.random() > lost and rng.random() > lost
        prober.ack([tell for tell in tells if arrived or tell.stream])
        said.append(prober.probe.lossy)

    assert (sum(said) > len(said) / 2) is lossy


def test_the_dead_tell_nothing_of_lost_packets() -> None:
    """Missed acks of members that nothing reaches, not even a stream, are no sign that packets get lost."""
    prober = Prober(30)
    for _ in range(100):
        prober.wake()

    assert not prober.probe.lossy


def test_a_relay_passes_the_subjects_ack_on_once() -> None:
    """A helper pings with a number of its own, and passes the ack on with that of who asked."""
    prober = Prober(2)
    asker = Header(b"cluster1", Peer("n1", 1), endpoint(1))
    target = Peer("n0", 1)
    (tell,) = prober.probe.relay(asker, PingRequest(5, target, endpoint(0)), DIGEST, prober.now)
    assert isinstance(tell, Tell)
    ping = tell.message
    assert isinstance(ping, Ping)
    assert (endpoint(0), target) == (tell.target, ping.target)

    ack = Ack(ping.probe, target, 8)

    assert [Tell(endpoint(1), Ack(5, target, 8))] == prober.probe.acked(ack, prober.now)
    assert prober.probe.acked(ack, prober.now) == []


def test_relays_are_bounded() -> None:
    """Of too many relays under way the oldest is forgotten, which is reported."""
    prober = Prober(2)
    asker = Header(b"cluster1", Peer("n1", 1), endpoint(1))
    request = PingRequest(5, Peer("n0", 1), endpoint(0))
    numbers: list[int] = []
    for _ in range(RELAYS_MAX + 1):
        tell, *reports = prober.probe.relay(asker, request, DIGEST, prober.now)
        assert isinstance(tell, Tell)
        assert isinstance(tell.message, Ping)
        assert bool(reports) == (len(numbers) == RELAYS_MAX)
        numbers.append(tell.message.probe)

    assert prober.probe.acked(Ack(numbers[0], Peer("n0", 1), 7), prober.now) == []
    assert len(prober.probe.acked(Ack(numbers[1], Peer("n0", 1), 7), prober.now)) == 1


def test_alone_there_is_still_a_next_round() -> None:
    """A daemon that knows nobody goes on with its rounds, so that it sees who comes."""
    prober = Prober(0)

    assert prober.pinged(3) == []
    assert prober.probe.wake_at < inf
