"""What the demonstration prints."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from ring.address import parse_cidr
from simulations.hosts.story import Story, size_of

RUNS = [
    {"range": "10.0.0.0/25", "owner": "alpha"},
    {"range": "10.0.0.128-10.0.0.191", "owner": "beta"},
    {"range": "10.0.0.192/26", "owner": "alpha"},
]


def tell() -> tuple[Story, io.StringIO]:
    """A story and its text."""
    text = io.StringIO()
    return Story(("alpha", "beta"), Console(file=text, width=100)), text


def test_a_story_without_claims_did_not_hold() -> None:
    """Nothing shown is no success."""
    assert not tell()[0].held


def test_one_broken_claim_breaks_the_story() -> None:
    """A claim that does not hold is marked where it was made and again in the summary, and decides."""
    story, text = tell()
    story.claim("first", held=True)
    story.claim("second", held=False, evidence="saw [x]")
    story.summary()

    assert not story.held
    assert text.getvalue().count("✗") == 2
    assert text.getvalue().count("saw [x]") == 2
    assert "1 of 2 did not hold" in text.getvalue()


def test_the_strip_shows_owners_in_their_places() -> None:
    """Each cell of the picture carries the first letter of who owns its first address."""
    story, text = tell()
    story.ring("10.0.0.0/24", RUNS, {"alpha": 3})

    assert "a" * 32 + "b" * 16 + "a" * 16 in text.getvalue()


def test_addresses_nobody_owns_are_shown_as_such() -> None:
    """A gap in the ring is a dash."""
    story, text = tell()
    story.ring("10.0.0.0/24", RUNS[:1], {})

    assert "a" * 32 + "-" * 32 in text.getvalue()


def test_size_counts_an_owners_addresses_in_a_range() -> None:
    """Runs are clipped to the range, and those of others left out."""
    assert size_of(RUNS, "alpha", parse_cidr("10.0.0.64/26")[1]) == 64
    assert size_of(RUNS, "alpha", parse_cidr("10.0.0.0/24")[1]) == 192
    assert size_of(RUNS, "beta", parse_cidr("10.0.0.0/24")[1]) == 64


def test_what_was_printed_can_be_kept(tmp_path: Path) -> None:
    """A saved story holds its lines, without colours."""
    story = Story(("alpha",), Console(file=io.StringIO(), record=True, force_terminal=True))
    story.claim("first", held=False)
    story.save(tmp_path / "story.txt")

    assert (tmp_path / "story.txt").read_text().strip() == "✗ first"
