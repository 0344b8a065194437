"""What is claimed for addresses in use that were found elsewhere."""

from __future__ import annotations

from ring.address import parse_address
from weaveipam.migration.entries import ADDRESSES_MAX, Attachment, Claim, Entry, claims_of, short

ONE, TWO, SIX = (parse_address(text) for text in ("10.0.0.1", "10.0.0.2", "fd00::1"))


def key_of(attachment: Attachment) -> str:
    """A key, but not for the container `bad`."""
    if attachment.container_id == "bad":
        raise ValueError("bad is no container id")
    return f"{attachment.container_id}/{attachment.ifname}"


def test_the_addresses_of_one_key_are_claimed_together() -> None:
    """One claim has all that a key has, sorted, each once, and says where each was found first."""
    pod = Attachment("c", "eth0")
    found = [Entry("1", SIX, pod), Entry("2", ONE, pod), Entry("3", TWO, "k"), Entry("4", ONE, pod)]
    claims, faults = claims_of(found, key_of)

    assert (Claim("c/eth0", ((ONE, "2"), (SIX, "1"))), Claim("k", ((TWO, "3"),))) == claims
    assert () == faults
    assert (ONE, SIX) == claims[0].addresses


def test_an_address_of_two_keys_goes_to_the_first() -> None:
    """The second one is a fault that names both."""
    claims, faults = claims_of([Entry("1", ONE, "k"), Entry("2", ONE, "l"), Entry("3", TWO, "l")], key_of)

    assert ["k", "l"] == [one.key for one in claims]
    assert [("2", "10.0.0.1 is there twice, for 'k' and for 'l'", ONE)] == [
        (one.where, one.detail, one.address) for one in faults
    ]


def test_what_can_have_no_key_is_a_fault() -> None:
    """A container whose id no call could name is told with its address, and the others are claimed."""
    claims, faults = claims_of([Entry("1", ONE, Attachment("bad")), Entry("2", TWO, "k")], key_of)

    assert ["k"] == [one.key for one in claims]
    assert [("1", "bad is no container id", ONE)] == [(one.where, one.detail, one.address) for one in faults]


def test_a_key_has_only_so_many_addresses() -> None:
    """More than an allocation can have are not claimed at all, and each of them is told."""
    found = [Entry("x", (ONE[0], number), "k") for number in range(ADDRESSES_MAX + 1)]

    assert ((), ADDRESSES_MAX + 1) == (claims_of(found, key_of)[0], len(claims_of(found, key_of)[1]))
    assert 1 == len(claims_of(found[1:], key_of)[0])


def test_what_was_read_is_repeated_cut_and_harmless() -> None:
    """However long it is and whatever is in it, a sentence stays one line of ASCII."""
    said = short("\n\x1bä" + "x" * 1000)

    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 150
