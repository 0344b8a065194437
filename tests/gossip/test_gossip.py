"""Daemons that gossip: deaths, refutations, partitions, namesakes, leaves, pushes and repairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ring.address import Family
from ring.ring import Peer, Run, Token
from weaveipam.gossip.census import PLACES
from weaveipam.gossip.gossip import (
    MEMBERS_MAX,
    NAME_REPORT_INTERVAL_S,
    TIMES_MIN,
    Digest,
    Gossip,
    Repair,
)
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import Ack, FreeHint, Header, Ownership, Ping, Rumour, Tell
from weaveipam.protocol.values import Endpoint, MemberState, RingId

if TYPE_CHECKING:
    from tests.gossip.conftest import Network

MakeNetwork: TypeAlias = "Callable[..., Network]"

ALIVE, SUSPECT, DEAD, LEFT = MemberState
V4 = RingId("default", Family.V4)
ME, HIM = Peer("me", 5), Peer("him", 5)
HERE, THERE, ELSEWHERE = (Endpoint(f"192.0.2.{index}", 6783) for index in (1, 2, 3))
DIGEST = Digest(7)
HIS = Header(b"cluster1", HIM, THERE)


def gossip() -> Gossip:
    """One daemon at 100 s."""
    return Gossip(ME, HERE, GossipSettings(), Random(1), 100.0)


def ownership(start: int, runs: int = 1) -> Ownership:
    """Statements about some addresses from `start` on."""
    token = Token(0, 1)
    return Ownership(V4, tuple(Run(start + 2 * n, start + 2 * n + 1, token, ME, ME) for n in range(runs)))


# Deaths and false suspicions


@pytest.mark.slow
@pytest.mark.parametrize(("count", "loss", "seconds"), [(5, 0.0, 10), (10, 0.1, 15), (50, 0.05, 20)])
def test_a_death_is_found_by_all(make_network: MakeNetwork, count: int, loss: float, seconds: float) -> None:
    """Everybody takes a member that died for dead, within the round, the suspicion time and some rumours."""
    network = make_network(1, loss=loss)
    names = network.cluster(count)
    network.run(5)
    network.kill(names[3])

    passed = network.run(seconds, lambda: network.everybody(DEAD, [names[3]]))

    assert network.settings.suspicion_s(count, 3) < passed < seconds


def test_a_death_is_found_quickly_on_one_host(make_network: MakeNetwork) -> None:
    """With the settings for tests three members miss one of them within two seconds."""
    network = make_network(1, preset="test", delay_s=0.0002)
    names = network.cluster(3)
    network.run(2)
    network.kill(names[0])

    assert network.run(2, lambda: network.everybody(DEAD, names[:1])) < 2


@pytest.mark.slow
@pytest.mark.parametrize(("count", "loss"), [(5, 0.1), (10, 0.1), (30, 0.1), (5, 0.2)])
def test_loss_kills_nobody(make_network: MakeNetwork, count: int, loss: float) -> None:
    """In two minutes of lost packets helpers and refutations keep all from being taken for dead."""
    network = make_network(1, loss=loss, streams=False)
    names = network.cluster(count)
    network.run(120)

    assert network.reported("suspicion-refuted") != []
    assert network.reported("member-dead") == []
    assert all(network.hosts[name].gossip.members.alive() for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [False, True])
def test_slow_members_are_not_taken_for_dead(make_network: MakeNetwork, *, deaf: bool) -> None:
    """A third of the members stand still, or hear nothing, for up to 5 s now and then: nobody dies of it."""
    network = make_network(1)
    names = network.cluster(15)
    well_from = dict.fromkeys(names[:5], network.now)
    for _ in range(100):
        name = network.rng.choice(names[:5])
        if well_from[name] <= network.now:
            seconds = network.rng.uniform(1, 5)
            network.slow(name, seconds, deaf=deaf)
            well_from[name] = network.now + seconds + 1
        network.run(2 * network.rng.random())
    network.run(10)

    assert network.reported("suspicion-refuted") != []
    assert network.reported("member-dead") == []
    assert network.everybody(ALIVE, names)


def test_a_stall_is_reported_now_and_then(make_network: MakeNetwork) -> None:
    """A daemon that was stalled, or whose clock has jumped, says so once a minute at most."""
    network = make_network(1)
    names = network.cluster(3)
    network.run(5)
    for seconds in (3, 5, 4):
        network.slow(names[0], seconds)
        network.run(10)
    network.run(60)
    told = [dict(report.fields)["longest_s"] for _, report in network.reported("stalled")]

    assert {names[0]} == {name for name, _ in network.reported("stalled")}
    assert len(told) == 2
    assert [2 <= float(str(told[0])) <= 3, 4 <= float(str(told[1])) <= 5] == [True, True]
    assert network.reported("member-dead") == []


def test_a_late_beginning_is_no_stall() -> None:
    """A daemon that begins to gossip long after it started, as it waited for a cluster, reports no stall."""
    mine = gossip()

    assert not any(isinstance(one, Report) for one in mine.wake(DIGEST, 500.0))


@pytest.mark.slow
def test_helpers_are_why(make_network: MakeNetwork) -> None:
    """Without helpers the same losses make several times as many suspects."""
    suspects = []
    for helpers in (3, 0):
        network = make_network(1, loss=0.1, streams=False)
        network.settings = GossipSettings(helpers=helpers)
        network.cluster(10)
        network.run(60)
        suspects.append(len(network.reported("suspicion-refuted")))

    assert suspects[1] > 4 * suspects[0]


def test_where_only_streams_pass_nobody_is_suspected(make_network: MakeNetwork) -> None:
    """A member that no datagram reaches, but streams do, answers the ping by stream with an ack by stream."""
    network = make_network(1, loss=1.0)
    names = network.cluster(5)
    network.run(30)

    assert network.reported("member-suspect") == []
    assert network.everybody(ALIVE, names)
    network.streams = False
    assert network.run(30, lambda: network.reported("member-suspect") != []) < 30


def test_a_wrong_suspicion_is_refuted(make_network: MakeNetwork) -> None:
    """A member that is wrongly called suspect hears of it and refutes; nobody ever takes it for dead."""
    network = make_network(1)
    names = network.cluster(5)
    network.run(2)
    accused = network.hosts[names[0]].gossip.members.me.rumour()
    network._hear(
        names[1],
        network._header(names[2]),
        [Rumour(accused.peer, accused.endpoint, SUSPECT, accused.refutation)],
    )
    network.run(6)

    assert network.everybody(ALIVE, names)
    assert network.hosts[names[0]].gossip.members.me.refutation == accused.refutation + 1
    assert [names[0]] == [name for name, _ in network.reported("suspicion-refuted")]
    assert network.reported("member-dead") == []


def test_what_is_said_of_the_dead_is_first_a_suspicion(make_network: MakeNetwork) -> None:
    """A rumour of death about somebody nobody here doubts makes a suspect, so that it can refute first."""
    network = make_network(1)
    names = network.cluster(3)
    him = network.hosts[names[0]].gossip.members.me.rumour()
    dead = Rumour(him.peer, him.endpoint, DEAD, 0)
    network._hear(names[1], network._header(names[2]), [dead])
    assert SUSPECT is network.states(names[0])[names[1]]

    network._hear(names[1], network._header(names[2]), [dead])
    assert DEAD is network.states(names[0])[names[1]]


# Partitions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "side", "loss", "seconds"),
    [(2, 1, 0, 3), (10, 5, 0, 4), (10, 1, 0.1, 10), (50, 25, 0, 8), (50, 1, 0, 8)],
)
def test_a_healed_partition_is_forgotten(
    make_network: MakeNetwork, count: int, side: int, loss: float, seconds: float
) -> None:
    """Sides of a partition that took each other for dead are alive to all within seconds of healing."""
    network = make_network(1, loss=loss)
    names = network.cluster(count)
    network.run(2)
    network.split(names[:side])
    network.run(60)
    assert {DEAD} == {network.states(near)[far] for far in names[side:] for near in names[:side]}

    network.heal()

    assert network.run(seconds, lambda: network.everybody(ALIVE, names)) < seconds


def test_a_healed_partition_of_one_host_is_forgotten_at_once(make_network: MakeNetwork) -> None:
    """With the settings for tests three daemons are together again within a second."""
    network = make_network(2, preset="test", delay_s=0.0002)
    names = network.cluster(3)
    network.split(names[:1])
    network.run(8)
    network.heal()

    assert network.run(1, lambda: network.everybody(ALIVE, names)) < 1


# Coming and going


@pytest.mark.slow
def test_a_restart_is_known_to_all_within_seconds(make_network: MakeNetwork) -> None:
    """A member that was taken for dead and starts again is alive to all of fifty within five seconds."""
    network = make_network(1, loss=0.05)
    names = network.cluster(50)
    network.kill(names[0])
    network.run(30)
    assert network.everybody(DEAD, names[:1])

    network.start(names[0], contact=names[1])

    assert network.run(5, lambda: network.everybody(ALIVE, names)) < 5


@pytest.mark.slow
def test_most_restart_at_once(make_network: MakeNetwork) -> None:
    """When nine of ten members start again all are alive to all within fifteen seconds."""
    network = make_network(1, loss=0.05)
    names = network.cluster(60)
    for name in names[6:]:
        network.kill(name)
    network.run(30)
    for index, name in enumerate(names[6:]):
        network.start(name, contact=names[index % 6])

    assert network.run(15, lambda: network.everybody(ALIVE, names)) < 15


@pytest.mark.slow
def test_the_dead_are_forgotten_and_make_no_ghosts(make_network: MakeNetwork) -> None:
    """After their time the dead are in no table, though newcomers heard of them, and rumours of them end."""
    network = make_network(1)
    network.settings = GossipSettings(remember_s=60.0)
    names = network.cluster(6)
    network.kill(names[0])
    network.run(20)
    assert network.everybody(DEAD, names[:1])
    network.start("new", contact=names[1])
    network.run(30)
    assert network.states(names[0])["new"] is DEAD

    assert network.run(90, lambda: network.states(names[0]) == {}) < 90

    late = Rumour(Peer(names[0], 1), network.hosts[names[0]].gossip.members.me.endpoint, ALIVE, 0)
    for state in (DEAD, SUSPECT, ALIVE):
        network._hear(names[1], network._header(names[2]), [replace(late, state=state)])
        network.run(60 + 90)
        assert network.states(names[0]) == {}


def test_names_that_come_and_go_leave_nothing(make_network: MakeNetwork) -> None:
    """The table does not grow with the number of daemons there ever were."""
    network = make_network(1)
    network.settings = GossipSettings(remember_s=30.0)
    names = network.cluster(4)
    most = 0
    for index in range(20):
        network.start(f"pod{index}", contact=names[0])
        network.run(5)
        network.leave(f"pod{index}")
        most = max(most, *(len(network.hosts[name].gossip.members.all()) for name in names))

    assert most <= 3 + 1 + 30 / 5 + 1


def test_a_newcomer_becomes_known_to_all(make_network: MakeNetwork) -> None:
    """Who joins through one member is soon known to everybody, and knows everybody."""
    network = make_network(1)
    names = network.cluster(10)
    network.run(2)
    network.start("new", contact=names[4])
    network.run(10)

    assert network.everybody(ALIVE, ["new"])
    assert len(network.hosts["new"].gossip.members.alive()) == 10


def test_who_leaves_is_not_missed(make_network: MakeNetwork) -> None:
    """A member that said good-bye has left for all, is reported dead by none, and is pinged no more."""
    network = make_network(1)
    names = network.cluster(10)
    network.run(2)
    network.leave(names[0])
    network.run(5)
    sent = len(network.sent)
    network.run(30)

    assert network.everybody(LEFT, names[:1])
    assert network.reported("member-dead") == []
    assert network.hosts[names[0]].gossip.members.me.endpoint not in {
        one.target for one in network.sent[sent:]
    }


def test_who_comes_back_after_leaving_is_alive(make_network: MakeNetwork) -> None:
    """A daemon that left and starts again as the same life hears that it has left, and refutes."""
    network = make_network(1)
    names = network.cluster(5)
    network.leave(names[0])
    network.run(5)
    network.start(names[0], contact=names[1])
    network.run(8)

    assert network.everybody(ALIVE, names)


def test_after_leaving_only_acks_are_sent() -> None:
    """A daemon that has left answers pings, but probes nobody and needs no timer."""
    mine = gossip()
    mine.heard(HIS, 100.0)
    (farewell,) = mine.leave(101.0)

    assert Tell(THERE, Rumour(ME, HERE, LEFT, 0)) == farewell
    assert mine.wake_at > 1e9
    assert mine.wake(DIGEST, 200.0) == []
    assert [Tell(THERE, Ack(1, None, 7))] == mine.receive(HIS, Ping(1, ME, 7), DIGEST, 200.0)


def test_who_has_left_counts_itself_among_the_gone() -> None:
    """The members that a daemon compares are without itself once it has left, as everybody else's are."""
    mine = gossip()
    mine.heard(HIS, 100.0)
    mine.leave(101.0)
    mine.rumoured(HIS, Rumour(ME, HERE, DEAD, 3), 102.0)

    assert (HIM,) == tuple(one.peer for one in mine.census.share(0, PLACES).rumours)
    assert mine.census.count(0, PLACES) == 1
    assert mine.census.fingerprint == codec.member_digest(HIM, THERE, 0, b"")[1]


