"""
Taking over addresses: what was found elsewhere is claimed here, key by key, and what became of it is shown.

Does not know where it was found.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from cni.keys import attachment_key
from ring.address import Family, Range, format_address, parse_address, parse_range
from weaveipam.cli.client import Client, RefusedError, UnreachableError, path_of
from weaveipam.cli.common import Failure, Unreachable, said_socket
from weaveipam.cli.output import Column, Table, emit
from weaveipam.migration.entries import Address, Claim, Findings, claims_of
from weaveipam.protocol.values import DEFAULT_NETWORK

PROGRESS_S = 2.0
"""Between two lines that say how far it is."""

COLUMNS = (Column("address"), Column("key"), Column("reason"), Column("detail"), Column("where"))


class Outcome(StrEnum):
    """What became of an address."""

    TAKEN = "taken"
    """It is its key's now; in a dry run: it would be asked for."""
    HELD = "held"
    """Its key had it already."""
    FAILED = "failed"


class Why(NamedTuple):
    """Why an address cannot be had."""

    reason: str
    """The `type` of a problem document."""
    detail: str


@dataclass(frozen=True, slots=True)
class Wish:
    """How to claim."""

    cni_network: str
    """Part of the keys of attachments."""
    ifname: str
    """Of attachments whose interface is not known."""
    network: str | None
    """The instance to claim in; None: the default one."""
    pool: str | None
    """The only pool to claim from; None: any."""
    durable: bool
    dry_run: bool
    """Whether to claim nothing, and to say what would become of it, as far as that can be known."""


def take(found: Findings, wish: Wish) -> None:
    """
    Claims what was found, and prints what became of it; asks nobody if there is nothing to claim.

    Raises:
        Failure: something could not be taken over, and was printed; or there is no daemon that could.
    """
    claims, faults = claims_of(
        found.entries,
        lambda one: attachment_key(wish.cni_network, one.container_id, one.ifname or wish.ifname),
    )
    rows = [
        _row(one.address, None, Why("invalid", one.detail), one.where) for one in (*found.faults, *faults)
    ]
    client = Client.of(said_socket(), os.environ)
    try:
        if claims:
            taker = Taker(client, wish)
            rows += [row for claim in _counted(claims) for row in taker.take(claim)]
    except UnreachableError as error:
        raise Unreachable(str(error)) from None
    except RefusedError as error:
        raise Failure(str(error)) from None
    _show(found.facts, rows, dry_run=wish.dry_run)


class _Pool(NamedTuple):
    disabled: bool
    aside: tuple[tuple[Family, Range], ...]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From the daemon's description."""
        aside = [*document["excluded"], *document["gateways"]]
        return cls(document["disabled"], tuple(parse_range(one) for one in aside))

    def sets_aside(self, address: Address) -> bool:
        """Whether the pool never gives an address out."""
        return any(family is address[0] and address[1] in what for family, what in self.aside)


