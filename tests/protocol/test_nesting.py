"""
Prefixes in prefixes: the rules of nokia/k8s-ipam, one by one, and that what is suggested instead is allowed.

README: the section "ipam use cases" of nokia/k8s-ipam, with parents and children of each kind.
Behaviour: its pkg/backend/ipam/validator_functions.go, and apply_dynamic.go for addresses that are picked.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, parse_address, parse_range
from weaveipam.protocol.nesting import (
    ADDRESS_PARENTS,
    ADDRESS_SOURCES,
    PARENTS,
    Claim,
    Kind,
    Prefix,
    Refused,
    address_parent_of,
    claim_refusal,
    clashes,
    parent_of,
    removal_refusal,
)

AGGREGATE, NETWORK, POOL, LOOPBACK = Kind.AGGREGATE, Kind.NETWORK, Kind.POOL, Kind.LOOPBACK
KINDS = (AGGREGATE, NETWORK, POOL, LOOPBACK)


def prefix(text: str, kind: Kind, name: str = "") -> Prefix:
    """A prefix, or an address, of its text; named after its kind."""
    family, range_ = parse_range(text)
    return Prefix(name or kind.value, kind, family, range_)


TOP = prefix("10.0.0.0/8", AGGREGATE, "top")


# README: "Parents of a ... IP prefix can be of kind"; behaviour: validateParentExist, with createPrefix.
@pytest.mark.parametrize(
    ("new", "parent", "accepted"),
    [
        (AGGREGATE, AGGREGATE, True),
        (AGGREGATE, NETWORK, False),
        (AGGREGATE, POOL, False),
        (AGGREGATE, LOOPBACK, False),
        (NETWORK, AGGREGATE, True),
        (NETWORK, NETWORK, False),
        (NETWORK, POOL, False),
        (NETWORK, LOOPBACK, False),
        (POOL, AGGREGATE, True),
        (POOL, NETWORK, False),
        (POOL, POOL, True),
        (POOL, LOOPBACK, False),
        (LOOPBACK, AGGREGATE, True),
        (LOOPBACK, NETWORK, False),
        (LOOPBACK, POOL, False),
        (LOOPBACK, LOOPBACK, False),
    ],
)
@pytest.mark.parametrize(("above", "below"), [("10.1.0.0/16", "10.1.2.0/24"), ("10.1.2.0/30", "10.1.2.2/31")])
def test_kinds_of_parents(new: Kind, parent: Kind, accepted: bool, above: str, below: str) -> None:
    """A prefix is made exactly in the kinds that are its parents, whatever is above those."""
    host, wanted = prefix(above, parent), prefix(below, new)

    answer = parent_of([TOP, host], wanted)

    assert accepted == (answer == host)
    assert accepted != isinstance(answer, Refused)


# Behaviour: validateParentExist without createPrefix; loopback addresses are among its /32 and /128.
@pytest.mark.parametrize(
    ("new", "parent", "accepted"),
    [
        (AGGREGATE, AGGREGATE, False),
        (AGGREGATE, NETWORK, False),
        (AGGREGATE, POOL, False),
        (AGGREGATE, LOOPBACK, False),
        (NETWORK, AGGREGATE, False),
        (NETWORK, NETWORK, True),
        (NETWORK, POOL, False),
        (NETWORK, LOOPBACK, False),
        (POOL, AGGREGATE, True),
        (POOL, NETWORK, False),
        (POOL, POOL, True),
        (POOL, LOOPBACK, False),
        (LOOPBACK, AGGREGATE, True),
        (LOOPBACK, NETWORK, False),
        (LOOPBACK, POOL, False),
        (LOOPBACK, LOOPBACK, True),
    ],
)
@pytest.mark.parametrize(("above", "below"), [("10.1.0.0/16", "10.1.2.3"), ("2001:db8::/64", "2001:db8::7")])
def test_kinds_of_parents_of_addresses(
    new: Kind, parent: Kind, accepted: bool, above: str, below: str
) -> None:
    """An address that is asked for by its number is given exactly in the kinds that the reference takes."""
    host, wanted = prefix(above, parent), prefix(below, new)

    answer = address_parent_of([TOP, host], wanted)

    assert accepted == (answer == host)
    assert accepted != isinstance(answer, Refused)


# Behaviour: GetSelectedRouteWithPrefixLength, own kind before aggregates; validateInput for aggregates.
@pytest.mark.parametrize(
    ("kind", "sources"),
    [
        (AGGREGATE, ()),
        (NETWORK, (NETWORK, AGGREGATE)),
        (POOL, (POOL,)),
        (LOOPBACK, (LOOPBACK, AGGREGATE)),
    ],
)
def test_sources_of_addresses(kind: Kind, sources: tuple[Kind, ...]) -> None:
    """Any address is taken from its own kind first, then from an aggregate if it is no pool's."""
    assert sources == ADDRESS_SOURCES[kind]


