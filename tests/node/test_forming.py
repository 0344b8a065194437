"""Real nodes that form a cluster, mostly with nobody named (`--init consensus=N`); two clusters that meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from weaveipam.protocol.requests import GetCheck, SetJoin, Status
from weaveipam.protocol.values import Endpoint, Pool

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


def expecting(made: Any, count: int, pools: tuple[Pool, ...], names: str = "") -> str:
    """Start so many daemons that know each other and expect so many; their names."""
    names = names or "abcdefg"[:count]
    for name in names:
        made.add(name, consensus=count, join=",".join(names), pools=pools)
    return names


def ids(made: Any) -> set[str]:
    """The clusters that those daemons which run belong to."""
    return {made.status(name).cluster_id for name, host in made.hosts.items() if host.node} - {""}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_as_many_as_expected_form_one_cluster(cluster: MakeCluster, make_pool: MakePool, count: int) -> None:
    """Daemons that all expect so many form one cluster, and each is a seed of it with a share."""
    made = cluster()
    names = expecting(made, count, (make_pool("blue", "10.0.0.0/24"),))
    made.run(3)

    assert [True] * count == [made.status(name).ready for name in names]
    assert 1 == len(ids(made))
    assert all(one.owned >= 256 // count - 16 for name in names for one in made.status(name).pools)


@pytest.mark.parametrize("loss", [0.1, 0.4])
@pytest.mark.parametrize("seed", range(5))
def test_forms_under_loss(cluster: MakeCluster, make_pool: MakePool, seed: int, loss: float) -> None:
    """Lost and doubled packets delay a birth, and never make two."""
    lossy = cluster(seed, loss=loss)
    names = expecting(lossy, 3, (make_pool("blue", "10.0.0.0/24"),))
    lossy.run(20)

    assert [True] * 3 == [lossy.status(name).ready for name in names]
    assert 1 == len(ids(lossy))


def test_a_majority_is_enough_and_the_others_join(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Two of three form the cluster when the third does not answer; it joins when it comes."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    for name in "ab":
        made.add(name, consensus=3, join="a,b,c", pools=pools)
    made.run(3)
    assert made.status("a").ready
    assert made.status("b").ready
    made.add("c", consensus=3, join="a,b,c", pools=pools)
    made.run(5)

    assert made.status("c").ready
    assert 1 == len(ids(made))
    assert "seeds-differ" not in made.events()


def test_fewer_than_a_majority_wait_and_say_for_what(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Two of four form nothing; the status says how many there are, who, and what may be wrong."""
    made = cluster()
    for name in "ab":
        made.add(name, consensus=4, join="a,b,c,d", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.run(5)
    status = made.status("a")

    assert set() == ids(made)
    assert "forming" == status.state
    assert "of 4 daemons 3 must agree" in status.why_not_ready
    assert "knows 2 (a,b)" in status.why_not_ready


@pytest.mark.parametrize("count", [2, 4])
def test_two_halves_never_both_form(cluster: MakeCluster, make_pool: MakePool, count: int) -> None:
    """An even number cut into halves forms nothing on either side, and one cluster when it heals."""
    made = cluster()
    made.cut = set("abcd"[: count // 2])
    names = expecting(made, count, (make_pool("blue", "10.0.0.0/24"),))
    made.run(10)
    assert set() == ids(made)
    made.cut = set()
    made.run(5)

    assert 1 == len(ids(made))
    assert all(made.status(name).ready for name in names)


def test_votes_outlive_a_restart(cluster: MakeCluster, make_pool: MakePool) -> None:
    """What was accepted before everybody was killed is what is decided afterwards."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.dies = lambda name: any(key.kind == "Born" for key in made.hosts[name].disk)
    names = expecting(made, 3, pools)
    made.run(3)
    dead = [name for name in names if made.hosts[name].node is None]
    assert dead
    (born,) = {
        made.hosts[name].disk[key] for name in dead for key in made.hosts[name].disk if key.kind == "Born"
    }
    for name in names:
        made.crash(name)
    for name in dead:  # who knew what was decided stays away
        made.hosts[name].disk = {key: one for key, one in made.hosts[name].disk.items() if key.kind != "Born"}
    made.dies = lambda _name: False
    for name in names:
        made.start(name)
    made.run(10)

    assert {born} == {
        one for name in names for key, one in made.hosts[name].disk.items() if key.kind == "Born"
    }


def test_who_lost_its_disk_does_not_vote(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Who decided and lost its disk forms no second cluster with one that met it before, and says why."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.drop = lambda name, send: (
        "c" in {name, send.target.host} and "c" in made.hosts and len(made.hosts["c"].disk) > 1
    )
    expecting(made, 3, pools)
    made.run(3)
    assert made.status("a").ready
    assert not made.status("c").ready
    made.crash("b")
    made.lose_disk("a")
    made.drop = lambda _name, _send: False
    made.start("a")
    made.run(10)

    assert not made.status("a").ready
    assert not made.status("c").ready
    assert "remembers an earlier life of this one (a" in made.status("a").why_not_ready
    assert "does not vote" in made.status("a").why_not_ready
    made.lose_disk("c")
    made.crash("a")
    made.start("a")
    made.start("c")
    made.run(10)
    assert not made.status("a").ready
    assert "somebody remembered an earlier life of this one (a" in made.status("a").why_not_ready
    made.start("b")
    made.run(5)
    assert [True] * 3 == [made.status(name).ready for name in "abc"]
    assert 1 == len(ids(made))


@pytest.mark.parametrize("init", [{"seeds": "a,b,c"}, {"consensus": 3}])
@pytest.mark.parametrize("lost", "abc")
def test_who_lost_its_disk_forms_nothing_alone(
    cluster: MakeCluster, make_pool: MakePool, lost: str, init: dict[str, Any]
) -> None:
    """Any one that comes back with an empty disk, cut off, waits, and then joins the cluster it was in."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    for name in "abc":
        made.add(name, join="a,b,c", pools=pools, **init)
    made.run(3)
    before = ids(made)
    made.cut = {lost}
    made.lose_disk(lost)
    made.start(lost)
    made.run(20)
    assert "forming" == made.status(lost).state
    made.cut = set()
    made.run(10)

    assert made.status(lost).ready
    assert ids(made) == before


def test_more_daemons_than_expected_form_nothing(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Four that expect three could be two majorities: they form nothing, and say so, until one only joins."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    for name in "abcd":
        made.add(name, consensus=3, join="a,b,c,d", pools=pools)
    made.run(5)
    assert set() == ids(made)
    assert "more daemons than expected were started with --init consensus=3" in made.status("a").why_not_ready
    assert "(a,b,c,d)" in made.status("a").why_not_ready
    made.crash("d")
    made.hosts["d"].settings = replace(made.hosts["d"].settings, consensus=0)
    made.start("d")
    made.run(10)

    assert [True] * 4 == [made.status(name).ready for name in "abcd"]
    assert 1 == len(ids(made))


@pytest.mark.parametrize(
    ("other", "said"), [({"consensus": 5}, "b with consensus=5"), ({"seeds": "a,b"}, "b with seeds=a,b")]
)
def test_who_was_told_differently_is_told_so(
    cluster: MakeCluster, make_pool: MakePool, other: dict[str, Any], said: str
) -> None:
    """Two that were told to form in different ways form nothing; both report it, and show it."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.add("a", consensus=2, join="b", pools=pools)
    made.add("b", join="a", pools=pools, **other)
    made.run(5)

    assert set() == ids(made)
    assert "seeds-differ" in made.events("a") & made.events("b")
    assert said in made.status("a").why_not_ready
    assert "consensus=2" in made.status("b").why_not_ready


@pytest.mark.parametrize("other", [{"consensus": 5}, {"seeds": "a,d"}])
def test_a_late_daemon_that_was_told_differently_joins_and_is_told(
    cluster: MakeCluster, make_pool: MakePool, other: dict[str, Any]
) -> None:
    """A formed answer means join, however one was told to begin; both sides report the difference."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    expecting(made, 3, pools)
    made.run(3)
    made.add("d", join="a", pools=pools, **other)
    made.run(5)

    assert made.status("d").ready
    assert 1 == len(ids(made))
    assert "seeds-differ" in made.events("a") & made.events("d")


def test_votes_mean_nothing_to_who_is_told_otherwise(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A daemon with a vote on its disk that is started anew with a list of seeds forms by the list."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.drop = lambda name, _send: name == "b"
    expecting(made, 2, pools)
    made.hosts["b"].node = None
    made.run(3)
    made.start("b")
    made.run(3)
    for name in "ab":
        made.crash(name)
        made.hosts[name].settings = replace(made.hosts[name].settings, consensus=0, seeds=("a", "b"))
        made.start(name)
    made.drop = lambda _name, _send: False
    made.run(5)

    assert [True, True] == [made.status(name).ready for name in "ab"]
    assert 1 == len(ids(made))


def test_two_clusters_formed_apart_say_how_to_become_one(cluster: MakeCluster, make_pool: MakePool) -> None:
    """Groups that formed apart by mistake name both clusters and what to do; doing it leaves one."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.cut = {"a", "b"}
    for name, seeds in (("a", "a,b"), ("b", "a,b"), ("x", "x,y"), ("y", "x,y")):
        made.add(name, seeds=seeds, join="a,b,x,y", pools=pools)
    made.run(3)
    before = ids(made)
    assert 2 == len(before)
    made.cut = set()
    made.run(30)

    assert before == ids(made)
    for name in "abxy":
        shown = " ".join(made.status(name).conflicts)
        assert all(one in shown for one in before)
        assert "start them with --init observe" in shown
    for name in "xy":
        made.lose_disk(name)
        made.hosts[name].settings = replace(made.hosts[name].settings, seeds=())
        made.start(name)
    made.run(70)
    assert 1 == len(ids(made))
    assert all(made.status(name).ready and not made.status(name).conflicts for name in "abxy")


def test_both_clusters_are_told_though_one_alone_was_given_an_address(
    cluster: MakeCluster, make_pool: MakePool
) -> None:
    """Whoever is told to join a member of another cluster learns that it is one, and so does that member."""
    made = cluster()
    pools = (make_pool("blue", "10.0.0.0/24"),)
    made.add("a", seeds="a", pools=pools)
    made.add("x", seeds="x", pools=pools)
    made.run(3)
    made.hosts["x"].settings = replace(made.hosts["x"].settings, join=(Endpoint("a", 1),))
    made.start("x")
    made.run(10)

    for name in "ax":
        (problem,) = made.answer(name, GetCheck()).problems
        assert all(one in problem.detail for one in ids(made))


def test_whom_to_ask_can_be_told_while_it_waits(cluster: MakeCluster, make_pool: MakePool) -> None:
    """A daemon that asks the wrong one joins as soon as it is told of another, and asks the first no more."""
    made = cluster()
    made.add("a", seeds="a", pools=(make_pool("blue", "10.0.0.0/24"),))
    made.add("b", join="x")
    made.run(3)
    assert "asking x:1" in made.status("b").why_not_ready
    told = made.answer("b", SetJoin((Endpoint("a", 1),)))
    assert isinstance(told, Status)
    made.sent.clear()
    made.run(3)

    assert made.status("b").ready
    assert 1 == len(ids(made))
    assert "x" not in {send.target.host for name, send in made.sent if name == "b"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_random_beginnings(cluster: MakeCluster, make_pool: MakePool, seed: int) -> None:
    """Whatever is lost, late, cut or killed between two effects, there is one birth in the end, never two."""
    rng = Random(seed)
    count = rng.choice((2, 3, 4, 5))
    made = cluster(seed, loss=rng.choice((0.0, 0.1, 0.3)))
    made.late = rng.choice((0.0, 0.2))
    mortality = rng.choice((0.0, 0.02, 0.08))
    made.dies = lambda _name: rng.random() < mortality
    names = expecting(made, count, (make_pool("blue", "10.0.0.0/24"),))
    births: set[bytes] = set()
    for _ in range(rng.randint(5, 40)):
        made.cut = set(rng.sample(names, rng.randint(0, count))) if rng.random() < 1 / 3 else made.cut
        for name in names:
            if made.hosts[name].node is None and rng.random() < 1 / 2:
                made.start(name)
        made.run(rng.choice((0.01, 0.1, 0.3)))
        births |= {one for name in names for key, one in made.hosts[name].disk.items() if key.kind == "Born"}
        assert len(births) <= 1
    made.dies, made.cut, made.loss, made.late = (lambda _name: False), set(), 0.0, 0.0
    for name in names:
        if made.hosts[name].node is None:
            made.start(name)
    made.run(15)

    assert all(made.status(name).ready for name in names)
    assert 1 == len(ids(made))
