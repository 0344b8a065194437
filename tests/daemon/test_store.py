"""What was acknowledged is there after any death; what is damaged is never believed."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

import simulations.disk
from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from weaveipam.daemon.store import Store
from weaveipam.errors import OtherReleaseError, StorageError
from weaveipam.protocol import codec
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Acquaintance, Identity, Leased, Outgoing, Owned, Record, Resting
from weaveipam.protocol.values import Allocation, Assigned, Endpoint, RingId

NAME = "weaveipam.db"
ME = Peer("node-1", 7)
RING = RingId("default", Family.V4)
RUN = Run(10, 20, Token(0, 1), ME, ME)
ADDRESS = Assigned("pool", Family.V4, Range(10, 11), 24, None)
RECORDS: tuple[Record, ...] = (
    Acquaintance(Peer("node-2", 1), Endpoint("192.0.2.2", 6784)),
    Identity(ME),
    Leased(Allocation("\u00e9/1", "default", (ADDRESS,), durable=True)),
    Owned(RING, RUN),
    Resting(RING, Range(11, 12)),
)
"""In the order of their keys."""


def put(*records: Record, durability: Durability = Durability.HOST) -> Persist:
    """Records to write."""
    return Persist(records, (), durability)


class Disk(Protocol):
    """A place that holds one store and can be made to suffer."""

    def open(self) -> tuple[Journal, tuple[Record, ...]]:
        """The store, and the records in it."""

    def die(self) -> None:
        """End the process that has the store open; what it has not written is gone."""


class Journal(Protocol):
    """What all stores can do."""

    def write(self, persists: list[Persist]) -> None:
        """As `Store.write`."""

    def read(self) -> tuple[Record, ...]:
        """As `Store.read`."""

    def close(self) -> None:
        """As `Store.close`."""


class SqliteDisk:
    """A real store in a real directory; death is opening a copy of the files as they are at that moment."""

    def __init__(self, root: Path) -> None:
        self._directories = (root / f"life-{number}" for number in range(100))
        self._path = next(self._directories) / NAME
        self._stores: list[Store] = []

    def open(self) -> tuple[Journal, tuple[Record, ...]]:
        """The store, and the records in it."""
        opened = Store.open(self._path)
        self._stores.append(opened.store)
        assert opened.set_aside is None
        return opened.store, opened.records

    def die(self) -> None:
        """Go on with the files as they are now; the store that has them open can no longer touch them."""
        before, self._path = self._path, next(self._directories) / NAME
        shutil.copytree(before.parent, self._path.parent)

    def close(self) -> None:
        """End all lives."""
        for store in self._stores:
            store.close()


class SimulatedDisk:
    """The simulator's store on a simulated disk."""

    def __init__(self, root: Path) -> None:
        del root  # it is in memory
        self._disk = simulations.disk.Disk(random.Random(1))

    def open(self) -> tuple[Journal, tuple[Record, ...]]:
        """The store, and the records in it."""
        opened = self._disk.open()
        assert not opened.damage
        return self._disk, opened.records

    def die(self) -> None:
        """Kill the process that has it open."""
        self._disk.die()

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture(params=[SqliteDisk, SimulatedDisk])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk of every kind there is."""
    made = request.param(tmp_path)
    yield made
    made.close()


class TestEveryStore:
    """What any store does, on whatever disk."""

    def test_new(self, disk: Disk) -> None:
        """A new store is empty."""
        assert () == disk.open()[1]

    def test_remembers(self, disk: Disk) -> None:
        """Records of several kinds come back, in the order of their keys, after the store was closed."""
        store, _ = disk.open()
        store.write([put(*reversed(RECORDS))])
        store.close()

        assert disk.open()[1] == RECORDS

    @pytest.mark.parametrize("durability", Durability)
    def test_survives_death(self, disk: Disk, durability: Durability) -> None:
        """With either durability, what was written is there after the death of the process."""
        store, _ = disk.open()
        store.write([put(RECORDS[0], durability=durability)])
        store.write([put(RECORDS[1], durability=durability)])
        disk.die()

        assert disk.open()[1] == RECORDS[:2]

    def test_later_record_replaces(self, disk: Disk) -> None:
        """A record replaces the earlier one with its key, and no other."""
        later = Owned(RING, RUN._replace(stop=15))
        store, _ = disk.open()
        store.write([put(*RECORDS)])
        store.write([put(later)])
        disk.die()

        assert disk.open()[1] == (*RECORDS[:3], later, *RECORDS[4:])

    def test_forgets(self, disk: Disk) -> None:
        """A deleted record is gone; deleting what is not there is no error."""
        keys = (RECORDS[0].record_key, Outgoing(1, ME, RING, ()).record_key)
        store, _ = disk.open()
        store.write([put(*RECORDS)])
        store.write([Persist((), keys, Durability.PROCESS)])
        disk.die()

        assert disk.open()[1] == RECORDS[1:]

    def test_is_read_while_it_is_open(self, disk: Disk) -> None:
        """Reading shows what the process itself has written so far, with either durability, and no more."""
        store, _ = disk.open()
        store.write([put(RECORDS[0])])
        store.write([put(RECORDS[1], durability=Durability.PROCESS)])
        assert store.read() == RECORDS[:2]
        store.write([put(*RECORDS)])

        assert store.read() == RECORDS

    def test_order_of_one_write(self, disk: Disk) -> None:
        """In one write the last word on a key counts; in one `Persist` putting comes after deleting."""
        first, second = RECORDS[:2]
        store, _ = disk.open()
        store.write(
            [
                put(first),
                Persist((second,), (first.record_key, second.record_key), Durability.PROCESS),
                put(first),
                Persist((), (first.record_key,), Durability.HOST),
            ]
        )
        disk.die()

        assert disk.open()[1] == (second,)

    def test_nothing_to_write(self, disk: Disk) -> None:
        """Writing nothing is allowed, and changes nothing."""
        store, _ = disk.open()
        store.write([])
        store.write([Persist((), (), Durability.PROCESS)])
        disk.die()

        assert disk.open()[1] == ()

    def test_record_that_cannot_be_written(self, disk: Disk) -> None:
        """A record beyond the codec's limits is refused as the caller's error; then the store goes on."""
        store, _ = disk.open()
        with pytest.raises(ValueError, match=r"Peer\.name"):
            store.write([put(RECORDS[0]), put(Identity(Peer("", 1)))])
        store.write([put(RECORDS[1])])
        disk.die()

        assert disk.open()[1] == RECORDS[1:2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be."""
    return tmp_path / "data" / NAME


