"""
What is in the way of one member's call, by who has said so, in sentences for operators.

Does not know what the call is for, nor what is done about objections.
"""

from __future__ import annotations

from collections.abc import Collection

from ring.ring import Peer
from weaveipam.protocol.rollcalls import Declined, Objection


class Objections:
    """The latest of each member; none at first."""

    def __init__(self) -> None:
        self._sentences: dict[Peer, str] = {}

    def note(self, member: Peer, told: Declined) -> None:
        """A member takes no part."""
        self._sentences[member] = _sentence(member, told)

    def doubt(self, member: Peer, lives: Collection[Peer]) -> None:
        """A member takes no part yet, as it is not sure that some lives are over."""
        names = ", ".join(one.name for one in lives)
        self._sentences[member] = f"{member.name} makes sure that nobody answers any more as {names}"

    def ask(self, member: Peer, sentence: str) -> None:
        """A member does not call before an operator has said something."""
        self._sentences[member] = sentence

    def over(self, member: Peer) -> None:
        """A member objects no more, if it did."""
        self._sentences.pop(member, None)

    def clear(self) -> None:
        """Nobody objects any more."""
        self._sentences.clear()

    def sentences(self) -> tuple[str, ...]:
        """One for each member that objects, sorted by member."""
        return tuple(self._sentences[one] for one in sorted(self._sentences))


def _sentence(member: Peer, told: Declined) -> str:
    named = ", ".join(one.name for one in told.closed)
    match told.why:
        case Objection.HEARD:
            return f"{member.name} has heard from {named} just now, and is asked again until it has not"
        case Objection.CLOSED:
            return f"{member.name} knows that {named} is to be removed too"
        case Objection.BALLOT:
            return f"{member.name} takes part in another call"
        case Objection.ENROLLED:
            return f"{member.name} has enrolled a newcomer meanwhile"
        case Objection.DECIDED | Objection.UNKNOWN:
            return f"{member.name} is at another decision"
