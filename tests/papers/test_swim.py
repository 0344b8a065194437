"""
What is taken from SWIM, claim by claim, and where this project differs on purpose.

A. Das, I. Gupta, A. Motivala: "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership
Protocol", DSN 2002.  SWIM's incarnation number is called refutation here; its "confirm" is the state dead.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import pairwise
from random import Random
from statistics import mean

import pytest

from ring.ring import Peer
from weaveipam.gossip.gossip import Digest, Effect, Gossip
from weaveipam.gossip.members import supersedes
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.messages import Ack, Header, Message, Nack, Ping, PingRequest, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState

ALIVE, SUSPECT, DEAD, _ = MemberState
SETTINGS = GossipSettings()
DIGEST = Digest(0)
HERE = Endpoint("192.0.2.1", 6783)


class Group:
    """Members that know each other, on a network without delay; packets to whoever is down are lost."""

    def __init__(self, count: int, seed: int = 1) -> None:
        rng = Random(seed)
        self.now = 0.0
        self.sent: list[tuple[float, int, int, tuple[Message, ...]]] = []
        self.down: list[int] = []
        self.members = [
            Gossip(
                Peer(f"m{index}", 1), Endpoint("192.0.2.1", 1 + index), SETTINGS, Random(rng.random()), 0.0
            )
            for index in range(count)
        ]
        for member in self.members:
            for other in self.members:
                member.heard(self.header(other), 0.0)
            while member.piggyback(1300):
                pass  # the beginning is told

    def header(self, member: Gossip) -> Header:
        """Of the packets of one member."""
        return Header(b"cluster1", member.members.me.peer, member.members.me.endpoint)

    def perform(self, index: int, effects: list[Effect]) -> None:
        """Deliver what a member says, and all that follows at once."""
        queue = deque((index, one) for one in effects)
        while queue:
            source, effect = queue.popleft()
            if not isinstance(effect, Tell):
                continue
            target = effect.target.port - 1
            messages = (effect.message, *self.members[source].piggyback(1300))
            self.sent.append((self.now, source, target, messages))
            if target in self.down:
                continue
            header = self.header(self.members[source])
            queue.extend((target, one) for one in self.members[target].heard(header, self.now))
            for message in messages:
                assert isinstance(message, Ping | Ack | PingRequest | Nack | Rumour)
                answers = self.members[target].receive(header, message, DIGEST, self.now)
                queue.extend((target, one) for one in answers)

    def run(self, until: float) -> None:
        """Let time pass until that second."""
        while True:
            running = [index for index in range(len(self.members)) if index not in self.down]
            index = min(running, key=lambda one: self.members[one].wake_at)
            if self.members[index].wake_at > until:
                break
            self.now = max(self.now, self.members[index].wake_at)
            self.perform(index, self.members[index].wake(DIGEST, self.now))
        self.now = until

    def pings(self, source: int) -> list[int]:
        """Whom a member pinged, in order."""
        return [target for _, by, target, told in self.sent if by == source and isinstance(told[0], Ping)]

    def state(self, index: int, of: int) -> MemberState:
        """What one member believes of another."""
        member = self.members[index].members.get(f"m{of}")
        assert member is not None
        return member.state


def test_section_3_1_one_ping_and_its_ack_each_period() -> None:
    """In each period a member pings one other, which acks, and in a sound group nobody asks helpers."""
    group = Group(6)
    group.run(60.0)
    kinds = Counter(type(told[0]) for _, _, _, told in group.sent)

    assert kinds[Ping] == kinds[Ack] == pytest.approx(6 * 60, rel=0.05)
    assert set(kinds) == {Ping, Ack}


def test_section_3_1_helpers_are_asked_after_the_direct_ping_failed() -> None:
    """Without an ack after the time-out, before the period's end, k members are asked to ping the target."""
    group = Group(8)
    group.down = [0]
    group.run(12.0)
    asked = [(at, by) for at, by, _, told in group.sent if isinstance(told[0], PingRequest)]
    pinged = {(at, by) for at, by, target, told in group.sent if target == 0 and isinstance(told[0], Ping)}

    at, by = asked[0]
    assert [at] * SETTINGS.helpers == [one for one, who in asked if who == by and one < at + 1]
    assert any(who == by and then == pytest.approx(at - SETTINGS.probe_timeout_s) for then, who in pinged)