@pytest.fixture
def full(path: Path) -> Path:
    """Where a closed store with all of `RECORDS` is."""
    opened = Store.open(path)
    opened.store.write([put(*RECORDS)])
    opened.store.close()
    return path


def reopened(path: Path) -> tuple[Record, ...]:
    """What a sound store holds; closed again."""
    opened = Store.open(path)
    opened.store.close()
    assert opened.set_aside is None
    return opened.records


class TestSqliteStore:
    """What only the real store does."""

    def test_makes_directories(self, tmp_path: Path) -> None:
        """Missing directories are made, closed to other users."""
        path = tmp_path / "one" / "two" / NAME
        Store.open(path).store.close()

        assert path.exists()
        assert 0o700 == path.parent.stat().st_mode & 0o777

    def test_weakest_sufficient_durability(self, path: Path) -> None:
        """SQLite syncs a commit if any of its parts asks for that, and only then; it is never off."""
        store = Store.open(path).store
        levels = []
        for durabilities in ([1], [2], [1, 1], [1, 2, 1], [1]):
            store.write([put(RECORDS[0], durability=Durability(one)) for one in durabilities])
            levels.append(store._connection.execute("PRAGMA synchronous").fetchone()[0])
        store.close()

        normal, synced = 1, 2
        assert levels == [normal, synced, normal, synced, normal]

    def test_other_threads(self, path: Path) -> None:
        """A store is written from another thread than it was opened in."""
        store = Store.open(path).store
        with ThreadPoolExecutor(1) as executor:
            executor.submit(store.write, [put(*RECORDS)]).result()
        store.close()

        assert reopened(path) == RECORDS

    def test_one_at_a_time(self, path: Path) -> None:
        """A store that is open cannot be opened again."""
        store = Store.open(path).store
        with pytest.raises(StorageError, match="another process has it open"):
            Store.open(path)
        store.close()

        assert reopened(path) == ()

    def test_no_directory_to_be_had(self, tmp_path: Path) -> None:
        """A path that cannot be is a storage error that says what to look at."""
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(StorageError, match=r"see that its directory exists and that this user may write"):
            Store.open(tmp_path / "file" / NAME)

    def test_a_directory_in_its_place(self, path: Path) -> None:
        """A directory with the store's name is a storage error, and stays."""
        path.mkdir(parents=True)
        with pytest.raises(StorageError, match="Is a directory"):
            Store.open(path)

        assert path.is_dir()

    @pytest.mark.parametrize("locked", ["the file", "the directory"])
    def test_no_permission(self, full: Path, locked: str) -> None:
        """A store that this user may read but not write is a storage error, and is not set aside."""
        # Not in pytest's directories, which other users cannot enter.
        with tempfile.TemporaryDirectory(prefix="weaveipam-") as name:
            path = Path(shutil.copy(full, name))
            path.chmod(0o444 if locked == "the file" else 0o666)
            path.parent.chmod(0o555 if locked == "the directory" else 0o777)
            with not_root(), pytest.raises(StorageError, match="that this user may write there"):
                Store.open(path)
            left = list(path.parent.iterdir())
            path.parent.chmod(0o700)

        assert [path] == left


