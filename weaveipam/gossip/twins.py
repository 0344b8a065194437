"""
Two processes that are one daemon: a machine was copied with its data directory, or a name given twice.

Every process draws a number when it starts.  That two of one life are there at once is only ever concluded
from an answer that one of them gave after it was asked for while the other was there: packets may be late,
and a daemon may have moved.

Who comes back asks members for what it lacks (`Sync`).  A member that sees its name at another endpoint
answers nothing, says so (`Elsewhere`), and calls there.  If that endpoint answers, the one that asked is
told, with proof: the other was there after it asked, and it is there still.  The other is told too if it
serves, which no process does within the time of a call.  If nobody answers, the old endpoint is soon dead to
the member, and whoever moved away from there is let in.  Meanwhile it does not serve alone either, however
long that is: what it owns by its disk may be given away by the other.

What those do who are told, and have one life:

- One that does not serve yet ends its life: what its disk says it owns, the other one does.
- One that serves goes on if the other does not, which has given nothing to anybody.
- If both serve, as they did in two parts of a partition, both end their lives: each has given away what the
  other holds to be free, and neither may go on from there.  Their rule must not depend on who is told first.

Where the lives differ, whoever is there keeps the name, and the other waits, and says so, until it is gone.

Does not know ownership, nor what a life's end means.
"""

from __future__ import annotations

import math
from random import Random

from ring.ring import Peer
from weaveipam.gossip.members import Member, Members
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import Call, Elsewhere, End, Header, Here, Step, Tell
from weaveipam.protocol.values import Endpoint

CASES_MAX = 64
"""Calls whose answer is awaited; at one more the oldest is not any longer."""
HOLD_S = 12.0
"""How long after one member told it of another one a daemon does not serve, whatever other members say."""
CALL_INTERVAL_S = 1.0
"""Seconds between two calls to where this very life is said to be as well."""
REPORT_INTERVAL_S = 60.0
"""Seconds between two reports of one kind: operators need one, not one a packet."""


class Twins:
    """
    What one process knows of others like itself, and does for members that may have such.

    Args:
        members: Who is where, and this daemon itself.
        rng: All chance it takes.
    """

    def __init__(self, members: Members, rng: Random) -> None:
        self._members = members
        self._rng = rng
        self.process = 0
        """The number of this process; to be drawn by whoever makes it."""
        self.serving = True
        """Whether this process answers clients, or may be taken for one that does."""
        self.why = ""
        """What keeps it from serving while somebody says that another one has its name."""
        self._denied: dict[Peer, float] = {}
        """Until when a member's word that another one has the name holds."""
        self._unsure = False
        """Whether that may be this very life, or a later one, and no member has answered otherwise since."""
        self._cases: dict[int, tuple[Header, int, bool]] = {}
        """By call: who is to be told of an answer, the number of its process, and whether it serves."""
        self._own_call = -1
        self._called_at = -math.inf
        self._reported_at = -math.inf

    # As a member that hears of two

    def rival(self, header: Header) -> Member | None:
        """Who has the sender's name, at another endpoint, by what is believed here; None if nobody has."""
        member = self._members.get(header.sender.name)
        there = member is not None and member.present and member.endpoint != header.endpoint
        return member if there else None

    def deny(self, header: Header, rival: Member, process: int, *, serves: bool) -> list[Tell]:
        """What a process is told that asks to be let in while another one has its name."""
        call = self._rng.getrandbits(63)
        self._cases[call] = (header, process, serves)
        if len(self._cases) > CASES_MAX:
            del self._cases[next(iter(self._cases))]
        told = Elsewhere(process, rival.peer, rival.endpoint)
        return [Tell(header.endpoint, told), Tell(rival.endpoint, Call(call))]

    # As one that may be such

    def elsewhere(self, endpoint: Endpoint, now: float) -> list[Tell]:
        """This very life is said to be at another endpoint: see whether anybody answers there."""
        if not self.serving or now < self._called_at + CALL_INTERVAL_S:
            return []
        self._called_at = now
        self._own_call = self._rng.getrandbits(63)
        return [Tell(endpoint, Call(self._own_call))]

    @property
    def denied_until(self) -> float:
        """Seconds on the monotonic clock: this daemon must not serve before; infinity: until it is let in."""
        return math.inf if self._unsure else max(self._denied.values(), default=-math.inf)

    def admitted(self, header: Header) -> None:
        """A member answers that does so only where nobody else has the name."""
        self._denied.pop(header.sender, None)
        self._unsure = False

    def receive(self, header: Header, message: Call | Here | Elsewhere, now: float) -> list[Step]:
        """What follows from a message of this module's; its sender may be of this very life."""
        match message:
            case Call():
                return [Tell(header.endpoint, Here(message.call, self.process, self.serving))]
            case Here():
                return self._answered(header, message, now)
            case Elsewhere():
                return self._told(header, message, now) if message.process == self.process else []

    def _answered(self, header: Header, here: Here, now: float) -> list[Step]:
        me = self._members.me
        if here.call == self._own_call and header.sender == me.peer and here.process != self.process:
            return self._prove(header.endpoint, now, serves=here.serves)
        case = self._cases.pop(here.call, None)
        if case is None:
            return []
        asker, process, serves = case
        there = Elsewhere(process, header.sender, header.endpoint, proved=True, serves=here.serves)
        told: list[Step] = [Tell(asker.endpoint, there)]
        if here.serves:
            back = Elsewhere(here.process, asker.sender, asker.endpoint, proved=True, serves=serves)
            told.append(Tell(header.endpoint, back))
        return told

    def _told(self, header: Header, told: Elsewhere, now: float) -> list[Step]:
        me = self._members.me.peer
        if told.life == me and told.proved:
            return self._prove(told.endpoint, now, serves=told.serves)
        if self.serving:
            detail = f"{told.life} has the same name; give that daemon another --name"
            return self._report("name-in-use", told.endpoint, detail, now) if told.proved else []
        self._denied[header.sender] = now + HOLD_S
        self._unsure = self._unsure or told.life >= me
        if told.life == me:
            self.why = f"members see this daemon at {told.endpoint}, and wait until nothing answers there"
            return []
        self.why = (
            f"the name {me.name} is in use by {told.life} at {told.endpoint}; give this daemon another --name"
        )
        return self._report("name-in-use", told.endpoint, self.why, now) if told.proved else []

    def _prove(self, endpoint: Endpoint, now: float, *, serves: bool) -> list[Step]:
        """Another process of this life is at that endpoint."""
        if not self.serving:
            return [End(f"its disk is a copy of that of the daemon at {endpoint}, which runs")]
        if serves:
            return [End(f"its disk was copied, and the daemon at {endpoint} gave away the same addresses")]
        detail = "its disk is a copy of this daemon's: give it another --name and a --data-dir of its own"
        return self._report("clone", endpoint, detail, now)

    def _report(self, event: str, endpoint: Endpoint, detail: str, now: float) -> list[Step]:
        if now < self._reported_at + REPORT_INTERVAL_S:
            return []
        self._reported_at = now
        fields = (("mine", str(self._members.me.peer)), ("endpoint", str(endpoint)), ("detail", detail))
        return [Report(Level.ERROR, event, fields)]
