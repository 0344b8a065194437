"""Everybody is spoken to in a version that he reads, or is told that there is none."""

from __future__ import annotations

from ring.ring import Peer
from weaveipam.gossip.versions import (
    ANSWER_INTERVAL_S,
    ANSWERS_MAX,
    FLUENT_MAX,
    REPORT_INTERVAL_S,
    REPORTS_MAX,
    Versions,
)
from weaveipam.protocol.codec import WIRE, Schema, Wire
from weaveipam.protocol.effects import Level
from weaveipam.protocol.messages import Header
from weaveipam.protocol.values import Endpoint

SECOND = Wire(Schema(2, since={"Ping.hints": 2, "Ping.stream": 2}))
THIRD = Wire(Schema(3, since={"Ping.hints": 2, "Ping.stream": 2}))


def header(name: str, speaks: int) -> Header:
    """Of a packet from a host of that name."""
    return Header(bytes(8), Peer(name, 1), Endpoint(name, 1), speaks)


def spoken(versions: Versions, name: str) -> int:
    """The version in which a host is spoken to."""
    return versions.dialect(Endpoint(name, 1)).version


def test_the_common_version_until_more_is_known() -> None:
    """A stranger is spoken to in the version before ours; who speaks ours or more, in ours."""
    versions = Versions(SECOND)
    assert spoken(versions, "a") == 1

    for speaks, expected in ((1, 1), (2, 2), (3, 2)):
        versions.heard(header("a", speaks))

        assert spoken(versions, "a") == expected


def test_forgotten_after_a_downgrade() -> None:
    """Who speaks less than before is spoken to in the version before again, and others are not."""
    versions = Versions(SECOND)
    for name in ("a", "b"):
        versions.heard(header(name, 2))
    versions.heard(header("a", 1))

    assert (1, 2) == (spoken(versions, "a"), spoken(versions, "b"))


def test_the_first_version_is_spoken_to_all() -> None:
    """A release whose version is the first has no other to speak, and remembers nobody."""
    versions = Versions(WIRE)
    versions.heard(header("a", 2))

    assert spoken(versions, "a") == 1
    assert not versions._fluent


def test_what_is_remembered_is_bounded() -> None:
    """However many speak our version, only so many are remembered, and of the others nothing is lost."""
    versions = Versions(SECOND)
    for number in range(FLUENT_MAX + 1):
        versions.heard(header(f"n{number}", 2))

    assert len(versions._fluent) == FLUENT_MAX
    assert spoken(versions, "n0") == 1
    assert spoken(versions, f"n{FLUENT_MAX}") == 2


def test_who_was_not_understood_is_answered() -> None:
    """A peer that speaks one version more is shown what is spoken here, once in a while."""
    versions = Versions(SECOND)
    newer = header("a", 3)

    answered, (report,) = versions.not_understood(newer, 10.0)
    assert answered
    assert (report.event, report.level) == ("version-shown", Level.DEBUG)
    assert versions.not_understood(newer, 10.0 + ANSWER_INTERVAL_S / 2) == (False, [])
    assert versions.not_understood(header("b", 3), 10.5)[0]
    assert versions.not_understood(newer, 10.0 + ANSWER_INTERVAL_S)[0]


def test_who_speaks_neither_version_is_reported() -> None:
    """A peer two releases away is reported once a minute, in either direction, and never answered."""
    for wire, speaks in ((SECOND, 4), (THIRD, 1)):
        versions = Versions(wire)
        far = header("a", speaks)
        answered, (report,) = versions.not_understood(far, 10.0)

        assert not answered
        assert report.event == "wire-version"
        assert dict(report.fields)["peer"] == str(far.sender)
        assert dict(report.fields)["theirs"] == speaks
        assert dict(report.fields)["ours"] == wire.own.version
        assert versions.not_understood(far, 10.0 + REPORT_INTERVAL_S / 2) == (False, [])
        assert len(versions.not_understood(far, 10.0 + REPORT_INTERVAL_S)[1]) == 1


def test_made_up_names_are_not_worth_the_trouble() -> None:
    """However many names are not understood, answers and reports stay few."""
    versions = Versions(SECOND)
    near = [versions.not_understood(header(f"n{number}", 3), 10.0)[0] for number in range(1000)]
    far = [versions.not_understood(header(f"n{number}", 9), 10.0)[1] for number in range(1000)]

    assert sum(near) == ANSWERS_MAX
    assert sum(map(len, far)) == REPORTS_MAX
