"""
The daemon's side of sealing: what is done about packets that cannot be opened, and who sends with which key.

Does not know how packets are sealed, nor what they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from weaveipam.errors import PeerError
from weaveipam.gossip.seal import Seal, UnopenedError, notice
from weaveipam.protocol.effects import Channel, Level, Report, Send
from weaveipam.protocol.keyring import Key, KeyRing
from weaveipam.protocol.requests import Keyring, KeyView
from weaveipam.protocol.values import Endpoint

NOTICE_INTERVAL_S: Final = 1.0
"""
Seconds between two notices to whoever sends what cannot be opened.

A daemon without the right key learns so from its own log.  Sources can be made up, so there must be few.
"""
LOUD_INTERVAL_S: Final = 60.0
"""Seconds between two warnings of one kind of packet; all others are counted, and told in an undertone."""
_MISFIT: Final = frozenset({"unsealed-packet", "unknown-key"})
"""What an honest daemon with other keys causes."""


class Guard(Seal):
    """
    A `Seal` that answers for what it refuses.

    Args:
        ring: As of `Seal`.
        session: As of `Seal`.
    """

    def __init__(self, ring: KeyRing, session: bytes) -> None:
        super().__init__(ring, session)
        self._notice_at = -math.inf
        self.told = ""
        """What the last notice said, as a sentence; empty if there was none.  Anybody can make one up."""
        self._loud_at: dict[str, float] = {}
        """When a kind of packet may be warned of next."""
        self._others: dict[str, str] = {}
        """Ids of keys that are not the one in use, by the member that last sent with it."""

    @property
    def sealed(self) -> bool:
        """Whether nothing without a seal is sent or taken."""
        return not any(not key.secret for key in self.ring.keys)

    def refused(self, error: PeerError, source: Endpoint, now: float) -> tuple[Report | Send, ...]:
        """What to do about a packet that could not be opened or read: report it, and perhaps say so."""
        event = error.event if isinstance(error, UnopenedError) else "bad-packet"
        report = Report(self._level(event, now), event, (("source", str(source)), ("why", str(error))))
        if event == "refused-by-peer":
            self.told = f"{source}: {error}"
        if event not in _MISFIT or now < self._notice_at:
            return (report,)
        self._notice_at = now + NOTICE_INTERVAL_S
        return report, Send(source, notice(self.ring), Channel.DATAGRAM)

    def _level(self, event: str, now: float) -> Level:
        """Networks double packets by themselves; of all else a flood must not fill the log."""
        if event == "replayed-packet" or now < self._loud_at.get(event, -math.inf):
            return Level.DEBUG
        self._loud_at[event] = now + LOUD_INTERVAL_S
        return Level.WARNING

    def heard(self, member: str, key: Key) -> None:
        """A member has sent a packet with this key."""
        used = self.ring.used
        if key is not used and key != used:
            self._others[member] = key.id
        elif self._others:
            self._others.pop(member, None)

    def change(self, ring: KeyRing, members: Iterable[str]) -> list[Report]:
        """
        As `use`; a report unless those are the keys already.

        These are all members there are, who may go on with the key that was in use so far.
        """
        if ring == self.ring:
            return []
        before = self.ring.used
        self.use(ring)
        if ring.used != before:
            self._others = dict.fromkeys(members, before.id) | self._others
            self._others = {name: held for name, held in self._others.items() if held != ring.used.id}
        return [Report(Level.INFO, "keyring-changed", (("keys", ",".join(key.id for key in ring.keys)),))]

    def show(self, members: Iterable[str]) -> Keyring:
        """
        The keys, and which of these members last sent with each.

        No member counts with a key that is not in the ring.
        """
        present = sorted(members)
        views = []
        for key in self.ring.keys:
            names = tuple(one for one in present if self._others.get(one) == key.id)
            views.append(KeyView(key.id, key is self.ring.used, names))
        return Keyring(tuple(views))
