"""Samples are what daemons show, and a chart has a place for everybody."""

from __future__ import annotations

from dataclasses import replace

from ring.address import Family
from ring.ring import Peer, Run, Token
from simulations.facts import View
from simulations.outcome import BAND_CELLS, Mark, Sample
from simulations.pools import hulls_of
from simulations.samples import NOBODY, Samples
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.values import RingId

RING = RingId("default", Family.V4)
POOL = parse_pool({"name": "default", "ranges": ["10.32.0.0/26"]})
HULL = hulls_of([POOL])[RING]
FIRST, LAST = HULL.start, HULL.stop - 1
ONE, TWO = Peer("n1", 1), Peer("n2", 2)
WHOLE = Run(FIRST, LAST + 1, Token(0, 0), ONE, ONE)
LOWER = WHOLE.clipped(FIRST, FIRST + 32)
UPPER = Run(FIRST + 32, LAST + 1, Token(0, 1), TWO, ONE)


def view(*runs: Run) -> View:
    """Of a daemon that serves and holds this ring."""
    return View(
        life=ONE,
        serving=True,
        rings={RING: runs},
        free={"default": 40, "other": 2},
        used={"default": 20},
        size=62,
        unreachable=0,
        keys=frozenset(),
        alive=frozenset({"n1"}),
        outgoing=0,
        conflicts=(),
    )


def taken(samples: Samples, at: float, **shown: View | None) -> Sample:
    """A sample of what these show, with the rings of all of them drawn."""
    drawn = [one.rings for one in shown.values() if one is not None]
    samples.take(at, shown, drawn, {"n1": 7}, given=3, refused=1)
    return samples.chart(shown, (), ()).samples[-1]


def test_a_band_shows_the_latest_statement() -> None:
    """Of two rings the higher token is drawn; where nobody says anything, nobody owns."""
    samples = Samples([POOL])
    cells = taken(samples, 1.0, n1=view(LOWER, UPPER), n2=view(WHOLE)).bands["default/v4"]
    some = taken(samples, 2.0, n1=view(UPPER)).bands["default/v4"]
    empty = taken(samples, 3.0, n1=None).bands["default/v4"]

    assert samples.chart([], (), ()).owners == ("n1", "n2")
    assert cells == (0,) * (BAND_CELLS // 2) + (1,) * (BAND_CELLS // 2)
    assert some == (NOBODY,) * (BAND_CELLS // 2) + (1,) * (BAND_CELLS // 2)
    assert empty == (NOBODY,) * BAND_CELLS


def test_lives_of_one_name_are_told_apart() -> None:
    """The second life that owns something is `NAME'2`, in the order in which they came to own."""
    samples = Samples([POOL])
    taken(samples, 1.0, n1=view(WHOLE))
    taken(samples, 2.0, n1=view(LOWER._replace(owner=Peer("n1", 9)), UPPER))

    assert samples.chart(["n1"], (), ()).owners == ("n1", "n1'2", "n2")


def test_a_sample_adds_up_what_daemons_show() -> None:
    """Addresses of all pools together; who serves not has no opinion, and who shows nothing has nothing."""
    samples = Samples([POOL])
    idle = replace(view(), serving=False)
    one = taken(samples, 5.0, n1=view(LOWER, UPPER), n2=view(WHOLE), n3=view(WHOLE), n4=idle, n5=None)

    assert (one.at, one.given, one.refused) == (5.0, 3, 1)
    assert one.running == (True, True, True, False, False)
    assert one.free == (42, 42, 42, 42, 0)
    assert one.used == (20, 20, 20, 20, 0)
    assert one.sent_bytes == (7, 0, 0, 0, 0)
    assert (one.opinions, one.runs) == (2, 2)


def test_who_came_later_has_a_place_in_every_sample() -> None:
    """A chart's samples are as wide as it has machines; what was not there yet ran not and had nothing."""
    samples = Samples([POOL])
    taken(samples, 1.0, n1=view(WHOLE))
    taken(samples, 2.0, n1=view(WHOLE), n2=view(WHOLE))
    mark = Mark("join", 1.5, None, ("n2",), "n2 joins")
    chart = samples.chart(["n1", "n2"], [mark], [0.5])

    assert [(one.running, one.free) for one in chart.samples] == [
        ((True, False), (42, 0)),
        ((True, True), (42, 42)),
    ]
    assert chart.rings == {"default/v4": "10.32.0.0 10.32.0.63"}
    assert (chart.machines, chart.marks, chart.convergences) == (("n1", "n2"), (mark,), (0.5,))


def test_the_size_of_rings_is_noted() -> None:
    """The most runs of any sample, and apart from them those of the time when all was settled."""
    samples = Samples([POOL])
    assert (samples.runs_max, samples.runs_final) == (0, 0)
    taken(samples, 1.0, n1=view(LOWER, UPPER))
    samples.settle([view(WHOLE), replace(view(LOWER, UPPER), serving=False)])
    taken(samples, 2.0, n1=view(LOWER, UPPER))

    assert (samples.runs_max, samples.runs_final) == (2, 1)