def test_a_later_life_takes_the_name_over_everywhere(make_network: MakeNetwork) -> None:
    """A daemon that comes back with a higher incarnation is alive to all, and its earlier life dead."""
    network = make_network(1)
    names = network.cluster(6)
    network.run(2)
    network.kill(names[0])
    network.run(0.5)
    network.start(names[0], 2, contact=names[1])
    network.run(6)

    assert network.everybody(ALIVE, names[:1])
    assert {DEAD} == {network.hosts[name].gossip.members.state_of(Peer(names[0], 1)) for name in names[1:]}
    assert network.reported("name-in-use") == []


def test_a_restart_with_a_new_address_is_found(make_network: MakeNetwork) -> None:
    """The same life at another endpoint is alive there to all, once the old one is dead."""
    network = make_network(1)
    names = network.cluster(4)
    network.run(2)
    network.kill(names[0])
    network.start(names[0], contact=names[1], at="moved")
    network.run(60)

    believed = {network.hosts[name].gossip.members.get(names[0]) for name in names[1:]}
    assert {(ALIVE, "moved.example")} == {
        (one.state, one.endpoint.host) for one in believed if one is not None
    }


# Namesakes


def test_a_namesake_is_reported_by_both_and_answers_end(make_network: MakeNetwork) -> None:
    """Two daemons of one name in one cluster both say so, once, and do not answer each other for ever."""
    network = make_network(1)
    names = network.cluster(4)
    network.start(names[0], 9, contact=names[1], at="namesake")
    network.run(20)
    reports = network.reported("name-in-use")

    assert sorted([names[0], "namesake"]) == sorted(name for name, _ in reports)
    assert {Level.ERROR} == {report.level for _, report in reports}
    assert len(network.sent) < 20 * 5 * 12


