"""
What this daemon remembers, in one SQLite file in WAL mode; the only importer of sqlite3.

A store is only ever read whole, when it is opened.  A damaged one is not repaired: it is set aside under a
new name for a person to look at, and an empty one takes its place.  One that another release has written in
a way that this one cannot read is not damaged: it stays as it is, and the daemon does not start.
Does not know what records mean, nor who wants them written; commits are grouped by whoever calls.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from weaveipam.daemon import durable
from weaveipam.errors import OtherReleaseError, StorageError
from weaveipam.protocol.codec import decode_record, encode_record
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Record, RecordKey

_APPLICATION_ID = 0x77697061
"""In the file's header, `wipa`: tells our file from that of any other program that uses SQLite."""

_SCHEMA_VERSION = 1
"""In the file's header, SQLite's `user_version`: of the table below."""

_TABLE = "CREATE TABLE records (kind TEXT, key TEXT, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"

_SYNCHRONOUS = {Durability.PROCESS: "NORMAL", Durability.HOST: "FULL"}
"""
SQLite's name of each durability.

A commit writes to the WAL with NORMAL, and also syncs the WAL (and so all commits before) with FULL.
Source: https://www.sqlite.org/pragma.html#pragma_synchronous
"""

_CHECKPOINT_PAGES = {Durability.PROCESS: 8000, Durability.HOST: 1000}
"""
Pages of 4 KiB in the WAL from which on a commit also moves them into the database, which syncs both.

Left to the commits that wait for the disk anyway (1000 is SQLite's default), unless there are none for long.
A commit with PROCESS takes tens of microseconds, and one that has this to do as well some 20 milliseconds.
"""

_SIDE_FILES = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to a database's name; together they are the database."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""Result codes that, while reading, blame the file's content; plain ERROR is a missing table or column."""

_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space on its file system and start again",
    sqlite3.SQLITE_BUSY: "another process has it open; stop that one first",
    sqlite3.SQLITE_IOERR: "the disk or its file system fails; see the kernel's log",
}
"""What an operator should do, by result code."""

_ADVICE_RELEASE = "another release of weaveipam wrote it; start that one again, or the one that follows it"
_ADVICE_OTHERWISE = "see that its directory exists and that this user may write there"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store and what was in it."""

    store: Store
    records: tuple[Record, ...]
    """In the order of their keys."""
    set_aside: Path | None
    """Where a damaged store is now, SQLite's other files beside it; None: it was sound, or there was none."""
    damage: str = ""
    """One sentence: what was wrong with the one that was set aside; else empty."""


class _DamagedError(Exception):
    """The file's content is not what this module writes."""


