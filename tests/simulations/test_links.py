"""Which links are cut, and how good each is."""

from __future__ import annotations

from math import inf

from simulations.links import Links, Quality, worse

BAD = Quality(delay_s=0.5, loss=0.1, bytes_per_s=1000.0, mtu_bytes=500)
SLOW = Quality(delay_s=2.0, jitter_s=0.0, bytes_per_s=5000.0)


def test_a_cut_has_a_direction() -> None:
    """Who no longer reaches another may still be reached by it."""
    links = Links(Quality())

    links.cut(["a"], ["b"])

    assert not links.reaches("a", "b")
    assert links.reaches("b", "a")


def test_cuts_add_up_until_all_are_healed() -> None:
    """Each cut leaves those before it as they are, and healing ends all of them."""
    links = Links(Quality())
    pairs = [("a", "b"), ("a", "c"), ("d", "c")]

    for source, target in pairs:
        links.cut([source], [target])
    cut = [links.reaches(*pair) for pair in pairs]
    links.heal()

    assert cut == [False, False, False]
    assert all(links.reaches(*pair) for pair in pairs)


def test_a_split_is_as_small_as_its_groups() -> None:
    """Halves of a thousand machines that are cut over and over are kept once for each machine."""
    links = Links(Quality())
    left = [f"l{number}" for number in range(500)]
    right = [f"r{number}" for number in range(500)]

    for _ in range(10):
        links.cut(left, right)
        links.cut(right, left)

    assert sum(len(groups) for groups in links._cuts.values()) == 1000
    assert not links.reaches("l7", "r499")
    assert not links.reaches("r499", "l7")
    assert links.reaches("l7", "l8")


def test_a_machine_always_reaches_itself() -> None:
    """No cut of the network comes between the processes of one machine."""
    links = Links(Quality())

    links.cut(["a", "b"], ["a", "b"])

    assert links.reaches("a", "a")
    assert not links.reaches("a", "b")


def test_the_worse_wins_in_every_respect() -> None:
    """A link is as slow, lossy and narrow as the worst that is said of it."""
    assert worse(BAD, SLOW) == worse(SLOW, BAD)
    assert worse(BAD, SLOW) == Quality(delay_s=2.0, loss=0.1, bytes_per_s=1000.0, mtu_bytes=500)


def test_impaired_machines_make_their_links_worse() -> None:
    """Links from and to impaired machines, and no others, are at least as bad as said, until it ends."""
    links = Links(Quality(jitter_s=0.0))
    links.impair(["slow"], SLOW)
    links.impair(["bad"], BAD)

    assert links.between("a", "b") == Quality(jitter_s=0.0)
    assert links.between("a", "slow") == links.between("slow", "b") == SLOW
    assert links.between("bad", "slow") == links.between("slow", "bad") == worse(BAD, SLOW)

    links.impair(["slow"], None)

    assert links.between("a", "slow") == Quality(jitter_s=0.0)
    assert links.between("bad", "slow").delay_s == 0.5


def test_the_quality_of_all_may_change_at_any_time() -> None:
    """A new quality holds from then on, for impaired links too."""
    links = Links(Quality())
    links.impair(["slow"], SLOW)
    before = links.between("a", "slow")

    links.quality = Quality(loss=0.5)

    assert (before.loss, before.bytes_per_s) == (0.0, 5000.0)
    assert links.between("a", "slow").loss == 0.5
    assert links.between("a", "b") == Quality(loss=0.5)
    assert links.between("a", "b").bytes_per_s == inf
