"""
A simulated disk with one store on it: what `weaveipam.daemon.store` promises, and every way a disk can break.

The store is a write-ahead log of commits over what is on stable storage, so that what a loss of power leaves
is always some prefix of the commits.  Records are kept as the bytes that the codec makes of them.
Does not know what records mean, nor when anything happens: whoever calls lets the time pass.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import TypeAlias

from weaveipam.errors import StorageError
from weaveipam.protocol.codec import decode_record, encode_record
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Record, RecordKey

_PROCESS_S = (20e-6, 80e-6)
"""Shortest and longest commit with PROCESS: a few pages into the kernel's cache."""

_HOST_S = 0.001
"""Shortest commit with HOST: one sync of a good disk."""

_HOST_SHAPE = 1.5
"""Of their Pareto distribution: half take under 1.6 ms, 1 in 100 over 20 ms, 1 in 1000 over 100 ms."""

_HOST_S_MAX = 10.0
"""Longest such commit."""

_UNSYNCED_COMMITS_MAX = 200
"""The kernel writes back by itself what has been in its cache for long; here, all but so many commits."""

_SHARED_MAX = 1 << 16
"""Different records of all disks together that are in memory only once."""

_PAGES_LOST = "quick_check is b'Tree 2: a page is never used' and should be b'ok'"

_Commit: TypeAlias = tuple[tuple[RecordKey, bytes | None], ...]
"""What a commit puts under some keys, each at most once; None: it deletes what is there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in the store when it was opened."""

    records: tuple[Record, ...]
    """In the order of their keys."""
    damage: str
    """One sentence: what was wrong with the store that was set aside for an empty one; else empty."""
    torn: bool
    """Whether a part of a commit was found at the end of the log, and discarded."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a disk held at one moment."""

    records: Mapping[RecordKey, bytes]
    damaged: bool


