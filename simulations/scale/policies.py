"""
How the nodes of a measured cluster gossip, by name.

Does not know what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulations.scale.memberlist import MemberlistGossip, MemberlistNode
from weaveipam.gossip.gossip import Gossip
from weaveipam.gossip.members import Member
from weaveipam.gossip.push import Push
from weaveipam.node import MakeGossip, Node
from weaveipam.protocol.messages import Ownership, Tell
from weaveipam.protocol.values import Endpoint


class _SelectivePush(Push):
    """Pushes that go past one member."""

    past: Endpoint | None = None

    def burst(self, members: Sequence[Member], now: float) -> list[Tell]:
        """As of `Push`, to the other members."""
        return super().burst([one for one in members if one.endpoint != self.past], now)

    def offered(self) -> list[tuple[Ownership, int]]:
        """Nothing: what rides on a packet may go to anybody."""
        return []


class SelectiveGossip(Gossip):
    """Ours, but that no push goes to one member, and none rides on other packets."""

    _PUSH = _SelectivePush

    def push_past(self, endpoint: Endpoint) -> None:
        """From now on, past the one that listens there."""
        assert isinstance(self._push, _SelectivePush)
        self._push.past = endpoint


@dataclass(frozen=True, slots=True)
class Policy:
    """How to make nodes."""

    gossip: MakeGossip
    node: type[Node] = Node


POLICIES: Mapping[str, Policy] = {
    "ours": Policy(Gossip),
    "memberlist": Policy(MemberlistGossip, MemberlistNode),
    "selective": Policy(SelectiveGossip),
}
