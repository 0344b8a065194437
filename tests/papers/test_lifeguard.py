"""
What is taken from Lifeguard, claim by claim, and where this project differs on purpose.

A. Dadgar, J. Phillips, J. Currey: "Lifeguard: Local Health Awareness for More Accurate Failure Detection",
DSN 2018 workshops, arXiv 1707.00788v2.
"""

from __future__ import annotations

from dataclasses import replace
from math import log, log10
from random import Random

import pytest

from ring.ring import Peer
from weaveipam.gossip.gossip import Digest, Gossip
from weaveipam.gossip.settings import GossipSettings
from weaveipam.gossip.suspicions import Suspicions
from weaveipam.protocol.messages import Ack, Header, Nack, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

ALIVE, SUSPECT, DEAD, _ = MemberState
SETTINGS = GossipSettings()
DIGEST = Digest(0)
CLUSTER = b"cluster1"


def peer(index: int) -> Peer:
    """The member of that number; 0 is who is tested."""
    return Peer(f"m{index}", 1)


def endpoint(index: int) -> Endpoint:
    """Where the member of that number listens."""
    return Endpoint("192.0.2.1", 1 + index)


def header(index: int) -> Header:
    """Of the packets of the member of that number."""
    return Header(CLUSTER, peer(index), endpoint(index))


class Member:
    """One member that knows some others, from 100 s on; the test plays the others."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self.now = 100.0
        self.gossip = Gossip(peer(0), endpoint(0), SETTINGS, Random(seed), self.now)
        for index in range(1, count):
            self.gossip.heard(header(index), self.now)
        self.begun_at, self.ping = 0.0, Ping(0, peer(0), 0)
        """When the latest round began, and its ping."""
        self.told: list[Rumour] = []
        """What was said of members, since that was last asked for."""
        self.next_round()
        self.tell_all()

    def tell_all(self) -> list[Rumour]:
        """Let everything ride on packets that is to be told; all rumours told since the last call."""
        while riding := self.gossip.piggyback(1300):
            self.told += [one for one in riding if isinstance(one, Rumour)]
        told, self.told = self.told, []
        return told

    def wake(self) -> list[Tell]:
        """Go on to the next deadline; what is said then."""
        self.now = max(self.now, self.gossip.wake_at)
        tells = [one for one in self.gossip.wake(DIGEST, self.now) if isinstance(one, Tell)]
        self.told += [one.message for one in tells if isinstance(one.message, Rumour)]
        pings = [one.message for one in tells if isinstance(one.message, Ping) and not one.stream]
        if pings:
            self.begun_at, self.ping = self.now, pings[0]  # before pings of those that are accused already
        return tells

    def next_round(self) -> None:
        """Go on to when the next round has begun."""
        begun_at = self.begun_at
        while self.begun_at == begun_at:
            self.wake()

    def requests(self) -> list[Tell]:
        """Go on to when helpers are asked; what they are asked."""
        while True:
            asked = [tell for tell in self.wake() if isinstance(tell.message, PingRequest)]
            if asked:
                return asked

    def ack(self) -> None:
        """Let the target of this round's ping answer."""
        self.hear(int(self.ping.target.name[1:]), Ack(self.ping.probe, self.ping.target, 0))

    def nack(self, requests: list[Tell]) -> None:
        """Let the helpers say that they have no ack."""
        for tell in requests:
            assert isinstance(tell.message, PingRequest)
            self.hear(tell.target.port - 1, Nack(tell.message.probe))

    def hear(self, index: int, message: Ack | Nack | Ping | PingRequest | Rumour) -> list[Tell]:
        """Let the member of that number say something; the answers."""
        effects = self.gossip.receive(header(index), message, DIGEST, self.now)
        return [one for one in effects if isinstance(one, Tell)]

    def fall_ill(self, score: int) -> None:
        """Fail so many rounds without a word from anybody."""
        while self.gossip.health < score:
            self.wake()

    def state(self, index: int) -> MemberState:
        """What is believed of the member of that number."""
        member = self.gossip.members.get(f"m{index}")
        assert member is not None
        return member.state


# IV-A: Local Health Aware Probe


def test_section_4_a_a_helper_without_an_ack_says_so_in_time() -> None:
    """A helper whose ping is not acked answers with a nack at 80 % of the probe time-out."""
    helper = Member(3)
    asked_at = helper.now
    (relayed,) = helper.hear(1, PingRequest(7, peer(2), endpoint(2)))
    assert endpoint(2) == relayed.target
    said: list[Tell] = []
    while not said:
        said = [tell for tell in helper.wake() if isinstance(tell.message, Nack)]

    assert [Tell(endpoint(1), Nack(7))] == said
    assert helper.now - asked_at == pytest.approx(0.8 * SETTINGS.probe_timeout_s)


