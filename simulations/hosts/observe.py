"""
What real daemons show over HTTP, as facts need it.

Daemons are asked one after the other, so what they show is not of one moment; `look` asks again until it is.
Does not know what is right, nor what is done to the daemons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ring.address import Family, parse_range
from ring.ring import Peer, Run, Token
from simulations.facts import View
from simulations.hosts.host import Host
from simulations.hosts.processes import HttpError, http_request
from weaveipam.protocol.values import RingId

ANSWER_S = 3.0
"""What a daemon takes longer for, it does not show."""

_ATTEMPTS = 4

Rings = Mapping[RingId, tuple[Run, ...]]


def look(hosts: Iterable[Host], rings: Sequence[RingId]) -> tuple[dict[str, View], bool]:
    """
    What each running daemon shows, by host, and whether their rings are those of one moment.

    They are if all rings, asked for a second time after all have answered, are what they were: statements
    about addresses only grow, so they were the same in between.
    """
    hosts = list(hosts)
    views: dict[str, View] = {}
    for _ in range(_ATTEMPTS):
        views = {host.name: view for host in hosts if (view := _view(host, rings)) is not None}
        again = {host.name: _rings_of(host, rings) for host in hosts if host.name in views}
        if all(view.rings == again[name] for name, view in views.items()):
            return views, True
    return views, False


def _view(host: Host, rings: Sequence[RingId]) -> View | None:
    """None if the daemon does not answer."""
    try:
        status = _get(host, "/v1/status")
        members = _get(host, "/v1/members")
        allocations = _get(host, "/v1/allocations")
    except (HttpError, OSError):
        return None
    shown = _rings_of(host, rings)
    if shown is None:
        return None
    return View(
        life=_peer(status["name"], status["incarnation"]),
        serving=status["ready"],
        rings=shown,
        free={pool["name"]: pool["free"] for pool in status["pools"]},
        used={pool["name"]: pool["used"] for pool in status["pools"]},
        size=sum(pool["size"] for pool in status["pools"]),
        unreachable=sum(pool["unreachable"] for pool in status["pools"]),
        keys=frozenset(one["key"] for one in allocations),
        alive=frozenset(one["name"] for one in members if one["state"] == "alive"),
        outgoing=status["outgoing"],
        conflicts=tuple(status["conflicts"]),
        contested=status["contested"],
        twice=status["twice"],
        foreign=status["foreign"],
        unadopted=status["unadopted"],
        lent=status["lent"],
        withheld=sum(pool["withheld"] for pool in status["pools"]),
    )


def _rings_of(host: Host, rings: Sequence[RingId]) -> Rings | None:
    try:
        runs = _get(host, "/v1/ring")
    except (HttpError, OSError):
        return None
    found: dict[RingId, list[Run]] = {ring: [] for ring in rings}
    for one in runs:
        found.setdefault(RingId(one["network"], Family(one["family"])), []).append(_run(one))
    return {ring: tuple(held) for ring, held in found.items()}


def _run(shown: Mapping[str, Any]) -> Run:
    _, span = parse_range(shown["range"])
    return Run(
        span.start,
        span.stop,
        Token(shown["generation"], shown["epoch"]),
        _peer(shown["owner"], shown["owner_incarnation"]),
        _peer(shown["author"], shown["author_incarnation"]),
    )


def _peer(name: str, incarnation: str) -> Peer:
    return Peer(name, int(incarnation, 16))


def _get(host: Host, path: str) -> Any:
    return http_request(host.daemon.socket, "GET", path, timeout_s=ANSWER_S)
