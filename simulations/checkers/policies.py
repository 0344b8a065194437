"""
What pools say of who gets which of their addresses is kept, whoever asks and however.

Of a pool that was changed all that it ever was may count, as a daemon that is out of reach hears of it late.
A key is judged by its first answer: its daemon may hand it over to one that pools do not select.
Does not know who owns what, nor what is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ring.address import Family, Range, subtract
from ring.ring import Peer
from simulations.checkers.base import Address, Questions, shown
from simulations.facts import Asked, Began, Changing, Emptied, Fact, Forgot, Given, Refused
from weaveipam.protocol.requests import Allocate, Subject, Want
from weaveipam.protocol.selectors import parse_selector
from weaveipam.protocol.values import Pool, PoolRange, RingId

Labels = tuple[tuple[str, str], ...]

WRONG = frozenset({"invalid", "no-such-pool"})
"""Why a request is refused that can never be met as pools are."""


class Policies:
    """Judges what is given, and what is refused as impossible."""

    name = "policies"

    def __init__(self) -> None:
        self._questions = Questions()
        self._seen: dict[str, list[Pool]] = {}
        """What each pool may ever have been."""
        self._changing: set[str] = set()
        """Networks of which a pool was ever to be changed."""
        self._told: set[str] = set()
        """Keys that were given something."""
        self._lives: dict[str, Peer] = {}
        """Whom each key asked first."""
        self._left: set[str] = set()
        """Keys that were to be given back, and may hold nothing even when they are told that they do."""
        self._used: dict[Peer, dict[str, tuple[Address, ...]]] = {}
        """What pods' keys surely hold that a life of a daemon gave them itself."""

    def hear(self, fact: Fact) -> Iterator[str]:
        """As `Checker.hear`."""
        asked = self._questions.hear(fact)
        match fact:
            case Began():
                self._seen = {pool.name: [pool] for pool in fact.pools}
            case Changing():
                self._change(fact)
            case Asked():
                self._ask(fact)
            case Given() if asked is not None and asked.wish is not None:
                yield from self._judge(asked, asked.wish, fact)
            case Refused() if asked is not None and asked.wish is not None and fact.reason in WRONG:
                if self._is_possible(asked.wish, asked.node_labels):
                    yield f"{asked.machine} refused {asked.key} what pools allow: {fact.detail}"
            case Emptied() | Forgot():
                for life in [one for one in self._used if one.name == fact.machine]:
                    del self._used[life]
            case _:
                pass

    def _change(self, fact: Changing) -> None:
        seen = self._seen.setdefault(fact.name, [])
        pools = [*seen, *([] if fact.wanted is None else [fact.wanted])]
        self._changing.update(pool.network for pool in pools)
        if fact.wanted is not None and fact.wanted not in seen:
            seen.append(fact.wanted)

    def _ask(self, asked: Asked) -> None:
        self._lives.setdefault(asked.key, asked.life)
        if not asked.give:
            self._left.add(asked.key)
            for used in self._used.values():
                used.pop(asked.key, None)

    # What is given

    def _judge(self, asked: Asked, wish: Allocate, given: Given) -> Iterator[str]:
        if asked.key in self._told:
            return
        self._told.add(asked.key)
        wants = wish.wants or (Want(),) * len(given.addresses)
        if len(wants) != len(given.addresses):
            yield f"{asked.key} wants {len(wants)} addresses, and was given {len(given.addresses)}"
            return
        for want, address in zip(wants, given.addresses, strict=True):
            told = f"{asked.machine} gave {shown(address)} to {asked.key}"
            found = [
                _broken(pool, one, wish, want, address, asked.node_labels) for pool, one in self._at(address)
            ]
            if found and all(found):
                yield f"{told}, but {found[0]}"
            expected = self._particular(wish, want, address[0].family, asked.node_labels)
            if expected is not None and address[1] != expected:
                yield f"{told}, who should have {shown((address[0], expected))}"
        yield from self._count(asked, wish, given)

    def _at(self, address: Address) -> Iterator[tuple[Pool, PoolRange]]:
        """The pools, as they may be or have been, that an address is in, and in which of their ranges."""
        ring, held = address
        for pools in self._seen.values():
            for pool in pools:
                for one in pool.ranges:
                    if RingId(pool.network, one.family) == ring and one.range.covers(held):
                        yield pool, one

    def _particular(self, wish: Allocate, want: Want, family: Family, node_labels: Labels) -> Range | None:
        """The address that a want is about by its number, or by the name; None: any, or that is not known."""
        if wish.network in self._changing or want.within or want.prefix_length is not None:
            return None
        pools = self._serving(wish, want, node_labels)
        if want.index is not None:
            carrying = (pool for pool in pools if any(one.family is family for one in pool.ranges))
            return next((_numbered(pool, family, want.index) for pool in carrying), None)
        kept = (one for pool in pools for one in pool.preallocations)
        mine = (one.address for one in kept if one.name == wish.name and one.family is family)
        return next((Range(one, one + 1) for one in mine), None)

    def _serving(self, wish: Allocate, want: Want, node_labels: Labels) -> list[Pool]:
        """The pools that may serve a want, in the order in which they are tried, where none was changed."""
        pools = [
            seen[0] for _, seen in sorted(self._seen.items()) if seen and seen[0].network == wish.network
        ]
        named = [pool for name in want.pools for pool in pools if pool.name == name]
        if want.pools and not want.fallback:
            return named
        others = [pool for pool in pools if not _unserved(pool, wish, _unnamed(want), node_labels)]
        if not want.selector or want.pools:
            others.sort(key=lambda pool: not any(_selectors(pool)))
        return [*named, *(pool for pool in others if pool not in named)]

    def _count(self, asked: Asked, wish: Allocate, given: Given) -> Iterator[str]:
        """
        Whether a daemon has given more of a pool than it may.

        Only what it gave to pods counts: what is durable may have been handed over, to it or by it.  Nor does
        what was given for a time, which may be over.
        """
        lasts = not wish.durable and given.held_s is None
        if not lasts or asked.key in self._left or self._lives[asked.key] != asked.life:
            return
        used = self._used.setdefault(asked.life, {})
        used[asked.key] = given.addresses
        for name in sorted({pool.name for address in given.addresses for pool, _ in self._at(address)}):
            limits = [pool.node_limit for pool in self._seen[name]]
            if None in limits:
                continue
            count = sum(
                held[1].size
                for addresses in used.values()
                for held in addresses
                if {pool.name for pool, _ in self._at(held)} == {name}
            )
            most = max(limit for limit in limits if limit is not None)
            if count > most:
                yield f"{asked.machine} has given {count} addresses of {name}, whose node_limit is {most}"

    # What is refused

    def _is_possible(self, wish: Allocate, node_labels: Labels) -> bool:
        """Whether pools, as long as they were never changed, allow all that is wanted; if in doubt not."""
        wants = wish.wants or (Want(),)
        return wish.network not in self._changing and all(
            self._is_one_possible(wish, want, node_labels) for want in wants
        )

    def _is_one_possible(self, wish: Allocate, want: Want, node_labels: Labels) -> bool:
        if want.prefix_length is not None:
            return False
        carried = [
            (pool, one)
            for pool in self._serving(wish, want, node_labels)
            for one in pool.ranges
            if want.family in {None, one.family}
        ]
        if want.within:
            return any(
                not _broken(pool, one, wish, want, (RingId(pool.network, one.family), each), node_labels)
                for pool, one in carried
                for each in want.within
                if one.range.covers(each)
            )
        if want.index is None:
            return any(subtract((one.range,), one.excluded) for _, one in carried)
        number = None if want.family is None else self._particular(wish, want, want.family, node_labels)
        return number is not None and any(
            one.range.covers(number) and not _kept_from(pool, one, wish, want, number)
            for pool, one in carried
        )