# Behaviour: validateChildrenExist; README: "Children of a network IP prefix can be of kind: network".
@pytest.mark.parametrize("child_kind", KINDS)
@pytest.mark.parametrize("child", ["10.1.2.0/24", "10.1.2.3"])
@pytest.mark.parametrize("new", KINDS)
def test_kinds_that_are_put_above_others(new: Kind, child: str, child_kind: Kind) -> None:
    """Above what exists come aggregates, and networks if it is nothing but their addresses."""
    wanted, below = prefix("10.1.0.0/16", new), prefix(child, child_kind)

    answer = parent_of([TOP, below], wanted)

    accepted = new is AGGREGATE or (new is NETWORK and below.is_address and child_kind is NETWORK)
    assert accepted == (answer == TOP)


def test_every_child_counts() -> None:
    """A network above an address of its own and a pool is refused, whichever of them comes first."""
    address, pool = prefix("10.1.0.1", NETWORK), prefix("10.1.2.0/24", POOL)
    for existing in ([TOP, address, pool], [pool, address, TOP]):
        answer = parent_of(existing, prefix("10.1.0.0/16", NETWORK))
        assert answer == Refused(
            (
                "a network prefix is put only above its addresses, and 10.1.2.0/24 'pool' (pool) is in"
                " 10.1.0.0/16; 10.0.0.0/16 in 10.0.0.0/8 'top' is free"
            ),
        )


# Behaviour: validateNoParentExist.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [False, True])
def test_only_own_aggregates_stand_at_the_top(kind: Kind, own: bool) -> None:
    """Without a parent there are only aggregates that the network is made with."""
    answer = parent_of([prefix("10.9.0.0/16", AGGREGATE)], prefix("10.1.0.0/16", kind), own=own)

    assert (kind is AGGREGATE and own) == (answer is None)
    assert (answer is not None) == isinstance(answer, Refused)