def test_section_3_1_a_helper_passes_the_ack_on() -> None:
    """A target that cannot be reached directly but through helpers is not suspected."""
    asker, helper, target = (Group(3).members[index] for index in range(3))
    tells = [one for one in asker.wake(DIGEST, asker.wake_at) if isinstance(one, Tell)]
    direct = tells[0].message
    assert isinstance(direct, Ping)
    far, near = (target, helper) if direct.target.name == "m2" else (helper, target)
    requests = [one.message for one in asker.wake(DIGEST, asker.wake_at) if isinstance(one, Tell)]
    message: Message = requests[0]
    chain = [(asker, near), (near, far), (far, near), (near, asker)]

    for source, sink in chain:
        header = Group.header(Group(1), source)
        assert isinstance(message, Ping | Ack | PingRequest)
        answers = sink.receive(header, message, DIGEST, 1.0)
        message = answers[0].message if answers and isinstance(answers[0], Tell) else message
    asker.wake(DIGEST, asker.wake_at)

    assert ALIVE is asker.members.state_of(direct.target)


def test_section_3_1_load_does_not_grow_with_the_group() -> None:
    """The packets a member sends and receives each period do not depend on how many members there are."""
    loads = []
    for count in (4, 16):
        group = Group(count)
        group.run(20.0)
        loads.append(len(group.sent) / count)

    assert loads[0] == pytest.approx(loads[1], rel=0.05)


@pytest.mark.slow
def test_section_3_1_the_first_to_notice_needs_a_constant_time() -> None:
    """On average somebody pings a failed member within e / (e - 1) periods, in a group of any size."""
    for count in (5, 20):
        first = []
        for seed in range(20):
            group = Group(count, seed)
            group.run(10.0)
            group.down = [0]
            group.run(16.0)
            first.append(min(at for at, _, target, _ in group.sent if target == 0 and at > 10.0) - 10.0)
        assert mean(first) < 1.58


def test_section_4_1_rumours_ride_on_pings_and_acks() -> None:
    """News of a member reaches all on packets that are sent anyway, within a few times log n periods."""
    group = Group(20)
    news = Rumour(Peer("news", 1), Endpoint("192.0.2.1", 1), ALIVE, 0)
    group.members[3].receive(group.header(group.members[4]), news, DIGEST, 0.0)
    group.run(8.0)

    assert all(member.members.get("news") for member in group.members)
    news_senders = {by for _, by, _, told in group.sent if news in told}
    assert len(news_senders) == 20


def test_section_4_1_a_rumour_is_told_lambda_log_n_times() -> None:
    """A member passes one rumour on at most lambda log n times, and then never again."""
    group = Group(20)
    news = Rumour(Peer("news", 1), Endpoint("192.0.2.1", 1), ALIVE, 0)
    group.members[3].receive(group.header(group.members[4]), news, DIGEST, 0.0)
    group.run(40.0)
    told = Counter(by for _, by, _, messages in group.sent if news in messages)

    assert max(told.values()) == SETTINGS.retransmissions(21)
    assert max(at for at, _, _, messages in group.sent if news in messages) < 20.0


def test_section_4_1_what_was_told_least_is_told_first() -> None:
    """When not all rumours fit on a packet, those that were told fewer times are preferred."""
    (member,) = Group(1).members
    for name in ("a", "b"):
        rumour = Rumour(Peer(name, 1), HERE, ALIVE, 0)
        member.receive(Header(b"cluster1", Peer("x", 1), HERE), rumour, DIGEST, 0.0)
        assert rumour in member.piggyback(40)


RULES = [
    # said, its number, held, its number, overridden: the list in section 4.2
    (ALIVE, 2, SUSPECT, 1, True),
    (ALIVE, 1, SUSPECT, 1, False),
    (ALIVE, 2, ALIVE, 1, True),
    (ALIVE, 1, ALIVE, 1, False),
    (SUSPECT, 2, SUSPECT, 1, True),
    (SUSPECT, 1, SUSPECT, 1, False),
    (SUSPECT, 1, ALIVE, 1, True),
    (SUSPECT, 2, ALIVE, 1, True),
    (SUSPECT, 0, ALIVE, 1, False),
    (DEAD, 1, ALIVE, 1, True),
    (DEAD, 2, ALIVE, 1, True),
    (DEAD, 1, SUSPECT, 1, True),
    (DEAD, 2, SUSPECT, 1, True),
    (ALIVE, 1, DEAD, 1, False),
    (SUSPECT, 1, DEAD, 1, False),
]