def test_section_4_a_a_helper_with_an_ack_says_no_nack() -> None:
    """A helper that has passed an ack on sends no nack; one that has sent a nack still passes the ack on."""
    helper = Member(3)
    (first,) = helper.hear(1, PingRequest(7, peer(2), endpoint(2)))
    assert isinstance(first.message, Ping)
    assert [Tell(endpoint(1), Ack(7, peer(2), 0))] == helper.hear(2, Ack(first.message.probe, peer(2), 0))
    (second,) = helper.hear(1, PingRequest(8, peer(2), endpoint(2)))
    assert isinstance(second.message, Ping)
    nacks: list[Nack] = []
    while not nacks:
        nacks = [tell.message for tell in helper.wake() if isinstance(tell.message, Nack)]

    assert [Nack(8)] == nacks
    assert [Tell(endpoint(1), Ack(8, peer(2), 0))] == helper.hear(2, Ack(second.message.probe, peer(2), 0))


def test_section_4_a_the_score_saturates() -> None:
    """The score of the own health starts at 0, and is never above its maximum nor below 0."""
    member = Member(40)
    assert member.gossip.health == 0
    member.fall_ill(SETTINGS.health_max)
    for _ in range(20):
        member.wake()
    assert member.gossip.health == SETTINGS.health_max == 8

    for _ in range(12):
        member.ack()
        member.next_round()
    assert member.gossip.health == 0


def test_section_4_a_a_missing_ack_without_nacks_is_a_sign_of_illness() -> None:
    """A round without an ack in which a helper was silent as well raises the score by one."""
    member = Member(8)
    member.nack(member.requests()[1:])
    member.fall_ill(1)

    assert [index for index in range(1, 8) if member.state(index) is SUSPECT] != []


def test_section_4_a_an_ack_is_a_sign_of_health() -> None:
    """A successful probe lowers the score by one."""
    member = Member(8)
    member.fall_ill(3)
    member.ack()

    assert member.gossip.health == 2


def test_section_4_a_to_have_to_refute_is_a_sign_of_illness() -> None:
    """Hearing itself suspected a member refutes, and raises its score by one; not again for the same word."""
    member = Member(4)
    accusation = Rumour(peer(0), endpoint(0), SUSPECT, 0, "m1")
    answers = [*member.hear(1, accusation), *member.hear(2, accusation)]

    assert [Rumour(peer(0), endpoint(0), ALIVE, 1)] * 2 == [tell.message for tell in answers]
    assert member.gossip.health == 1


def test_section_4_a_differs_nacks_of_all_helpers_acquit() -> None:
    """There any failed probe raises the score; here one of which all helpers say the same does not."""
    member = Member(8)
    member.nack(member.requests())
    while not any(member.state(index) is SUSPECT for index in range(1, 8)):
        member.wake()

    assert member.gossip.health == 0


def test_section_4_a_differs_any_whom_it_accused_may_show_its_health() -> None:
    """There only the ack of this round's target lowers the score; here so does that of any accused member."""
    member = Member(40)
    member.fall_ill(4)
    for index in [index for index in range(1, 40) if member.state(index) is SUSPECT][:3]:
        member.hear(index, Ack(99, peer(index), 0))
    healed = member.gossip.health
    stranger = next(index for index in range(1, 40) if member.state(index) is ALIVE)
    member.hear(stranger, Ack(99, peer(stranger), 0))

    assert healed == member.gossip.health == 1


@pytest.mark.parametrize("score", [0, 1, 8])
def test_section_4_a_interval_and_time_out_are_stretched(score: int) -> None:
    """Rounds and the time until helpers are asked are (score + 1) times as long."""
    member = Member(40)
    member.fall_ill(score)
    begun_at = member.begun_at
    member.requests()
    asked_at = member.now
    member.next_round()

    assert asked_at - begun_at == pytest.approx((score + 1) * SETTINGS.probe_timeout_s)
    assert member.begun_at - begun_at == pytest.approx((score + 1) * SETTINGS.probe_interval_s, rel=0.11)


# IV-B: Local Health Aware Suspicion


@pytest.mark.parametrize("members", [10, 1000, 5000])
@pytest.mark.parametrize("confirmations", [0, 1, 2, 3, 4])
def test_section_4_b_the_time_out_falls_with_the_logarithm(members: int, confirmations: int) -> None:
    """It is max(Min, Max - (Max - Min) log(C + 1) / log(K + 1)) for C confirmations."""
    least, wanted = SETTINGS.suspicion_s(members, 99), SETTINGS.suspicion_confirmations
    most = SETTINGS.suspicion_max_factor * least
    formula = max(least, most - (most - least) * log(confirmations + 1) / log(wanted + 1))

    assert SETTINGS.suspicion_s(members, confirmations) == pytest.approx(formula)


def test_section_4_b_the_time_out_grows_with_the_logarithm_of_the_group() -> None:
    """Min is alpha log10(n) probe intervals, and Max is beta Min."""
    for members in (1000, 5000):
        least = SETTINGS.suspicion_multiplier * log10(members) * SETTINGS.probe_interval_s
        assert SETTINGS.suspicion_s(members, 3) == pytest.approx(least)
        assert SETTINGS.suspicion_s(members, 0) == pytest.approx(SETTINGS.suspicion_max_factor * least)


