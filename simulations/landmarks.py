"""
Rare situations that a run may reach; a set of runs that never reaches one proves nothing about it.

Does not know how a situation comes about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

LANDMARKS: Mapping[str, str] = {
    "member-dead": "a member was declared dead",
    "suspicion-refuted": "a suspect spoke up",
    "member-joined": "a member appeared, or came back",
    "serving-alone": "a restarted daemon met nobody and served all the same",
    "space-granted": "space moved between daemons",
    "space-drifted": "a small free island went to a neighbour",
    "block-assembled": "a block was put together from the pieces of several",
    "block-given-up": "the pieces of a block went back, as one did not come",
    "left": "a daemon handed over all it owned and left",
    "space-bequeathed": "space of a daemon that leaves went to another one",
    "staying": "a daemon that was to leave was told to stay",
    "followed": "what a key held was found at another daemon than the one that gave it",
    "restart-leaving": "a daemon died while it left, and went on when it was started",
    "bad-packet": "bytes were refused",
    "version-shown": "a daemon was spoken to in a version that it does not read",
    "forged-packet": "a sealed packet arrived changed, and was refused",
    "replayed-packet": "a sealed packet arrived again, or far too late, and was refused",
    "death-before-persist": "a daemon died just before it remembered",
    "death-before-send": "a daemon died with something remembered and not sent",
    "death-before-reply": "a daemon died with something remembered and not answered",
    "restart-with-grant": "a daemon started with a grant that nobody had acknowledged",
    "restart-with-resting": "a daemon started with addresses that rest",
    "decided": "the members decided something together",
    "lost": "a machine was lost for good, to be removed",
    "returned": "a lost machine came back after its removal, with its disk",
    "removed-earlier": "an earlier life of a daemon that is there was removed",
    "second-life": "a daemon lost its disk and came back as another life",
    "next-life": "a daemon found that it must not go on as who it was, and became another life",
    "storage-error": "a disk refused, and the daemon ended",
    "torn": "part of a commit was found at the end of a log, and discarded",
    "lost-commits": "commits that had not been synced went with the power",
    "damaged": "a damaged store was found and set aside",
    "unfinished-kept": "a daemon died during a commit, which was there afterwards",
    "unfinished-lost": "a daemon died during a commit, which was not there afterwards",
    "datagram.lost": "a datagram was lost",
    "datagram.duplicated": "a datagram arrived twice",
    "datagram.late": "a datagram was overtaken",
    "datagram.corrupted": "a datagram arrived changed",
    "datagram.cut": "a datagram met a cut",
    "datagram.queue-full": "a link was too narrow for what was to pass",
    "stream.lost": "a packet on a stream was lost",
    "stream.reset": "a connection was reset",
    "stream.half-open": "somebody sent into a connection whose other end was gone",
    "stream.repeated": "a segment of a stream was repeated",
    "repeated": "a client asked twice",
    "vanished": "a client went away while it waited",
    "crossed": "a client gave back before it had heard what it was given",
    "retried": "a client tried again",
    "renewed": "a client asked again for what it had for a time",
    "lapsed": "a client renewed no more what it had for a time",
    "lease-expired": "what was given for a time was not renewed, and ended",
    "waited": "a request waited for space from elsewhere",
    "exhausted": "a request failed as nobody had any space",
    "rested-given": "an address was given before it had rested, as there was no other",
    "clock-jump": "a clock jumped",
    "rekeyed": "all daemons changed to another key",
    "paused": "a process was stopped and went on late",
    "given-by-name": "an address was given that is kept for a name",
    "given-reserved": "a reserved address was given to who asked for it",
    "given-selected": "an address was given of a pool that nobody had named",
    "given-fallback": "an address was given of another pool than the one named",
    "node-limited": "a request failed as a daemon may use no more of a pool",
    "pool-changed": "a pool was made, changed or deleted",
    "pool-conflict": "a change of a pool was refused, as there was another one",
    "pool-in-use": "a change of a pool was refused, as addresses were in use",
    "pool-not-ready": "a change of a pool was withdrawn, as not all agreed in time",
    "network-changed": "a network was created or deleted",
    "network-in-use": "a network was not deleted, as there were pools in it",
    "two-owners": "addresses were frozen, as two owned them with one token",
    "ownership-lost": "addresses were found to be somebody else's",
    "address-in-use-twice": "two keys were found to hold one address",
    "conflict-yielded": "a claim to contested addresses was given up, as somebody had decided",
    "conflict-resolved": "contested addresses had one owner again",
}
"""By name, with what it means."""


def reached(counts: Mapping[str, int]) -> dict[str, int]:
    """How often each landmark was reached, in the order above."""
    return {name: counts.get(name, 0) for name in LANDMARKS}


def added(many: list[dict[str, int]]) -> dict[str, int]:
    """The landmarks of several runs."""
    total: Counter[str] = Counter()
    for one in many:
        total.update(one)
    return reached(total)