@pytest.mark.parametrize("other", [Peer("me", 4), Peer("me", 6), ME])
def test_a_packet_of_my_name_from_elsewhere_is_an_error(other: Peer) -> None:
    """Any life of my name that speaks from elsewhere is reported at most once a minute."""
    mine = gossip()
    header = Header(b"cluster1", other, ELSEWHERE)
    effects = [*mine.heard(header, 100.0), *mine.heard(header, 100.1)]
    later = mine.heard(header, 101.0 + NAME_REPORT_INTERVAL_S)

    assert ["name-in-use"] == [one.event for one in effects if isinstance(one, Report)]
    assert [Tell(ELSEWHERE, Rumour(ME, HERE, ALIVE, 0))] == [one for one in effects if isinstance(one, Tell)]
    assert ["name-in-use"] == [one.event for one in later if isinstance(one, Report)]


def test_a_clone_starts_no_endless_argument() -> None:
    """What another daemon with my name and incarnation says of us both is not answered."""
    mine = gossip()
    clone = Header(b"cluster1", ME, ELSEWHERE)

    assert mine.receive(clone, Rumour(ME, ELSEWHERE, ALIVE, 9), DIGEST, 100.0) == []


def test_a_rumour_of_a_later_life_of_mine_is_an_error() -> None:
    """Hearing that a later life of my name exists is reported, and does not change who I am."""
    mine = gossip()
    report, word = mine.receive(HIS, Rumour(Peer("me", 6), ELSEWHERE, ALIVE, 0), DIGEST, 100.0)

    assert isinstance(report, Report)
    assert Tell(ELSEWHERE, Rumour(ME, HERE, ALIVE, 0)) == word
    assert (Level.ERROR, "name-in-use") == (report.level, report.event)
    assert mine.members.me.peer == ME


