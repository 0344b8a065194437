"""Daemons of other clusters: said once in a while, and shown while it lasts."""

from __future__ import annotations

import pytest

from ring.ring import Peer
from weaveipam.allocation.strangers import CLUSTERS_MAX, LASTS_S, REPORT_INTERVAL_S, Strangers
from weaveipam.protocol.messages import UNFORMED, Header
from weaveipam.protocol.values import Endpoint

OURS, THEIRS = b"ourselvs", b"thathere"
SOURCE = Endpoint("far", 7)


def header(cluster_id: bytes = THEIRS, name: str = "x") -> Header:
    """Of a packet of another daemon."""
    return Header(cluster_id, Peer(name, 1), Endpoint(name, 1))


@pytest.mark.parametrize(("theirs", "ours"), [(UNFORMED, OURS), (OURS, OURS), (THEIRS, UNFORMED)])
def test_only_another_cluster_is_one(theirs: bytes, ours: bytes) -> None:
    """Who is in no cluster or in this one is nobody to report, nor is anybody to a daemon in none."""
    strangers = Strangers()

    assert [] == strangers.heard(header(theirs), SOURCE, ours, 0.0)
    assert () == strangers.conflicts(0.0)


def test_reported_now_and_then_with_both_clusters_and_what_to_do() -> None:
    """The first packet is reported, then one in a while with how many there were."""
    strangers = Strangers()
    (first,) = strangers.heard(header(), SOURCE, OURS, 0.0)
    assert [] == strangers.heard(header(), SOURCE, OURS, REPORT_INTERVAL_S - 1)
    (second,) = strangers.heard(header(), SOURCE, OURS, REPORT_INTERVAL_S)
    told = dict(first.fields)

    assert (OURS.hex(), THEIRS.hex()) == (told["ours"], told["theirs"])
    assert "start them with --init observe" in str(told["detail"])
    assert (1, 2) == (told["packets"], dict(second.fields)["packets"])


def test_shown_while_it_lasts() -> None:
    """Each other cluster is one sentence with both names, until nothing was heard of it for a while."""
    strangers = Strangers()
    strangers.heard(header(), SOURCE, OURS, 0.0)
    strangers.heard(header(name="y"), SOURCE, OURS, 10.0)
    (shown,) = strangers.conflicts(LASTS_S + 5)

    assert OURS.hex() in shown
    assert THEIRS.hex() in shown
    assert () == strangers.conflicts(LASTS_S + 10)


def test_made_up_clusters_are_bounded() -> None:
    """Of more clusters than can be real only some are shown."""
    strangers = Strangers()
    for number in range(3 * CLUSTERS_MAX):
        strangers.heard(header(bytes((number + 1,)) * 8), SOURCE, OURS, 0.0)

    assert CLUSTERS_MAX == len(strangers.conflicts(0.0))