# Behaviour: validateInput, "create prefix is not allowed with /32 for ipv4 or /128 for ipv6".
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("address", "written", "pair"),
    [("10.1.0.5", "10.1.0.5/32", "10.1.0.4/31"), ("2001:db8::", "2001:db8::/128", "2001:db8::/127")],
)
def test_an_address_is_no_prefix(kind: Kind, address: str, written: str, pair: str) -> None:
    """A /32 or a /128 is never made as a prefix, of whatever kind."""
    assert parent_of([TOP], prefix(address, kind)) == Refused(
        f"{written} is an address, no prefix; ask for it as an address, or for {pair} or larger"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again_is_refused(kind: Kind) -> None:
    """There are no two prefixes of the same addresses, of whatever kinds; families are apart."""
    held = prefix("10.1.0.0/16", POOL, "blue")

    answer = parent_of([TOP, held], prefix("10.1.0.0/16", kind))

    assert answer == Refused(
        "10.1.0.0/16 is 'blue' already, a pool prefix; 10.0.0.0/16 in 10.0.0.0/8 'top' is free"
    )
    other = prefix("::a01:0/112", AGGREGATE)
    assert other.range == held.range
    assert parent_of([TOP, held], other, own=True) is None


@pytest.mark.parametrize(
    ("existing", "new", "sentence"),
    [
        (
            [],
            ("10.1.0.0/24", NETWORK),
            (
                "a network prefix needs an aggregate above it, and nothing is above 10.1.0.0/24;"
                " add an aggregate with room for a /24 first"
            ),
        ),
        (
            [("10.2.0.0/16", AGGREGATE), ("10.2.0.0/24", POOL)],
            ("10.1.0.0/24", NETWORK),
            (
                "a network prefix needs an aggregate above it, and nothing is above 10.1.0.0/24;"
                " 10.2.1.0/24 in 10.2.0.0/16 'aggregate' is free"
            ),
        ),
        (
            [],
            ("10.1.0.0/24", AGGREGATE),
            (
                "an aggregate needs an aggregate above it unless the network is made with it, and nothing is"
                " above 10.1.0.0/24; add an aggregate with room for a /24 first"
            ),
        ),
        (
            [("10.0.0.0/8", AGGREGATE), ("10.1.0.0/16", POOL)],
            ("10.1.2.0/24", LOOPBACK),
            (
                "a loopback prefix needs an aggregate directly above it, and 10.1.2.0/24 is in"
                " 10.1.0.0/16 'pool' (pool); 10.0.255.0/24 in 10.0.0.0/8 'aggregate' is free"
            ),
        ),
        (
            [("10.0.0.0/16", AGGREGATE), ("10.0.0.0/17", NETWORK), ("10.0.128.0/17", NETWORK)],
            ("10.0.1.0/24", POOL),
            (
                "a pool prefix needs a pool prefix or an aggregate directly above it, and 10.0.1.0/24 is in"
                " 10.0.0.0/17 'network' (network); add a pool prefix or an aggregate with room for a /24"
                " first"
            ),
        ),
        (
            [("10.0.0.0/8", AGGREGATE), *((f"10.0.{part}.0/24", POOL) for part in range(5))],
            ("10.0.0.0/16", POOL),
            (
                "a pool prefix is never put above anything, and 10.0.0.0/24 'pool' (pool),"
                " 10.0.1.0/24 'pool' (pool), 10.0.2.0/24 'pool' (pool) and 2 more are in 10.0.0.0/16;"
                " 10.1.0.0/16 in 10.0.0.0/8 'aggregate' is free"
            ),
        ),
    ],
)
def test_the_sentences(existing: list[tuple[str, Kind]], new: tuple[str, Kind], sentence: str) -> None:
    """A refusal says which rule is broken, by what, and the nearest thing that would work."""
    assert parent_of([prefix(*one) for one in existing], prefix(*new)) == Refused(sentence)


@pytest.mark.parametrize(
    ("existing", "new", "sentence"),
    [
        (
            [],
            ("10.1.0.5", NETWORK),
            (
                "an address of kind network needs a network prefix directly above it, and 10.1.0.5 is in"
                " no prefix; there is none of IPv4, add one first"
            ),
        ),
        (
            [("10.0.0.0/8", AGGREGATE), ("10.0.1.0/24", NETWORK), ("10.9.0.0/24", NETWORK)],
            ("10.1.0.5", NETWORK),
            (
                "an address of kind network needs a network prefix directly above it, and 10.1.0.5 is in"
                " 10.0.0.0/8 'aggregate' (aggregate); 10.0.1.0/24 'network' would do"
            ),
        ),
        (
            [("10.0.0.0/8", AGGREGATE)],
            ("10.1.0.5", AGGREGATE),
            "an aggregate is never an address; ask for an address of kind network, pool or loopback",
        ),
        (
            [("10.0.1.0/24", POOL), ("10.0.1.5", POOL)],
            ("10.0.1.5", POOL),
            "10.0.1.5 'pool' is there already; ask for another address of 10.0.1.0/24 'pool'",
        ),
    ],
)
def test_the_sentences_for_addresses(
    existing: list[tuple[str, Kind]], new: tuple[str, Kind], sentence: str
) -> None:
    """An address that cannot be where it is says what it needs, and which prefix would do."""
    assert address_parent_of([prefix(*one) for one in existing], prefix(*new)) == Refused(sentence)


def test_what_has_something_in_it_stays() -> None:
    """A prefix with prefixes or addresses in it is not removed, and the outermost of them are named."""
    pool, inner, address = prefix("10.1.0.0/16", POOL), prefix("10.1.2.0/24", POOL), prefix("10.1.2.3", POOL)
    existing = [TOP, address, inner, pool, prefix("::a01:0/112", AGGREGATE)]

    assert removal_refusal(existing, TOP) == Refused(
        "10.1.0.0/16 'pool' (pool) is in 10.0.0.0/8 'top'; what is in it is removed first"
    )
    assert removal_refusal(existing, inner) == Refused(
        "10.1.2.3 'pool' (pool) is in 10.1.2.0/24 'pool'; what is in it is removed first"
    )
    assert removal_refusal(existing, address) is None
    assert removal_refusal([TOP, inner, pool], inner) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [("10.0.0.0-10.0.0.9", "10.0.0.0/29, 10.0.0.8/31"), ("::1-::2", "::1, ::2")],
)
def test_a_prefix_is_a_cidr(text: str, parts: str) -> None:
    """Ranges that are no CIDR, which could overlap without being inside of each other, are no prefixes."""
    with pytest.raises(ValueError, match=re.escape(f"{text} is no CIDR, but is made of {parts}")):
        prefix(text, POOL)