@contextmanager
def not_root() -> Iterator[None]:
    """Be nobody for a while if this process is root's, whom no permission stops; else stay who we are."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def environment() -> dict[str, str]:
    """What a child needs to import what this process does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def overwrite(offset: int, content: bytes) -> Callable[[Path], None]:
    """Damage: other bytes at an offset."""

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    return damage


def execute(*statements: str) -> Callable[[Path], None]:
    """Damage: statements by somebody who knows SQL."""

    def damage(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return damage


FLIP = "UPDATE records SET value = substr(value, 1, 20) || x'ff' || substr(value, 22) WHERE kind = 'Owned'"

NEW_IDENTITY = "UPDATE records SET value = x'{}' WHERE kind = 'Identity'"

DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_bytes(b"records:\n" * 1000),
    "short": lambda path: os.truncate(path, 10),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "page of zeros": overwrite(4096, bytes(4096)),
    "page of noise": overwrite(4096, random.Random(1).randbytes(4096)),
    "schema of noise": overwrite(200, random.Random(1).randbytes(3800)),
    "not ours": execute("PRAGMA application_id = 1"),
    "no schema version": execute("PRAGMA user_version = 0"),
    "not in WAL mode": execute("PRAGMA journal_mode = DELETE"),
    "no table": execute("DROP TABLE records"),
    "other table": execute("DROP TABLE records", "CREATE TABLE records (key, value)"),
    "flipped bits in a value": execute(FLIP),
    "empty value": execute("UPDATE records SET value = x'' WHERE kind = 'Owned'"),
    "no value": execute("UPDATE records SET value = NULL WHERE kind = 'Owned'"),
    "text for a value": execute("UPDATE records SET value = 'text' WHERE kind = 'Owned'"),
    "other key": execute("UPDATE records SET key = 'x' WHERE kind = 'Owned'"),
    "other kind": execute("UPDATE records SET kind = 'x' WHERE kind = 'Owned'"),
    "key that is not text": execute("UPDATE records SET key = CAST(x'ff' AS TEXT) WHERE kind = 'Owned'"),
}


