"""A removal with a crash between any two effects of anybody, doubled and late packets: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ring.address import Family
from ring.invariants import violations
from weaveipam.protocol.progress import RollCallView
from weaveipam.protocol.requests import GetRollCall, RemovePeers
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
CRASHES_MAX = 40
"""Effects after the command that a crash is tried before; the removal takes fewer."""

pytestmark = pytest.mark.slow


@pytest.fixture
def four(cluster: Callable[..., Any], make_pool: Callable[..., Any]) -> Callable[..., Any]:
    """Makes four daemons that share 64 addresses, the last of which is dead, and known to be."""

    def make(seed: int = 1, loss: float = 0.0, late: float = 0.0) -> Any:
        it = cluster(seed, loss=loss)
        pools = (make_pool("p", "10.0.0.0/26"),)
        for name in "abcd":
            it.add(name, seeds="a,b,c,d", join="a,b,c,d", pools=pools)
        it.run(5)
        it.crash("d")
        it.run(5)
        it.late = late
        return it

    return make


def removed_at_last(it: Any, *names: str, at: str = "abc") -> None:
    """An operator asks one after the other until it is done; then all must agree."""
    for number in range(200):
        asked = at[number % len(at)]
        if it.hosts[asked].node is not None:
            view = it.answer(asked, RemovePeers(names))
            if isinstance(view, RollCallView) and {one.name for one in view.removed} >= set(names):
                break
        it.run(0.5)
    else:
        pytest.fail(f"not removed: {view}")
    it.run(10)
    rings = {it.ring(name, RING).runs for name in at}
    assert 1 == len(rings), "all hold the same ring"
    (runs,) = rings
    domain = [one.range for pool in it.status(at[0]).pools for one in pool.pool.ranges]
    assert [] == list(violations(runs, domain))
    assert set(names).isdisjoint(run.owner.name for run in runs)
    assert 1 == len({it.answer(name, GetRollCall()).number for name in at})


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_crash_before_any_effect(four: Callable[..., Any], who: str) -> None:
    """Whoever calls or answers dies at each point of the removal in turn, and restarts: it is done."""
    for crash_at in range(CRASHES_MAX):
        it = four()
        left = [crash_at]

        def dies(name: str, left: list[int] = left) -> bool:
            if name != who:
                return False
            left[0] -= 1
            return left[0] == -1

        it.dies = dies
        it.ask("a", RemovePeers(("d",)))
        it.run(1)
        it.dies = lambda _name: False
        if it.hosts[who].node is None:
            it.start(who)
        removed_at_last(it, "d")


@pytest.mark.parametrize("seed", range(12))
def test_loss_doubles_and_late_packets(four: Callable[..., Any], seed: int) -> None:
    """Two who begin at once amid lost, doubled and late packets come to one end."""
    it = four(seed, loss=0.3, late=0.3)
    it.ask("b", RemovePeers(("d",)))
    it.ask("a", RemovePeers(("d",)))
    it.run(3)
    it.loss = it.late = 0.0
    removed_at_last(it, "d")


@pytest.mark.parametrize("crash_at", range(0, CRASHES_MAX, 3))
def test_the_proposer_is_lost_as_well(four: Callable[..., Any], crash_at: int) -> None:
    """It dies for good at any point; the others remove it too, whatever it had told whom."""
    it = four()
    left = [crash_at]

    def dies(name: str) -> bool:
        if name != "a":
            return False
        left[0] -= 1
        return left[0] == -1

    it.dies = dies
    it.ask("a", RemovePeers(("d",)))
    it.run(1)
    it.crash("a")
    it.dies = lambda _name: False
    it.run(5)
    for name in "bc":
        it.answer(name, RemovePeers(("a", "d"), survivors=("b", "c")))
    removed_at_last(it, "a", "d", at="bc")