def claim(kind: Kind, text: str = "", *, creates: bool = False, length: int | None = None) -> Claim:
    """A claim of an address with its length, or of any."""
    if not text:
        return Claim(kind, creates, length=length)
    address, _, written = text.partition("/")
    return Claim(kind, creates, *parse_address(address), int(written))


# Behaviour: validateInput.
@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (claim(AGGREGATE), "an aggregate is nothing to be picked"),
        (claim(AGGREGATE, creates=True, length=24), "an aggregate is nothing to be picked"),
        (claim(NETWORK), None),
        (claim(LOOPBACK), None),
        (claim(POOL), "of kind pool only prefixes are picked"),
        (claim(NETWORK, creates=True), "a prefix that is to be picked needs a length"),
        (claim(POOL, creates=True), "a prefix that is to be picked needs a length"),
        (claim(NETWORK, length=24), "an address has no length"),
        (claim(POOL, length=24), "an address has no length"),
        (claim(NETWORK, creates=True, length=24), None),
        (claim(POOL, creates=True, length=24), None),
        (claim(LOOPBACK, creates=True, length=24), None),
        (claim(AGGREGATE, "10.0.0.0/32"), "10.0.0.0/32 is an address, and an aggregate is none"),
        (claim(NETWORK, "10.0.0.5/32"), "an address of a network is written with the length of its subnet"),
        (claim(NETWORK, "2001:db8::5/128"), "an address of a network is written with the length of its"),
        (claim(POOL, "10.0.0.5/32"), None),
        (claim(LOOPBACK, "10.0.0.5/32"), None),
        (claim(LOOPBACK, "2001:db8::5/128"), None),
        (
            claim(AGGREGATE, "10.0.0.1/8", creates=True),
            "only a network is written with an address in it; for",
        ),
        (
            claim(POOL, "10.0.0.1/8", creates=True),
            "only a network is written with an address in it; for 10.0.0.1/8",
        ),
        (claim(LOOPBACK, "10.0.0.1/24"), "only a network is written with an address in it"),
        (claim(NETWORK, "10.0.0.1/24"), None),
        (claim(NETWORK, "10.0.0.1/24", creates=True), None),
        (claim(AGGREGATE, "10.0.0.0/8", creates=True), None),
        (claim(POOL, "2001:db8::/64", creates=True), None),
        (claim(NETWORK, "10.0.0.0/0", creates=True), None),
        *(
            (claim(kind, "10.0.0.5/32", creates=True), "10.0.0.5/32 is an address, no prefix")
            for kind in KINDS
        ),
        *((claim(kind, "::5/128", creates=True), "::5/128 is an address, no prefix") for kind in KINDS),
    ],
)
def test_claims(asked: Claim, problem: str | None) -> None:
    """What makes no sense wherever it would be is refused as the reference refuses it, all else is not."""
    answer = claim_refusal(asked)

    assert (problem is None) == (answer is None)
    assert str(answer or "").startswith(problem or "")