def _unnamed(want: Want) -> Want:
    """What serves in place of the pools that a want names."""
    return Want(want.family, (), want.within, want.prefix_length, "" if want.pools else want.selector)


def _broken(
    pool: Pool, one: PoolRange, wish: Allocate, want: Want, address: Address, node_labels: Labels
) -> str:
    """Which rule of a pool keeps a client from an address in one of its ranges; empty if none does."""
    ring, held = address
    if want.family not in {None, ring.family}:
        return f"IPv{want.family} was wanted"
    if want.within and not any(each.covers(held) for each in want.within):
        return "wanted another one"
    return _kept_from(pool, one, wish, want, held) or _unserved(pool, wish, want, node_labels)


def _kept_from(pool: Pool, one: PoolRange, wish: Allocate, want: Want, held: Range) -> str:
    exact = want.index is not None or want.within == (held,)
    if any(each.meet(held) for each in one.excluded):
        return f"pool {pool.name} excludes it"
    mine = {each.address for each in pool.preallocations if each.name == wish.name}
    for each in pool.preallocations:
        if each.family is one.family and each.address in held and each.name != wish.name:
            return f"pool {pool.name} keeps it for {each.name}"
    if not exact and held.start not in mine and any(each.meet(held) for each in one.reserved):
        return f"it is reserved in pool {pool.name}, and was not asked for"
    return ""


def _unserved(pool: Pool, wish: Allocate, want: Want, node_labels: Labels) -> str:
    """Why a pool does not serve a want; empty if it does."""
    if pool.name in want.pools:
        return ""
    if want.pools and not want.fallback:
        return f"pool {pool.name} was not named"
    if want.selector and not want.pools:
        matches = parse_selector(want.selector).matches(dict(pool.labels))
        return "" if matches else f"pool {pool.name} was not selected"
    if len(want.within) == 1 and want.within[0].size == 1:
        return ""
    if pool.manual:
        return f"pool {pool.name} is manual"
    told = _told(wish.subject, node_labels)
    if all(parse_selector(text).matches(labels) for text, labels in zip(_selectors(pool), told, strict=True)):
        return ""
    return f"pool {pool.name} does not select who asked"


def _selectors(pool: Pool) -> Sequence[str]:
    return pool.node_selector, pool.namespace_selector, pool.pod_selector


def _told(subject: Subject, node_labels: Labels) -> Sequence[Mapping[str, str]]:
    return dict(node_labels), dict(subject.namespace_labels), dict(subject.labels)


def _numbered(pool: Pool, family: Family, index: int) -> Range | None:
    """The address of a number, counted over a pool's ranges of a family."""
    left = index
    for one in pool.ranges:
        if one.family is family:
            if left < one.range.size:
                return Range(one.range.start + left, one.range.start + left + 1)
            left -= one.range.size
    return None