def test_a_rumour_of_my_earlier_life_is_none() -> None:
    """Hearing of an earlier life of mine I only tell of the present one."""
    mine = gossip()

    assert [Tell(THERE, Rumour(ME, HERE, ALIVE, 0))] == mine.receive(
        HIS, Rumour(Peer("me", 4), HERE, ALIVE, 3), DIGEST, 100.0
    )


def test_my_own_packets_say_nothing() -> None:
    """A packet that came back to its sender is ignored."""
    assert gossip().heard(Header(b"cluster1", ME, HERE), 100.0) == []


# Single packets


def test_somebody_else_does_not_ack() -> None:
    """A ping that means another life at this endpoint is answered with who is here."""
    for target in (Peer("me", 4), Peer("other", 5)):
        assert [Tell(THERE, Rumour(ME, HERE, ALIVE, 0))] == gossip().receive(
            HIS, Ping(1, target, 7), DIGEST, 100.0
        )


def test_a_stale_accusation_is_answered() -> None:
    """Who says of me what I have refuted already is told so."""
    mine = gossip()
    accusation = Rumour(ME, HERE, SUSPECT, 0)
    first = mine.receive(HIS, accusation, DIGEST, 100.0)
    second = mine.receive(HIS, accusation, DIGEST, 100.1)

    assert Tell(THERE, Rumour(ME, HERE, ALIVE, 1)) == first[0]
    assert [first[0]] == second