class TestDamage:
    """Stores that are not what was written."""

    @pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
    def test_is_set_aside(self, full: Path, damage: Callable[[Path], object]) -> None:
        """A damaged store is kept under another name, and an empty one that works takes its place."""
        damage(full)
        content = full.read_bytes()
        opened = Store.open(full)
        opened.store.write([put(RECORDS[0])])
        opened.store.close()

        assert () == opened.records
        assert full.with_name(f"{NAME}.corrupt-1") == opened.set_aside
        assert opened.damage
        assert content == opened.set_aside.read_bytes()
        assert reopened(full) == RECORDS[:1]

    def test_nothing_is_overwritten(self, full: Path) -> None:
        """Each damaged store gets a name of its own."""
        aside = []
        for content in (b"first", b"second", b"third"):
            full.write_bytes(content)
            opened = Store.open(full)
            opened.store.close()
            aside.append(opened.set_aside)

        assert aside == [full.with_name(f"{NAME}.corrupt-{number}") for number in (1, 2, 3)]
        assert [b"first", b"second", b"third"] == [one.read_bytes() for one in aside if one is not None]

    def test_side_files_go_along(self, path: Path) -> None:
        """The WAL of a damaged store is set aside with it, and is not applied to the new one."""
        store = Store.open(path).store
        store.write([put(*RECORDS)])
        wal = path.with_name(f"{NAME}-wal").read_bytes()
        store.close()
        path.write_bytes(b"damaged")
        path.with_name(f"{NAME}-wal").write_bytes(wal)
        opened = Store.open(path)
        opened.store.close()

        assert () == opened.records
        assert wal == path.with_name(f"{NAME}.corrupt-1-wal").read_bytes()

    def test_side_file_without_database(self, path: Path) -> None:
        """A WAL whose database is gone, as after a death while setting aside, is set aside as well."""
        store = Store.open(path).store
        store.write([put(*RECORDS)])
        wal = path.with_name(f"{NAME}-wal").read_bytes()
        store.close()
        path.rename(path.with_name(f"{NAME}.corrupt-1"))
        path.with_name(f"{NAME}-wal").write_bytes(wal)
        opened = Store.open(path)
        opened.store.close()

        assert () == opened.records
        assert path.with_name(f"{NAME}.corrupt-2") == opened.set_aside
        assert wal == path.with_name(f"{NAME}.corrupt-2-wal").read_bytes()

    def test_torn_wal(self, path: Path, tmp_path: Path) -> None:
        """Without the end of its WAL, as after a power cut, a store holds the transactions that are whole."""
        store = Store.open(path).store
        store.write([put(RECORDS[0])])
        size = path.with_name(f"{NAME}-wal").stat().st_size
        store.write([put(*RECORDS[1:], durability=Durability.PROCESS)])
        copy = tmp_path / "copy" / NAME
        shutil.copytree(path.parent, copy.parent)
        store.close()
        os.truncate(copy.with_name(f"{NAME}-wal"), size + 2000)

        assert reopened(copy) == RECORDS[:1]

    def test_damaged_wal_is_an_older_store(self, path: Path, tmp_path: Path) -> None:
        """One wrong bit in its WAL takes all that was written later, unseen: only others know of that."""
        store = Store.open(path).store
        store.write([put(RECORDS[0])])
        size = path.with_name(f"{NAME}-wal").stat().st_size
        store.write([put(RECORDS[1])])
        store.write([put(*RECORDS[2:])])
        copy = tmp_path / "copy" / NAME
        shutil.copytree(path.parent, copy.parent)
        store.close()
        wal = copy.with_name(f"{NAME}-wal")
        content = bytearray(wal.read_bytes())
        content[size + 1000] ^= 1
        wal.write_bytes(content)

        assert reopened(copy) == RECORDS[:1]

    def test_died_while_being_made(self, path: Path) -> None:
        """What a death during the making of a store leaves is not taken for a store."""
        path.parent.mkdir()
        path.with_name(f"{NAME}.new").write_bytes(b"half")
        path.with_name(f"{NAME}.new-wal").write_bytes(b"made")

        assert reopened(path) == ()

    @pytest.mark.slow
    def test_any_flipped_bit(self, full: Path) -> None:
        """A store with any one bit flipped is set aside, refused, or holds exactly what was written."""
        whole, rng = full.read_bytes(), random.Random(4)
        believed = 0
        for bit in [*range(8 * 16, 8 * 28), *(rng.randrange(8 * len(whole)) for _ in range(60))]:
            content = bytearray(whole)
            content[bit // 8] ^= 1 << bit % 8
            full.write_bytes(content)
            try:
                opened = Store.open(full)
            except OtherReleaseError:
                assert 60 <= bit // 8 < 64, "only of the version nobody can tell that it is damaged"
                continue
            opened.store.close()
            believed += opened.set_aside is None

            assert opened.records == (() if opened.set_aside else RECORDS), f"bit {bit} of byte {bit // 8}"
            if opened.set_aside:
                opened.set_aside.unlink()

        assert believed, "most of the file is unused, so some flips must be harmless"


class TestOtherReleases:
    """Stores that are as a later release has written them."""

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ("PRAGMA user_version = 2", "version 2 of its table; this release reads 1"),
            (
                "INSERT INTO records VALUES ('New', '', {other_version})",
                "record version 2; this release reads 1",
            ),
            ("INSERT INTO records VALUES ('New', '', {other_kind})", "its tag is not known"),
        ],
    )
    def test_are_refused_and_left_alone(self, full: Path, change: str, why: str) -> None:
        """A store that only a later release can read is refused with advice, as often as it is opened."""
        body = b"\x92\x63\x01"
        digests = {version: codec._record_digest(body, version) for version in (1, 2)}
        values = {
            "other_version": f"x'02{(digests[2] + body).hex()}'",
            "other_kind": f"x'01{(digests[1] + body).hex()}'",
        }
        execute(change.format(**values))(full)
        content = full.read_bytes()
        for _ in range(2):
            with pytest.raises(OtherReleaseError, match=f"{why}.*start that one again"):
                Store.open(full)

        assert [full] == [one for one in full.parent.iterdir() if one.name.startswith(NAME)]
        assert content == full.read_bytes()

    def test_appended_fields_are_read(self, full: Path) -> None:
        """A record with a field that a later release has appended is read without it."""
        body = b"\x93\x01\x92\xa6node-1\x07\xc0"
        value = (b"\x01" + codec._record_digest(body) + body).hex()
        execute(NEW_IDENTITY.format(value))(full)

        assert reopened(full) == RECORDS