def test_section_4_b_differs_small_groups_have_no_shorter_time_outs() -> None:
    """There Min falls to alpha intervals and less in a small group; here it is that of 1,000 members."""
    assert SETTINGS.suspicion_s(5, 3) == SETTINGS.suspicion_s(1000, 3) == pytest.approx(6.0)


def test_section_4_b_differs_too_few_are_not_waited_for() -> None:
    """There K is the same for all groups; here a suspect has Min where fewer than K could confirm."""
    assert SETTINGS.suspicion_s(4, 0) == SETTINGS.suspicion_s(4, 3)
    assert SETTINGS.suspicion_s(5, 0) == 6 * SETTINGS.suspicion_s(5, 3)


def accused(by: list[str], members: int = 100) -> Suspicions:
    """A suspicion that began at 0 s, by its accusers."""
    suspicions = Suspicions(SETTINGS)
    suspicions.begin("m", by[0], members, 0.0)
    for accuser in by[1:]:
        suspicions.confirm("m", accuser, 1.0)
    return suspicions


def test_section_4_b_independent_accusers_shorten_the_time() -> None:
    """Each accuser beyond the first counts once, however often it is heard, and from the K-th on none."""
    expected = [SETTINGS.suspicion_s(100, confirmations) for confirmations in range(4)]

    assert accused(["a"]).wake_at == expected[0]
    assert accused(["a", "a", "a"]).wake_at == expected[0]
    assert accused(["a", "b", "b"]).wake_at == expected[1]
    assert accused(["a", "b", "c"]).wake_at == expected[2]
    assert accused(["a", "b", "c", "d"]).wake_at == accused(["a", "b", "c", "d", "e"]).wake_at == expected[3]


def test_section_4_b_the_time_counts_from_the_beginning() -> None:
    """A confirmation that comes late leaves what remains of the shorter time-out, at least nothing."""
    suspicions = accused(["a"])
    for accuser in "bcd":
        suspicions.confirm("m", accuser, 1.0)

    assert suspicions.due(5.9, ill=False) == []
    assert suspicions.due(SETTINGS.suspicion_s(100, 3), ill=False) == ["m"]


def test_section_4_b_the_first_accusers_are_passed_on() -> None:
    """The first K confirmations are gossiped on, so that all may count them; later ones are not."""
    member = Member(10)
    passed_on = []
    for index in [2, 3, 3, 4, 5, 6]:
        rumour = Rumour(peer(1), endpoint(1), SUSPECT, 0, f"m{index}")
        member.hear(index, rumour)
        passed_on.append(rumour in member.tell_all())

    assert [True, True, False, True, True, False] == passed_on


def test_section_4_b_an_own_failed_probe_confirms() -> None:
    """Whose probe of a suspect fails accuses it too, and says so."""
    member = Member(6)
    index = int(member.ping.target.name[1:])
    accusation = Rumour(peer(index), endpoint(index), SUSPECT, 0, "m9")
    member.hear(index % 5 + 1, accusation)
    member.tell_all()
    member.next_round()

    assert replace(accusation, accuser="m0") in member.tell_all()


def test_section_4_b_a_lone_accuser_has_to_wait() -> None:
    """A member that hears from nobody takes nobody for dead before Max is over."""
    member = Member(100)
    began = member.now
    while not any(member.state(index) is DEAD for index in range(1, 100)):
        member.wake()

    assert member.now - began > SETTINGS.suspicion_s(100, 0) == pytest.approx(36.0)


@pytest.mark.parametrize("ill", [False, True])
def test_section_4_b_differs_the_ill_wait_for_max(*, ill: bool) -> None:
    """There confirmations count for all; here who finds itself ill takes nobody for dead before Max."""
    member = Member(100)
    began = member.now
    for accuser in ("a", "b", "c", "d"):
        member.hear(2, Rumour(peer(1), endpoint(1), SUSPECT, 0, accuser))
    while member.state(1) is SUSPECT:
        if not ill and member.ping.target != peer(1):
            member.ack()
        member.wake()

    expected = SETTINGS.suspicion_s(100, 0 if ill else 3)
    assert expected <= member.now - began <= expected + SETTINGS.probe_interval_s


# IV-C: Buddy System


def test_section_4_c_a_suspect_is_told_with_the_ping() -> None:
    """A ping of a suspect is followed by the suspicion, before anything else there is to tell."""
    member = Member(3)
    for index in (1, 2):
        member.hear(3 - index, Rumour(peer(index), endpoint(index), SUSPECT, 0, "x"))
    tells: list[Tell] = []
    before = member.ping
    while member.ping == before:
        tells = member.wake()
    at = [tell.message for tell in tells].index(member.ping)
    suspect = int(member.ping.target.name[1:])

    assert tells[at + 1] == Tell(endpoint(suspect), Rumour(peer(suspect), endpoint(suspect), SUSPECT, 0))
