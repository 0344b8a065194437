"""
What a scenario may do to a cluster, whether its daemons are simulated or real.

A scenario is written against `Stage` alone, so that one file plays in virtual time and on real hosts.
Does not know either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simulations.releases import Release
from weaveipam.protocol.keyring import Key

UNOPENED = frozenset({"unsealed-packet", "unknown-key", "forged-packet"})
"""What a daemon reports of packets that it cannot open, but for those that it had opened before."""


class CannotError(Exception):
    """This stage has no means for it; the message says what is missing.  The run goes on without it."""


class Stage(Protocol):
    """A cluster, time, and the means to make trouble."""

    @property
    def seconds(self) -> float:
        """How long the whole scenario shall take; scenarios divide it."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Machines that were ever started, in order; at first as many as the scenario asked for."""
        ...

    @property
    def pool_size(self) -> int:
        """Addresses that can be allocated in the whole cluster."""
        ...

    def run(self, seconds: float) -> None:
        """Let time pass."""
        ...

    # Clients

    def load(self, adds_per_s: float, hold_s: float, at: Sequence[str] = ()) -> None:
        """From now on clients ask for addresses, at random daemons or at those, and hold them; 0 ends it."""
        ...

    def burst(self, count: int, at: Sequence[str]) -> int:
        """So many requests at once, spread over these daemons in turn; how many were given an address."""
        ...

    def release(self, at: Sequence[str] = ()) -> None:
        """Give back everything that clients hold at these daemons, or anywhere."""
        ...

    # The network

    def split(self, *groups: Sequence[str]) -> None:
        """Nothing passes between groups; who is in none is alone."""
        ...

    def cut(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Nothing passes from these to those; the other way it does."""
        ...

    def heal(self) -> None:
        """Every cut and every impairment ends."""
        ...

    def impair(
        self, at: Sequence[str], *, delay_s: float = 0.0, loss: float = 0.0, bytes_per_s: float = 0.0
    ) -> None:
        """Links from and to these machines are slower and lose more; 0 bytes/s: as fast as ever."""
        ...

    # Machines

    def join(self, count: int) -> Sequence[str]:
        """Start so many new daemons that join by any running one; their names."""
        ...

    def kill(self, *names: str) -> None:
        """`kill -9` the daemons; their hosts go on."""
        ...

    def stop(self, *names: str) -> None:
        """Stop the daemons in good order, as a service manager does."""
        ...

    def leave(self, *names: str) -> None:
        """Drain hosts, have their daemons leave for good, and wait until they have ended."""
        ...

    def start(self, *names: str) -> None:
        """Start daemons that are down, from what their disks hold."""
        ...

    def power_cut(self, *names: str) -> None:
        """The hosts lose their power at once: daemons, pods, and what was not on stable storage."""
        ...

    def lose(self, *names: str) -> None:
        """The hosts are gone for good, with all their pods; only `start` brings daemons back, from disk."""
        ...

    def remove(self, names: Sequence[str], at: str, wait_s: float, *, force: bool = False) -> bool:
        """
        Have daemons that are lost, or paused without pods, removed by the one there; whether that is done.

        It waits at most so long for it, and what is not done by then goes on.
        """
        ...

    def install(self, release: Release, *names: str) -> None:
        """What is started there next, where daemons are down, is of that release."""
        ...

    def pause(self, *names: str) -> None:
        """Stop the processes without ending them."""
        ...

    def resume(self, *names: str) -> None:
        """Let paused processes go on, late."""
        ...

    def snapshot(self, name: str) -> None:
        """Remember the host as it is, disk and pods."""
        ...

    def roll_back(self, name: str, *, apart: bool = False) -> None:
        """
        Make the host what it was at the snapshot, disk and pods, and start its daemon.

        `apart` says that nobody whom it can reach for now knows more than its disk: two may own one address.
        """
        ...

    def clone(self, name: str) -> str:
        """Start another host, with another address, from a copy of this one's disk; its name."""
        ...

    def scrap(self, name: str) -> None:
        """Switch the host off, for good."""

    # Conflicts

    def contested(self) -> int:
        """Addresses that daemons show as contested with another one; those that two show count twice."""
        ...

    def resolve(self) -> int:
        """Decide all conflicts, each at one of its two daemons and for one of them; how many there were."""
        ...

    # Keys

    def set_keys(self, at: Sequence[str], *keys: Key) -> None:
        """Daemons there, now and after restarts, use the first of these keys, and accept all of them."""
        ...

    def unopened(self) -> int:
        """Packets so far that a daemon could not open for want of a key, or as they were changed."""
        ...

    # Judgement

    def claim(self, text: str, held: object) -> None:
        """A sentence that must be true; a violation if it is not."""
        ...

    def settle(self) -> None:
        """Heal, start who is down and not lost, wait until all agree; a violation if they do not in time."""
        ...