@pytest.mark.parametrize("state", [SUSPECT, DEAD])
def test_who_is_heard_though_doubted_is_told_and_pinged(state: MemberState) -> None:
    """A doubted member that is heard from is told what is said of it and pinged, once, but stays doubted."""
    mine = gossip()
    mine.receive(HIS, Rumour(HIM, THERE, state, 0), DIGEST, 100.0)

    effects = [*mine.heard(HIS, 100.0), *mine.heard(HIS, 100.1)]
    woken = mine.wake(DIGEST, mine.wake_at)

    assert [Tell(THERE, Rumour(HIM, THERE, state, 0))] == effects
    assert {THERE} == {one.target for one in woken if isinstance(one, Tell)}
    assert state is mine.members.state_of(HIM)


def test_an_outdated_life_is_told_of_the_later_one() -> None:
    """A packet of an earlier life than the known one is answered with the later one, and changes nothing."""
    mine = gossip()
    mine.heard(HIS, 100.0)

    assert [Tell(ELSEWHERE, Rumour(HIM, THERE, ALIVE, 0))] == mine.heard(
        Header(b"cluster1", Peer("him", 4), ELSEWHERE), 101.0
    )


def test_the_heard_are_introduced() -> None:
    """A sender that was not known is a member from then on, is reported, and is gossiped about."""
    mine = gossip()
    (report,) = mine.heard(HIS, 100.0)

    assert isinstance(report, Report)
    assert report.event == "member-joined"
    assert [HIM] == [one.peer for one in mine.members.alive()]
    assert Rumour(HIM, THERE, ALIVE, 0) in mine.piggyback(1000)
    assert mine.heard(HIS, 101.0) == []


def test_hints_are_those_of_the_last_ping_or_ack() -> None:
    """What a member says that it could give away is remembered, from its pings and its acks."""
    mine = gossip()
    mine.heard(HIS, 100.0)
    few, many = ((FreeHint("default", Family.V4, bucket),) for bucket in (3, 9))

    mine.receive(HIS, Ping(1, ME, 7, few), DIGEST, 100.0)
    assert few == mine.members.hints_of(HIM)

    mine.receive(HIS, Ack(1, HIM, 7, many), DIGEST, 101.0)
    assert many == mine.members.hints_of(HIM)


# Repair


def test_different_fingerprints_start_a_repair_now_and_then() -> None:
    """Pings with another fingerprint start a repair, but not more often than the interval allows."""
    mine = gossip()
    times = []
    for eighth in range(10):
        effects = mine.receive(HIS, Ping(1, ME, 8), DIGEST, 100 + eighth / 8)
        times += [eighth for one in effects if one == Repair(HIM, THERE)]

    assert [0, 2, 4, 6, 8] == times


def test_equal_fingerprints_and_acks_start_none() -> None:
    """In sync there is nothing to repair, and what differs is looked into by who was pinged, not by both."""
    mine = gossip()
    answer = mine.receive(HIS, Ping(1, ME, DIGEST.fingerprint), DIGEST, 100.0)

    assert not any(isinstance(one, Repair) for one in answer)
    assert mine.receive(HIS, Ack(1, HIM, 8), DIGEST, 100.0) == []