class Disk:
    """
    One host's disk, and the store on it, which one process at a time may have open.

    Invariant: only the process that has the store open begins and finishes commits, one at a time.
    """

    def __init__(self, rng: Random) -> None:
        self.slowness = 1.0
        """How many times as long as usual a sync takes."""
        self.counters: Counter[str] = Counter()
        """
        What has come about so far.

        `torn`: parts of commits found on opening; `damaged`: damaged stores found on opening; `full`: commits
        refused for want of room; `lost-commits`: finished ones gone with the power; `unfinished-kept` and
        `unfinished-lost`: those under way at a death; `rolled-back`: to a snapshot; `wiped`.
        """
        self._rng = rng
        self._stable: dict[RecordKey, bytes] = {}
        self._unsynced: deque[_Commit] = deque()
        """Finished, in their order; later than all that is in `_stable`."""
        self._begun: tuple[_Commit, Durability] | None = None
        self._open = self._failed = self._full = self._damaged = self._torn = False

    def open(self) -> Opened:
        """The store, for one process; a damaged one makes way for an empty one."""
        assert not self._open, "one process at a time has it open"
        self._open, self._failed = True, False
        self._sync(0)  # as the real store: what is read, and acted on, is on stable storage
        torn, self._torn = self._torn, False
        try:
            records = self._read()
        except StorageError as error:
            self._forget()
            self.counters["damaged"] += 1
            return Opened((), str(error), torn=False)
        if torn:
            self.counters["torn"] += 1
        return Opened(records, "", torn)

    def read(self) -> tuple[Record, ...]:
        """All records, for the process that has the store open."""
        assert self._open, "a process reads what it has open"
        return self._read()

    def begin(self, persists: Sequence[Persist]) -> float:
        """
        Begin to make all of it true in one commit, in order, as durable as the strongest asks for.

        Of one `Persist`, what it deletes goes before what it puts.

        Returns:
            Seconds until it is done, and `finish` is to be called.

        Raises:
            StorageError: the disk is full, or a commit failed before; nothing of it is there, and the store
                refuses everything until it is opened again.
            ValueError: a record is beyond the codec's limits; everything is as it was.
        """
        assert self._open, "the process that commits has it open"
        assert self._begun is None, "one commit at a time"
        if self._failed:
            raise StorageError("the store has failed before; nothing more is written to it")
        commit = _commit_of(persists)
        if self._full and any(value is not None for _, value in commit):
            self._failed = True
            self.counters["full"] += 1
            raise StorageError("cannot write to the store (disk is full): free some space and start again")
        durability = max((persist.durability for persist in persists), default=Durability.PROCESS)
        self._begun = commit, durability
        return commit_s(durability, self._rng, self.slowness)

    def finish(self) -> None:
        """The commit begun is done; with HOST it and all before it are on stable storage."""
        assert self._begun is not None, "there is a commit to finish"
        commit, durability = self._begun
        self._begun = None
        self._unsynced.append(commit)
        self._sync(0 if durability is Durability.HOST else _UNSYNCED_COMMITS_MAX)

    def write(self, persists: Sequence[Persist]) -> None:
        """A whole commit, at once; errors are those of `begin`."""
        self.begin(persists)
        self.finish()

    def close(self) -> None:
        """The process ends in good order, with everything on stable storage."""
        assert self._begun is None, "nobody closes a store below a commit"
        self._end_process()
        self._sync(0)

    def die(self) -> None:
        """The process is killed: what it finished stays; a commit under way is there whole or not at all."""
        begun = self._end_process()
        if begun is None:
            return
        if self._rng.getrandbits(1):
            # In the kernel's cache and no further, whatever was asked for.
            self._unsynced.append(begun)
            self.counters["unfinished-kept"] += 1
        else:
            self._tear()
            self.counters["unfinished-lost"] += 1

    def lose_power(self) -> None:
        """The host dies: some prefix of the commits that are not on stable storage is left of them."""
        begun = self._end_process() if self._open else None
        finished_count = len(self._unsynced)
        if begun is not None:
            self._unsynced.append(begun)
        count = len(self._unsynced)
        # Nothing and all of it are as likely as anything between, however many commits there are.
        kept_count = self._rng.choice((0, self._rng.randint(0, count), count))
        if kept_count < count:
            self._tear()
        if begun is not None:
            self.counters["unfinished-kept" if kept_count == count else "unfinished-lost"] += 1
        if kept_count < finished_count:
            self.counters["lost-commits"] += finished_count - kept_count
        while len(self._unsynced) > kept_count:
            self._unsynced.pop()
        self._sync(0)

    def fill(self) -> None:
        """Others take all room on the file system: from now on commits that put anything fail."""
        self._full = True

    def free(self) -> None:
        """There is room again."""
        self._full = False

    def damage(self) -> None:
        """Flip bits or lose pages somewhere: the next to open the store finds it damaged."""
        self._damaged = True

    def wipe(self) -> None:
        """Put another, empty disk in the place of this one."""
        assert not self._open, "no process has it open"
        self._forget()
        self._full = False
        self.counters["wiped"] += 1

    def snapshot(self) -> Snapshot:
        """What would be there if the host died now and nothing finished were lost."""
        return Snapshot(MappingProxyType(self._image()), self._damaged)

    def roll_back(self, snapshot: Snapshot) -> None:
        """Hold again what was there at a snapshot, as the disk of a restored virtual machine does."""
        assert not self._open, "no process has it open"
        self._forget()
        self._stable.update(snapshot.records)
        self._damaged = snapshot.damaged
        self.counters["rolled-back"] += 1

    def copy(self, rng: Random) -> Disk:
        """Another disk that holds what a snapshot of this one would; its chance comes from `rng`."""
        other = Disk(rng)
        other._stable.update(self._image())
        other._damaged = self._damaged
        return other

    def _end_process(self) -> _Commit | None:
        """No process has the store open any more; the commit that it had under way."""
        assert self._open, "a process has it open"
        self._open = False
        begun, self._begun = self._begun, None
        return None if begun is None else begun[0]

    def _tear(self) -> None:
        """Leave, or not, a part of a commit behind the last whole one."""
        self._torn = bool(self._rng.getrandbits(1))

    def _sync(self, unsynced_max: int) -> None:
        """Bring the oldest commits to stable storage until only so many are not."""
        while len(self._unsynced) > unsynced_max:
            _apply(self._unsynced.popleft(), self._stable)

    def _image(self) -> dict[RecordKey, bytes]:
        """What a process reads: all that is finished, on stable storage or not."""
        image = dict(self._stable)
        for commit in self._unsynced:
            _apply(commit, image)
        return image

    def _forget(self) -> None:
        """Be an empty store."""
        self._stable.clear()
        self._unsynced.clear()
        self._damaged = self._torn = False

    def _read(self) -> tuple[Record, ...]:
        """
        All records.

        Raises:
            StorageError: the store is damaged; says how.
        """
        image = self._image()
        if self._damaged:
            if not image or self._rng.getrandbits(1):
                raise StorageError(_PAGES_LOST)
            hit = self._rng.choice(sorted(image))
            image[hit] = _flipped(image[hit], self._rng)
        return tuple(_decoded(image[key]) for key in sorted(image))


def commit_s(durability: Durability, rng: Random, slowness: float) -> float:
    """How many seconds a commit takes on a disk that is so many times as slow as usual."""
    if durability is Durability.PROCESS:
        return rng.uniform(*_PROCESS_S)
    return min(_HOST_S * rng.paretovariate(_HOST_SHAPE) * slowness, _HOST_S_MAX)


def _commit_of(persists: Sequence[Persist]) -> _Commit:
    """The last word on each key, encoded."""
    last: dict[RecordKey, Record | None] = {}
    for persist in persists:
        last.update(dict.fromkeys(persist.delete))
        last.update({record.record_key: record for record in persist.put})
    return tuple(
        (key, None) if record is None else _shared(key, encode_record(record)) for key, record in last.items()
    )


def _apply(commit: _Commit, image: dict[RecordKey, bytes]) -> None:
    """Make a commit true in an image."""
    for key, value in commit:
        if value is None:
            image.pop(key, None)
        else:
            image[key] = value


def _flipped(value: bytes, rng: Random) -> bytes:
    """The bytes with one bit flipped."""
    damaged = bytearray(value)
    bit = rng.randrange(8 * len(value))
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@lru_cache(_SHARED_MAX)
def _shared(key: RecordKey, value: bytes) -> tuple[RecordKey, bytes]:
    """The same key and value; many disks hold equal records, and one object for all saves most memory."""
    return key, value


@lru_cache(_SHARED_MAX)
def _decoded(value: bytes) -> Record:
    """As `decode_record`; what many disks hold is decoded once."""
    return decode_record(value)