class TestFullDisk:
    """No room left."""

    def test_by_limit(self, full: Path) -> None:
        """A write for which there is no room fails with advice, leaves nothing, and is the store's last."""
        store = Store.open(full).store
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="free some space"):
            store.write([put(*RECORDS[:2]), put(*many(0))])
        with pytest.raises(StorageError, match="has failed before"):
            store.write([put(RECORDS[0])])
        store.close()

        assert reopened(full) == RECORDS

    @pytest.mark.root
    @pytest.mark.slow
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
    @pytest.mark.parametrize("durability", Durability)
    def test_on_a_small_disk(self, tmp_path: Path, durability: Durability) -> None:
        """A full file system fails one write with advice; all earlier ones are there, and none of it."""
        tmp_path = tmp_path / "mount"
        tmp_path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=True)
        try:
            store = Store.open(tmp_path / NAME).store
            written = fill(store, durability)
            store.close()
            left = reopened(tmp_path / NAME)
        finally:
            subprocess.run(["umount", tmp_path], check=True)

        assert written > 2
        assert sum((many(number) for number in range(written)), ()) == left

    @pytest.mark.root
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
    def test_no_room_for_a_new_store(self, tmp_path: Path) -> None:
        """A store that there is no room to make is a storage error with advice."""
        tmp_path = tmp_path / "mount"
        tmp_path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", tmp_path], check=True)
        try:
            with pytest.raises(StorageError, match="free some space"):
                Store.open(tmp_path / NAME)
        finally:
            subprocess.run(["umount", tmp_path], check=True)