class Taker:
    """Claims at one daemon, as it and the others are at first."""

    def __init__(self, client: Client, wish: Wish) -> None:
        """
        Asks the daemon how it is.

        Raises:
            RefusedError, UnreachableError: there is no answer.
            Failure: it is not ready.
        """
        self._client = client
        self._wish = wish
        self._network = {} if wish.network is None else {"network": wish.network}
        status = client.ask("GET", "/v1/status")
        if not status["ready"]:
            raise Failure(f"the daemon is not ready: {status['why_not_ready'] or status['state']}")
        self._alive = {
            (one["name"], one["incarnation"])
            for one in client.ask("GET", "/v1/members")
            if one["state"] in {"alive", "suspect"}
        }
        self._held = {
            one["key"]: _addresses(one)
            for one in client.ask("GET", "/v1/allocations")
            if one["network"] == (wish.network or DEFAULT_NETWORK)
        }
        self._pools = {one["name"]: _Pool.of(one) for one in client.ask("GET", "/v1/pools")}

    def take(self, claim: Claim) -> list[dict[str, Any]]:
        """
        What became of each address of a claim.

        Those that can be had are taken although others cannot: an address in use that nobody has here would
        be given to somebody else.

        Raises:
            UnreachableError: the daemon has gone.
        """
        held = self._held.get(claim.key, ())
        left = tuple(one for one in claim.addresses if one not in held)
        whys = {one: why for one in left if (why := self._why_not(claim.key, one)) is not None}
        left = tuple(one for one in left if one not in whys)
        if held and left:
            has = ", ".join(format_address(*one) for one in held)
            whys |= dict.fromkeys(left, Why("conflict", f"the key has {has} already; release that first"))
        elif left and not self._wish.dry_run:
            whys |= self._claim(claim.key, left)
        return [
            _row(one, claim.key, whys.get(one), where, Outcome.HELD if one in held else Outcome.TAKEN)
            for one, where in claim.places
        ]

    def _why_not(self, key: str, address: Address) -> Why | None:
        """What is known to be in the way of one address, without waiting for anybody."""
        target = path_of("v1", "lookup", format_address(*address))
        try:
            found = self._client.ask("GET", f"{target}?{urlencode(self._network)}")
        except RefusedError as error:
            return _why(error)
        allocation, pool, owner = found["allocation"], found["pool"], found["owner"]
        if allocation is not None and allocation["key"] != key:
            return Why("in-use", f"key {allocation['key']} has it here")
        if pool is None or self._wish.pool not in {None, pool}:
            return Why("invalid", f"it is in pool {pool}" if pool else "it is in no pool")
        if pool in self._pools and self._pools[pool].sets_aside(address):
            return Why("invalid", f"it is set aside in pool {pool}")
        if pool in self._pools and self._pools[pool].disabled:
            return Why("invalid", f"pool {pool} is disabled")
        if owner is not None and (owner, found["owner_incarnation"]) not in self._alive:
            return Why("not-owner", f"it is owned by {owner}, which is unreachable")
        return None

    def _claim(self, key: str, addresses: tuple[Address, ...]) -> dict[Address, Why]:
        """
        Claims addresses all at once, as a key gets no more later; or all but one, if only that is refused.

        Returns:
            What was refused.
        """
        refused = self._refusal(key, addresses)
        if refused is None:
            return {}
        for one in addresses if addresses[1:] else ():
            others = tuple(other for other in addresses if other != one)
            if self._refusal(key, others) is None:
                return {one: refused}
        return dict.fromkeys(addresses, refused)

    def _refusal(self, key: str, addresses: tuple[Address, ...]) -> Why | None:
        body = {
            "key": key,
            "addresses": [format_address(*one) for one in addresses],
            "pool": self._wish.pool,
            "durable": self._wish.durable,
            **self._network,
        }
        try:
            self._client.ask("POST", "/v1/allocations", body)
        except RefusedError as error:
            return _why(error)
        return None


def _why(error: RefusedError) -> Why:
    reason, _, detail = str(error).partition(": ")
    return Why(reason, detail)


def _addresses(allocation: Mapping[str, Any]) -> tuple[Address, ...]:
    """The single addresses of an allocation, sorted; no claim is for a block."""
    single = [one["address"] for one in allocation["addresses"] if one["range"] == one["address"]]
    return tuple(sorted(parse_address(one) for one in single))


def _row(
    address: Address | None, key: str | None, why: Why | None, where: str, well: Outcome = Outcome.TAKEN
) -> dict[str, Any]:
    return {
        "address": None if address is None else format_address(*address),
        "key": key,
        "outcome": str(well if why is None else Outcome.FAILED),
        "reason": None if why is None else why.reason,
        "detail": None if why is None else why.detail,
        "where": where,
    }


def _counted(claims: Sequence[Claim]) -> Iterator[Claim]:
    """The claims; says from time to time how far it is."""
    said_at = time.monotonic()
    for count, claim in enumerate(claims):
        if time.monotonic() - said_at >= PROGRESS_S:
            said_at = time.monotonic()
            print(f"weaveipam: {count} of {len(claims)} keys", file=sys.stderr)
        yield claim


def _show(facts: Mapping[str, str], rows: list[dict[str, Any]], *, dry_run: bool) -> None:
    """Prints all of it; raises Failure if there is anything that failed."""
    counts = Counter(row["outcome"] for row in rows)
    counted = {str(one): counts[one] for one in Outcome}
    document = {"dry_run": dry_run, "addresses": rows, "facts": dict(facts), **counted}
    failed = [row for row in rows if row["outcome"] == Outcome.FAILED]
    names = (
        ("would be taken", "held already", "would fail") if dry_run else ("taken", "held already", "failed")
    )
    shown = dict(zip(names, counted.values(), strict=True))
    emit(document, *([Table(COLUMNS, failed)] if failed else []), facts={**facts, **shown})
    if failed:
        raise Failure(f"{len(failed)} of {len(rows)} could not be taken over")