def test_the_cidr_that_was_meant() -> None:
    """Host bits where there may be none are answered with the prefix that was meant."""
    answer = claim_refusal(claim(POOL, "10.1.2.3/16", creates=True))

    assert answer == Refused(
        "only a network is written with an address in it; for 10.1.2.3/16 say 10.1.0.0/16"
    )


@st.composite
def some_prefix(draw: st.DrawFn) -> Prefix:
    """Any prefix or address among 32 addresses of either family."""
    size = 1 << draw(st.integers(0, 5))
    start = draw(st.integers(0, 31)) // size * size
    kind, family = draw(st.sampled_from(Kind)), draw(st.sampled_from(Family))
    return Prefix(draw(st.sampled_from("abc")), kind, family, Range(start, start + size))


def placed(held: list[Prefix], one: Prefix) -> Prefix | Refused | None:
    """What is above a prefix or an address, or why it cannot be."""
    return address_parent_of(held, one) if one.is_address else parent_of(held, one, own=True)


def grown(steps: list[tuple[Prefix, bool]]) -> list[Prefix]:
    """What is there after each was added, or removed, if that was not refused."""
    held: list[Prefix] = []
    for one, away in steps:
        if away:
            held = [other for other in held if other != one or removal_refusal(held, other)]
        elif not isinstance(placed(held, one), Refused):
            held.append(one)
    return held


def plain_parent(held: list[Prefix], one: Prefix) -> Prefix | None:
    """The longest match, looked for among all."""
    mine = set(range(one.range.start, one.range.stop))
    above = [
        other
        for other in held
        if other.family is one.family and mine < set(range(other.range.start, other.range.stop))
    ]
    return min(above, key=lambda other: other.range.size, default=None)


GROWN = st.lists(st.tuples(some_prefix(), st.integers(0, 4).map(lambda one: one == 0)), max_size=25).map(
    grown
)


@given(GROWN)
def test_whatever_was_allowed_is_nested_by_the_table(held: list[Prefix]) -> None:
    """Prefixes that come and go in any order always stand directly in a kind that they may stand in."""
    for one in held:
        parent = plain_parent(held, one)
        if parent is None:
            assert one.kind is AGGREGATE
        else:
            assert parent.kind in (ADDRESS_PARENTS if one.is_address else PARENTS)[one.kind]
    assert len(held) == len({(one.family, one.range) for one in held})


@given(GROWN, some_prefix())
def test_the_parent_is_the_longest_match(held: list[Prefix], new: Prefix) -> None:
    """Whatever is accepted has as its parent the smallest prefix that it is a part of."""
    answer = placed(held, new)

    if not isinstance(answer, Refused):
        assert answer == plain_parent(held, new)


@pytest.mark.slow
@given(GROWN, some_prefix())
def test_what_is_suggested_would_work(held: list[Prefix], new: Prefix) -> None:
    """A block that a refusal calls free has the length that was asked for, and is accepted where it says."""
    answer = parent_of(held, new)
    found = re.search(r"; (\S+) in (\S+) '\w' is free$", str(answer))
    if found:
        better = Prefix(new.name, new.kind, *parse_range(found[1]))
        host = parent_of(held, better)
        assert better.range.size == new.range.size
        assert isinstance(host, Prefix)
        assert host.cidr == found[2]


@pytest.mark.slow
@given(st.lists(some_prefix(), max_size=8))
def test_all_at_once(prefixes: list[Prefix]) -> None:
    """The prefixes of a new network clash unless they could come one by one, the larger first."""
    larger_first = sorted(prefixes, key=lambda one: (-one.range.size, one.name, one.kind))
    one_by_one = [
        one
        for at, one in enumerate(larger_first)
        if isinstance(parent_of(larger_first[:at], one, own=True), Refused)
    ]

    sentences = clashes(prefixes)

    assert len(one_by_one) == len(sentences)
    assert sentences == clashes(prefixes[::-1])
    assert "None" not in "".join(sentences)