def test_a_push_that_all_have_lost_is_found(make_network: MakeNetwork) -> None:
    """A member that missed a push is found by its fingerprint within a few rounds."""
    network = make_network(1)
    names = network.cluster(3)
    network.run(1)
    network.hosts[names[0]].known[ownership(1)] = network.now
    network.run(4)

    assert all(host.repairs for host in network.hosts.values())


# Pushes and packets


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "copies_max"), [(0.0, 12.5), (0.05, 12.5), (0.25, 20.5)])
def test_a_push_reaches_fifty_members(make_network: MakeNetwork, loss: float, copies_max: float) -> None:
    """One push reaches fifty members in 0.4 s, in twelve copies a member; in twenty where many get lost."""
    network = make_network(1, loss=loss)
    names = network.cluster(50)
    network.run(3)
    started = network.now
    network.push(names[0], ownership(1))
    network.run(2)

    times = [host.known[ownership(1)] - started for host in network.hosts.values()]
    copies = sum(ownership(1) in packet.messages for packet in network.sent)
    assert max(times) <= 0.4
    assert copies <= 50 * copies_max


@pytest.mark.parametrize(("rumours", "packets"), [(1, 4), (17, 8), (60, 16), (500, 16)])
def test_bursts_are_wide_where_much_waits(rumours: int, packets: int) -> None:
    """A burst goes to four members, or to up to sixteen when datagrams cannot hold all there is to tell."""
    mine = gossip()
    for index in range(100):
        mine.heard(Header(b"cluster1", Peer(f"n{index}", 1), THERE), 100.0)
    while mine.piggyback(1300):
        pass
    for index in range(rumours):
        mine.rumoured(HIS, Rumour(Peer(f"n{index % 100}", 2 + index), ELSEWHERE, ALIVE, 0), 100.0)

    told = [
        one for one in mine.wake(DIGEST, 100.0) if isinstance(one, Tell) and isinstance(one.message, Rumour)
    ]

    assert len(told) == packets
    assert mine.wake(DIGEST, 100.0) == []


def test_rumours_are_told_as_if_the_gone_were_there() -> None:
    """After a mass death a rumour is told as often as before, as it is also for those who come back."""
    mine = gossip()
    for index in range(20):
        mine.rumoured(HIS, Rumour(Peer(f"n{index}", 1), ELSEWHERE, DEAD, 0), 100.0)
    news = Rumour(HIM, THERE, ALIVE, 1)
    mine.rumoured(HIS, news, 100.0)

    assert [news in mine.piggyback(1300) for _ in range(10)] == [True] * 8 + [False] * 2


def test_many_rumours_are_told_less_often_each() -> None:
    """While many wait each is told a few times, all in half as many packets; one of few as often as ever."""
    mine = gossip()
    names = [f"n{index}" for index in range(1000)]
    for name in names:
        mine.rumoured(HIS, Rumour(Peer(name, 1), ELSEWHERE, ALIVE, 0), 100.0)
    told: Counter[str] = Counter()
    while packet := mine.piggyback(1300):
        told.update(one.peer.name for one in packet if isinstance(one, Rumour))

    assert min(told[name] for name in names) == TIMES_MIN
    assert told.total() < 1000 * GossipSettings().retransmissions(1000) / 2
    news = Rumour(HIM, THERE, ALIVE, 1)
    mine.rumoured(HIS, news, 100.0)
    assert [news in mine.piggyback(1300) for _ in range(17)] == [True] * 16 + [False]


def test_names_that_are_learned_in_bulk_are_not_spread() -> None:
    """Who is told of many at once passes on what is news of those it knew, but nobody that is new to it."""
    mine = gossip()
    known = Rumour(HIM, THERE, ALIVE, 0)
    mine.rumoured(HIS, known, 100.0)
    while mine.piggyback(1300):
        pass
    told = [known, replace(known, refutation=1), Rumour(Peer("new", 1), ELSEWHERE, ALIVE, 0)]
    for rumour in told:
        mine.rumoured(HIS, rumour, 100.0, bulk=True)

    assert ALIVE is mine.members.state_of(Peer("new", 1))
    assert mine.piggyback(1300) == (replace(known, refutation=1),)