class Store:
    """
    The records of one daemon.

    May be used from any thread, by one at a time.  While it is open no other process can open it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._durability: Durability | None = None
        self._failed = False

    @classmethod
    def open(cls, path: Path) -> Opened:
        """
        The store in the file at `path`, which is made, with its directory, if there is none.

        A damaged store is renamed to the first free name of `path` with `.corrupt-1`, `.corrupt-2`, ...

        Raises:
            OtherReleaseError: it is not for this release to read; says what to do.  Nothing was changed.
            StorageError: the machine does not let us read or write there; says what to do.  Nothing was set
                aside, unless the trouble came after that.

        Cost: reads everything; 100,000 records take a second or two.
        """
        set_aside, damage = None, ""
        try:
            _make_directory(path.parent)
            if path.exists():
                _settle(path)
                try:
                    connection, records = _load(path)
                    return Opened(cls(path, connection), records, None)
                except _DamagedError as error:
                    damage = str(error)
            set_aside = _set_aside(path)
            if set_aside and not damage:
                damage = "the database is gone, and only a file that belongs to it is there"
            _create(path)
            connection, records = _load(path)
        except OtherReleaseError as error:
            raise OtherReleaseError(f"cannot open the store {path} ({error}): {_ADVICE_RELEASE}") from error
        except (OSError, sqlite3.Error, _DamagedError) as error:
            raise _storage_error("open", path, error) from error
        return Opened(cls(path, connection), records, set_aside, damage)

    def write(self, persists: Sequence[Persist]) -> None:
        """
        Make all of it true in one transaction, in order, as durable as the strongest asks for.

        Of one `Persist`, what it deletes goes before what it puts.

        Raises:
            StorageError: the disk refused; says what to do.  All of it or nothing is there when the store is
                opened again; if the disk was full, nothing.  This store refuses all further writes.

        Cost: tens of microseconds, or with HOST as long as the disk takes to sync.
        """
        if self._failed:
            raise StorageError(f"{self._path} has failed before; nothing more is written to it")
        if not persists:
            return
        # Encoded first: a record that cannot be is the caller's error, and leaves everything as it was.
        puts, deletes = _last_words(persists)
        durability = max(persist.durability for persist in persists)
        try:
            self._commit(puts, deletes, durability)
        except (OSError, sqlite3.Error) as error:
            # After a failed sync a later one may succeed although data is lost, so there is no second try.
            self._failed = True
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise _storage_error("write to", self._path, error) from error

    def read(self) -> tuple[Record, ...]:
        """
        All that it holds now, in the order of the keys.

        Raises:
            StorageError: it cannot be read, or it is damaged; says what to do.

        Cost: as of `open`.
        """
        try:
            return _read(self._connection)
        except (sqlite3.Error, _DamagedError) as error:
            raise _storage_error("read", self._path, error) from error

    def close(self) -> None:
        """Everything into the one file, on stable storage, and no use of the store afterwards."""
        self._connection.close()

    def _commit(
        self, puts: list[tuple[str, str, bytes]], deletes: list[RecordKey], durability: Durability
    ) -> None:
        execute = self._connection.execute
        if durability is not self._durability:
            execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES[durability]}")
            self._durability = durability
        changes_before = self._connection.total_changes
        execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM records WHERE kind = ? AND key = ?", deletes)
        self._connection.executemany("REPLACE INTO records VALUES (?, ?, ?)", puts)
        execute("COMMIT")
        if durability is Durability.HOST and self._connection.total_changes == changes_before:
            _settle(self._path)  # SQLite syncs nothing then, not even the commits before


def _last_words(persists: Sequence[Persist]) -> tuple[list[tuple[str, str, bytes]], list[RecordKey]]:
    """What to put and what to delete in the end, each key at most once."""
    last: dict[RecordKey, Record | None] = {}
    for persist in persists:
        last.update(dict.fromkeys(persist.delete))
        last.update({record.record_key: record for record in persist.put})
    puts = [(*key, encode_record(record)) for key, record in last.items() if record is not None]
    return puts, [key for key, record in last.items() if record is None]


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transactions of its own, locks others out, and never waits for a lock."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes  # a damaged name need not be text
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _load(path: Path) -> tuple[sqlite3.Connection, tuple[Record, ...]]:
    """
    A connection to an existing file, all of which was read and found right.

    Raises:
        _DamagedError: it is not right.
        OtherReleaseError: it may be, but not for this release.
        OSError, sqlite3.Error: it cannot be read.
    """
    # For writing too, so that a missing permission is called that: SQLite would only fail to lock the file.
    with path.open("r+b") as file:
        header = file.read(20)
    if header[:16] != b"SQLite format 3\0" or header[18:] != b"\2\2":
        raise _DamagedError("not an SQLite database in WAL mode")
    with ExitStack() as unless_sound:
        connection = _connect(path)
        unless_sound.callback(connection.close)
        try:
            records = _read(connection)
        except sqlite3.Error as error:
            if _result_code(error) in _DAMAGE:
                raise _DamagedError(f"SQLite says: {error}") from error
            raise
        unless_sound.pop_all()
    return connection, records


def _read(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """All records, once everything else was found right."""
    for pragma, expected in (
        ("application_id", _APPLICATION_ID),
        ("user_version", _SCHEMA_VERSION),
        ("quick_check", b"ok"),
    ):
        found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        if pragma == "user_version" and found > _SCHEMA_VERSION:
            raise OtherReleaseError(f"version {found} of its table; this release reads {_SCHEMA_VERSION}")
        if found != expected:
            raise _DamagedError(f"{pragma} is {found!r} and should be {expected!r}")
    records = []
    for kind, key, value in connection.execute("SELECT kind, key, value FROM records ORDER BY kind, key"):
        try:
            record = decode_record(value if type(value) is bytes else b"")
        except OtherReleaseError:
            raise
        except StorageError as error:
            raise _DamagedError(str(error)) from error
        if (kind, key) != tuple(part.encode() for part in record.record_key):
            raise _DamagedError(f"the record of {record.record_key} stands at {kind!r} {key!r}")
        records.append(record)
    # Finds out now, and not at the first write, whether we may write.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    return tuple(records)


def _create(path: Path) -> None:
    """An empty store at `path`, where nothing is; at every moment there is either nothing or all of it."""
    fresh = path.with_name(path.name + ".new")
    for suffix in _SIDE_FILES:
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    connection = _connect(fresh)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        connection.execute(_TABLE)
    finally:
        connection.close()
    durable.sync(fresh)
    fresh.rename(path)
    durable.sync(path.parent)


def _settle(path: Path) -> None:
    """
    What is about to be read is on stable storage.

    A process that is killed while its last commit waits for the disk leaves that commit in the kernel's
    memory, where the next process reads it, and answers by it; a loss of power could still take it.
    """
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        durable.sync(wal)


def _set_aside(path: Path) -> Path | None:
    """Where the files of the database at `path` are now, a name never used before; None: there were none."""
    present = [one for suffix in _SIDE_FILES if (one := path.with_name(path.name + suffix)).exists()]
    if not present:
        return None
    taken = [one.name for one in path.parent.iterdir()]
    number = 1
    while any(name.startswith(f"{path.name}.corrupt-{number}") for name in taken):
        number += 1
    aside = path.with_name(f"{path.name}.corrupt-{number}")
    # The database goes first: if we die in between, no database is left that lacks its WAL.
    for one in present:
        one.rename(one.with_name(aside.name + one.name.removeprefix(path.name)))
    durable.sync(path.parent)
    return aside


def _make_directory(directory: Path) -> None:
    """The directory, for its owner only, and all above it; those that are new are there for good."""
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        durable.sync(one.parent)


def _result_code(error: Exception) -> int:
    """SQLite's primary result code; 0 for errors that are not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _storage_error(verb: str, path: Path, error: Exception) -> StorageError:
    """What went wrong, and what would help."""
    code = _result_code(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = sqlite3.SQLITE_FULL if full else 0
    return StorageError(f"cannot {verb} the store {path} ({error}): {_ADVICE.get(code, _ADVICE_OTHERWISE)}")