@pytest.mark.parametrize(("said", "number", "held", "other", "overridden"), RULES)
def test_section_4_2_what_overrides_what(
    said: MemberState, number: int, held: MemberState, other: int, overridden: bool
) -> None:
    """Alive, suspect and confirm messages override each other by their incarnation numbers, as listed."""
    peer = Peer("m", 1)

    assert overridden == supersedes(Rumour(peer, HERE, said, number), Rumour(peer, HERE, held, other))


@pytest.mark.parametrize("held", [ALIVE, SUSPECT])
def test_section_4_2_differs_an_outdated_death_overrides_nothing(held: MemberState) -> None:
    """There a confirm overrides alive and suspect of any number; here only up to its own."""
    peer = Peer("m", 1)

    assert not supersedes(Rumour(peer, HERE, DEAD, 1), Rumour(peer, HERE, held, 2))


def test_section_4_2_differs_death_is_not_final() -> None:
    """There a confirmed member needs a new identity; here it refutes, so that partitions heal."""
    peer = Peer("m", 1)

    assert supersedes(Rumour(peer, HERE, ALIVE, 2), Rumour(peer, HERE, DEAD, 1))


def test_section_4_2_differs_hearsay_of_a_death_that_nobody_suspected() -> None:
    """There a confirm is believed at once; here who did not even suspect the member begins with that."""
    group = Group(3)
    dead = Rumour(Peer("m2", 1), Endpoint("192.0.2.1", 3), DEAD, 0)
    group.members[0].receive(group.header(group.members[1]), dead, DIGEST, 0.0)

    assert SUSPECT is group.state(0, of=2)


def test_section_4_2_only_the_member_itself_raises_its_number() -> None:
    """Nobody but the suspect answers a suspicion with a higher number, and it does so when it hears of it."""
    group = Group(6)
    accused = Rumour(Peer("m5", 1), Endpoint("192.0.2.1", 6), SUSPECT, 0)
    group.members[0].receive(group.header(group.members[1]), accused, DIGEST, 0.0)
    group.run(3.9)
    said = [
        (by, message)
        for _, by, _, told in group.sent
        for message in told
        if isinstance(message, Rumour) and message.refutation
    ]

    assert said[0][0] == 5
    assert {Rumour(accused.peer, accused.endpoint, ALIVE, 1)} == {message for _, message in said}
    assert {ALIVE} == {group.state(index, of=5) for index in range(5)}


def test_section_4_2_suspects_are_still_probed() -> None:
    """A suspect is treated as a member that has not failed: it stays in the order of probes."""
    group = Group(3)
    group.down = [2]
    group.run(1.0)
    rumour = Rumour(Peer("m2", 1), Endpoint("192.0.2.1", 3), SUSPECT, 0)
    group.members[0].receive(group.header(group.members[1]), rumour, DIGEST, 1.0)
    before = len(group.sent)
    group.run(3.9)

    assert SUSPECT is group.state(0, of=2)
    assert 2 in {target for _, by, target, _ in group.sent[before:] if by == 0}


def test_section_4_2_a_suspect_is_dead_after_the_time_out() -> None:
    """A suspect that says nothing for the suspicion time is declared failed, and all hear of it."""
    group = Group(6)
    group.down = [5]
    group.run(30.0)

    assert {DEAD} == {group.state(index, of=5) for index in range(5)}


@pytest.mark.parametrize("count", [3, 8])
def test_section_4_3_probes_are_at_most_two_traversals_apart(count: int) -> None:
    """Two pings of one member to another are at most 2 n - 1 periods apart, n the number of the others."""
    group = Group(count)
    group.run(100.0)
    pings = group.pings(0)
    gaps = [
        later - earlier
        for target in range(1, count)
        for earlier, later in pairwise(index for index, one in enumerate(pings) if one == target)
    ]

    assert max(gaps) <= 2 * (count - 1) - 1
    assert len(set(gaps)) > 1


def test_section_4_3_a_newcomer_is_placed_at_random() -> None:
    """A member that joins is probed at a place in the traversal that differs from run to run."""
    places = []
    for seed in range(12):
        group = Group(9, seed)
        group.run(1.5)
        member, before = group.members[0], len(group.pings(0))
        member.heard(Header(b"cluster1", Peer("new", 1), Endpoint("192.0.2.1", 9)), 1.5)
        aimed: list[str] = []
        while "new" not in aimed:
            group.now = member.wake_at
            group.perform(0, member.wake(DIGEST, group.now))
            said = (told[0] for _, by, _, told in group.sent if by == 0)
            aimed = [message.target.name for message in said if isinstance(message, Ping)]
        places.append(aimed.index("new") - before)

    assert max(places) <= 7
    assert len(set(places)) > 3