def fill(store: Store, durability: Durability) -> int:
    """How many transactions were written when one failed for want of room."""
    for number in itertools.count():
        try:
            store.write([put(*many(number), durability=durability)])
        except StorageError as error:
            assert "free some space" in str(error)  # noqa: PT017  # which of the writes fails is not known
            return number
    raise AssertionError


def many(number: int) -> tuple[Outgoing, ...]:
    """The records of transaction `number`: enough that their commit takes a while and some pages."""
    runs = tuple(RUN._replace(start=index, stop=index + 1) for index in range(500))
    return tuple(Outgoing(8 * number + index, ME, RING, runs) for index in range(8))


OPENER = """
import sys
from pathlib import Path
from weaveipam.daemon.store import Store
def say(event, args):
    if event in ("open", "sqlite3.connect"):
        print(event, args[0])
sys.addaudithook(say)
Store.open(Path(sys.argv[1])).store.close()
"""


class TestInheritance:
    """What a process left that died while the disk was at work."""

    @pytest.mark.slow
    def test_is_synced_before_it_is_believed(self, path: Path) -> None:
        """The WAL of an earlier process, which perhaps only the kernel holds, is synced before it is read."""
        opened = Store.open(path)
        opened.store.write([put(*RECORDS)])
        copy = path.parent.with_name("life-2")
        shutil.copytree(path.parent, copy)
        opened.store.close()
        ran = subprocess.run(
            [sys.executable, "-c", OPENER, copy / NAME],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )

        events = ran.stdout.splitlines()
        assert events.index(f"open {copy / NAME}-wal") < events.index(f"sqlite3.connect {copy / NAME}")


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_store import many
from weaveipam.daemon.store import Store
from weaveipam.protocol.effects import Durability, Persist
opened = Store.open(Path(sys.argv[1]))
assert opened.set_aside is None, opened.damage
number = len(opened.records) // 8
while True:
    opened.store.write([Persist(many(number), (), Durability[sys.argv[2]])])
    print(number, flush=True)
    number += 1
"""


class TestKilled:
    """Real deaths of real processes."""

    @pytest.mark.slow
    @pytest.mark.parametrize("durability", Durability)
    def test_at_random_moments(self, path: Path, durability: Durability) -> None:
        """After `kill -9` at any moment every acknowledged transaction is there, and each is there whole."""
        rng = random.Random(durability)
        acknowledged = -1
        for _ in range(6):
            writer = subprocess.Popen(
                [sys.executable, "-c", WRITER, path, durability.name, Path(__file__).parent],
                env=environment(),
                stdout=subprocess.PIPE,
            )
            assert writer.stdout is not None
            numbers = [int(writer.stdout.readline())]
            timer = threading.Timer(rng.uniform(0, 0.1), writer.kill)
            timer.start()
            numbers += [int(line) for line in writer.stdout if line.endswith(b"\n")]
            writer.stdout.close()
            timer.join()

            assert -9 == writer.wait()
            records = reopened(path)
            transactions = len(records) // 8
            assert numbers[0] >= acknowledged + 1
            assert transactions in (numbers[-1] + 1, numbers[-1] + 2)
            assert records == sum((many(number) for number in range(transactions)), ())
            acknowledged = transactions - 1
