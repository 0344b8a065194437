"""
A birth among daemons that were named: the first of them decides.

Only the first of the seeds (by name) ever decides a birth, and only after every other seed has answered that
it is unformed, was started with the same list, and remembers no earlier life of the decider.  That is why two
births cannot come from one list: the first seed makes its birth durable before anybody hears of it, and if it
loses its disk afterwards, the others' memory of its earlier life keeps the next life from deciding again.
Does not know how the others are asked, nor what becomes of a birth.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ring.ring import Peer
from weaveipam.allocation.heard import Heard, Init
from weaveipam.protocol.values import Birth, Endpoint, Pool

BIRTH_NONCE_BYTES = 16


class Seeds:
    """One daemon's part in a birth that the first seed decides; a daemon that is no seed only waits."""

    def __init__(self, me: Peer, init: Init, pools: tuple[Pool, ...], heard: Heard, rng: Random) -> None:
        self._me = me
        self._init = init
        self._pools = pools
        self._heard = heard
        self._rng = rng

    def decide(self, told_of: Sequence[Endpoint]) -> Birth | None:
        """
        The birth, if it is this daemon's to decide and everybody needed has agreed to it.

        Args:
            told_of: Endpoints of others; a seed that is the only one asks them first.
        """
        names = self._init.seeds
        if not names or self._me.name != names[0] or self._missing(told_of):
            return None
        lives = [self._me, *(self._heard.others[name].header.sender for name in names[1:])]
        return Birth(self._rng.randbytes(BIRTH_NONCE_BYTES), tuple(lives), self._pools)

    def why(self, told_of: Sequence[Endpoint]) -> str:
        """What a seed waits for, in one sentence."""
        return self._missing(told_of) or f"waiting for seed {self._init.seeds[0]} to form the cluster"

    def _missing(self, told_of: Sequence[Endpoint]) -> str:
        """What keeps a birth from being decided, in one sentence; empty when nothing does."""
        for name in self._init.seeds:
            if name == self._me.name:
                continue
            other = self._heard.others.get(name)
            if other is None or not other.answered:
                return f"seed {name} has not answered; is it running, and does --join reach it?"
            if other.init.consensus:
                return f"seed {name} was started with {other.init}"
            if other.init != self._init:
                return f"seed {name} was started with other seeds ({','.join(other.init.seeds) or 'none'})"
        remembered = self._heard.remembered()
        if remembered:
            return f"{remembered}: start it with --init observe, or all seeds afresh"
        return self._heard.still_asking(told_of) if len(self._init.seeds) == 1 else ""