def test_an_unheard_push_is_due_at_once() -> None:
    """After a push the timer is due, and the message goes to whoever is there."""
    mine = gossip()
    mine.heard(HIS, 100.0)
    mine.push(ownership(1))

    assert mine.wake_at <= 100.0
    assert Tell(THERE, ownership(1)) in mine.wake(DIGEST, 100.0)


@given(
    members=st.integers(0, 40),
    pushes=st.lists(st.integers(1, 40), max_size=8),
    budgets=st.lists(st.integers(-50, 1400)),
)
@settings(max_examples=50, deadline=None)  # a shared machine may be slow now and then
def test_the_room_of_a_packet_is_never_exceeded(members: int, pushes: list[int], budgets: list[int]) -> None:
    """Whatever there is to tell and however small the room, what rides on a packet fits."""
    mine = gossip()
    for index in range(members):
        mine.heard(Header(b"cluster1", Peer(f"n{index}", 1), Endpoint("h" * (1 + index), 6783)), 100.0)
    for index, runs in enumerate(pushes):
        mine.push(ownership(1000 * index, runs))

    for budget in budgets:
        assert sum(map(codec.encoded_size, mine.piggyback(budget))) <= max(0, budget)


def test_half_of_a_packet_is_kept_for_ownership() -> None:
    """While pushes are under way rumours take at most half of the room; else all of it."""
    mine = gossip()
    for index in range(100):
        mine.heard(Header(b"cluster1", Peer(f"n{index}", 1), THERE), 100.0)

    def rumours_bytes() -> int:
        return sum(codec.encoded_size(one) for one in mine.piggyback(1000) if isinstance(one, Rumour))

    assert 900 < rumours_bytes() <= 1000

    mine.push(ownership(1, 20))

    assert 400 < rumours_bytes() <= 500
    assert ownership(1, 20) in mine.piggyback(1000)


def test_a_quiet_cluster_says_little(make_network: MakeNetwork) -> None:
    """With nothing to tell a member sends a ping and an ack a round, without rumours."""
    network = make_network(1)
    network.cluster(10)
    network.run(30)
    before = len(network.sent)
    network.run(10)
    sent = network.sent[before:]

    assert all(len(packet.messages) == 1 for packet in sent)
    assert len(sent) == pytest.approx(10 * 10 * 2, rel=0.15)
    assert max(len(packet.data) for packet in sent) < 120


@pytest.mark.slow
def test_the_same_seed_is_the_same_run(make_network: MakeNetwork) -> None:
    """Two runs with one seed send the same packets at the same times."""
    runs = []
    for _ in range(2):
        network = make_network(3, loss=0.1)
        network.cluster(8)
        network.run(30)
        runs.append([(packet.sent_at, packet.data) for packet in network.sent])

    assert runs[0] == runs[1]


@pytest.mark.slow
def test_members_are_bounded() -> None:
    """Of names beyond the bound nothing is believed, and each is reported; who is known stays known."""
    one = gossip()
    for number in range(MEMBERS_MAX):
        one.rumoured(HIS, Rumour(Peer(f"n{number}", 1), THERE, ALIVE, 0), 100.0)
    told = one.rumoured(HIS, Rumour(Peer("more", 1), THERE, ALIVE, 0), 100.0)

    assert ["members-full"] == [effect.event for effect in told if isinstance(effect, Report)]
    assert one.members.known_count == MEMBERS_MAX
    assert one.members.get("more") is None
    one.rumoured(HIS, Rumour(Peer("n0", 2), THERE, ALIVE, 0), 100.0)
    assert one.members.get("n0").peer == Peer("n0", 2)  # type: ignore[union-attr] # known


@pytest.mark.slow
def test_the_gone_leave_room_for_newcomers() -> None:
    """However many have gone lately, who comes is believed to be there."""
    one = gossip()
    one.wake(DIGEST, 100.0)
    for number in range(MEMBERS_MAX):
        state = ALIVE if number % 4 == 0 else DEAD
        one.rumoured(HIS, Rumour(Peer(f"n{number}", 1), THERE, state, 0), 100.0)
    one.wake(DIGEST, 100.1)
    one.rumoured(HIS, Rumour(Peer("more", 1), THERE, ALIVE, 0), 100.2)

    assert one.members.get("more") is not None
    assert one.members.alive_count == MEMBERS_MAX // 4 + 1
