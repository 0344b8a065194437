"""A simulated disk loses what it may lose, and never what it may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ring.address import Family, Range
from ring.ring import Peer, Run, Token
from simulations.disk import Disk, Opened
from weaveipam.errors import StorageError
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Owned, Record, RecordKey, Resting
from weaveipam.protocol.values import RingId

ME = Peer("node-1", 7)
RING = RingId("default", Family.V4)

State = Mapping[RecordKey, Record]
"""What a store holds."""

Commit = Sequence[Persist]
Life = tuple[list[Commit], Commit | None, str]
"""What a process finished, what it had only begun, and how it ended: `die` or `lose_power`."""


def owned(start: int, stop: int) -> Owned:
    """A record whose key is where it starts."""
    return Owned(RING, Run(start, stop, Token(0, 1), ME, ME))


def put(*records: Record, durability: Durability = Durability.PROCESS) -> Persist:
    """Records to write."""
    return Persist(records, (), durability)


RECORD = st.builds(owned, st.integers(0, 2), st.integers(10, 99)) | st.builds(
    lambda start: Resting(RING, Range(start, start + 1)), st.integers(0, 2)
)
PERSIST = st.builds(
    Persist,
    st.lists(RECORD, max_size=3).map(tuple),
    st.lists(RECORD.map(lambda record: record.record_key), max_size=2).map(tuple),
    st.sampled_from(Durability),
)
COMMIT = st.lists(PERSIST, max_size=3)
LIFE = st.tuples(st.lists(COMMIT, max_size=5), st.none() | COMMIT, st.sampled_from(["die", "lose_power"]))
SEED = st.integers(0, 1 << 32)
SEEDS = range(60)
"""Enough for everything that is left to chance to come about."""


def after(state: State, commit: Commit) -> State:
    """What a commit makes of a state."""
    result = dict(state)
    for persist in commit:
        for key in persist.delete:
            result.pop(key, None)
        result |= {record.record_key: record for record in persist.put}
    return result


def state_of(opened: Opened) -> State:
    """What a store held when it was opened."""
    return {record.record_key: record for record in opened.records}


def synced(commit: Commit) -> bool:
    """Whether a commit is to be on stable storage when it is finished."""
    return any(persist.durability is Durability.HOST for persist in commit)


def written(seed: int, *commits: Commit) -> Disk:
    """A disk with an open store that a process has made these commits in."""
    disk = Disk(Random(seed))
    disk.open()
    for commit in commits:
        disk.write(commit)
    return disk


class TestWhatIsLeft:
    """After the deaths of processes and of the host."""

    @pytest.mark.slow
    @settings(max_examples=300)
    @given(st.lists(LIFE, min_size=1, max_size=4), SEED)
    def test_of_any_story(self, lives: list[Life], seed: int) -> None:
        """
        What is left is what some prefix of the commits made, with all that was promised.

        A death of the process takes no finished commit; one of the host none up to the last finished with
        HOST, whichever process made it; a commit not finished is there whole or not at all.
        """
        disk = Disk(Random(seed))
        states: list[State] = [{}]  # those that the host's death may leave; the last is what a process reads
        for commits, begun, end in lives:
            assert state_of(disk.open()) == states[-1]
            for commit in commits:
                disk.write(commit)
                states.append(after(states[-1], commit))
                if synced(commit):
                    states = states[-1:]
            unfinished = [] if begun is None else [after(states[-1], begun)]
            if begun is not None:
                disk.begin(begun)
            if end == "die":
                disk.die()
                found = peek(disk)
                assert found in [states[-1], *unfinished]
                states.append(found)
            else:
                disk.lose_power()
                found = peek(disk)
                assert found in [*states, *unfinished]
                states = [found]
        assert state_of(disk.open()) == states[-1]

    @pytest.mark.parametrize("end", ["die", "lose_power"])
    @pytest.mark.parametrize("durability", Durability)
    def test_of_an_unfinished_commit(self, end: str, durability: Durability) -> None:
        """A commit that was not finished is there after some deaths and not after others, and is counted."""
        sizes = set()
        for seed in SEEDS:
            disk = written(seed, [put(owned(0, 9), durability=Durability.HOST)])
            disk.begin([put(owned(1, 9), owned(2, 9), durability=durability)])
            getattr(disk, end)()
            size = len(disk.open().records)
            sizes.add(size)

            assert disk.counters["unfinished-kept"] == (size == 3)
            assert disk.counters["unfinished-lost"] == (size == 1)
            assert disk.counters["lost-commits"] == 0
        assert sizes == {1, 3}

    def test_of_finished_commits(self) -> None:
        """A loss of power takes none, some, or all commits that are not synced, and counts them."""
        sizes = set()
        for seed in SEEDS:
            disk = written(
                seed,
                [put(owned(0, 9))],
                [put(owned(1, 9), durability=Durability.HOST)],
                *([put(owned(start, 9))] for start in (2, 3, 4)),
            )
            disk.lose_power()
            size = len(disk.open().records)
            sizes.add(size)

            assert disk.counters["lost-commits"] == 5 - size
        assert sizes == {2, 3, 4, 5}

    def test_of_a_torn_commit(self) -> None:
        """Some losses leave a part of a commit, which the next to open finds once; without loss none does."""
        torn = set()
        for seed in SEEDS:
            disk = written(seed, [put(owned(0, 9))])
            disk.lose_power()
            first = disk.open()
            disk.close()
            again = disk.open()
            torn.add((len(first.records), first.torn))

            assert disk.counters["torn"] == first.torn
            assert again.records == first.records
            assert not again.torn
        assert torn == {(1, False), (0, False), (0, True)}

    def test_of_a_kept_commit_on_a_second_loss(self) -> None:
        """A commit with HOST that outlived its process, and was read by the next one, stays for good."""
        kept = set()
        for seed in SEEDS:
            disk = written(seed)
            disk.begin([put(owned(0, 9), durability=Durability.HOST)])
            disk.die()
            if disk.open().records:
                disk.lose_power()
                kept.add(len(disk.open().records))

        assert kept == {1}

    def test_of_a_second_loss(self) -> None:
        """What is left by one loss of power is left by all that follow."""
        for seed in SEEDS:
            disk = written(seed, *([put(owned(start, 9))] for start in range(3)))
            disk.lose_power()
            left = disk.open().records
            disk.lose_power()
            disk.lose_power()

            assert disk.open().records == left

    def test_after_a_good_end(self) -> None:
        """What a process closed in good order is on stable storage, whatever it had asked for."""
        for seed in SEEDS:
            disk = written(seed, [put(owned(0, 9))])
            disk.close()
            disk.lose_power()

            assert disk.open().records == (owned(0, 9),)

    def test_of_very_many_commits(self) -> None:
        """Commits are on stable storage at the latest when two hundred others have followed them."""
        sizes = set()
        for seed in range(12):
            disk = written(seed, *([put(owned(start, 9999))] for start in range(250)))
            disk.lose_power()
            sizes.add(len(disk.open().records))

        assert {50, 250} <= sizes
        assert min(sizes) == 50


def peek(disk: Disk) -> State:
    """What a process would read, without being one: on a copy, so that nothing of the disk changes."""
    return state_of(disk.copy(Random(0)).open())


class TestDelays:
    """How long commits take."""

    def test_process(self) -> None:
        """Without a sync a commit takes tens of microseconds, however slow the disk is."""
        disk = Disk(Random(1))
        disk.open()
        disk.slowness = 1000.0
        delays = delays_of(disk, Durability.PROCESS)

        assert 10e-6 <= min(delays) < max(delays) <= 100e-6

    def test_host(self) -> None:
        """With a sync it takes milliseconds, and seldom very much longer."""
        disk = Disk(Random(1))
        disk.open()
        delays = delays_of(disk, Durability.HOST)

        assert 0.001 <= min(delays)
        assert 0.001 < median(delays) < 0.003
        assert 0.05 < max(delays) <= 10.0

    def test_slowness(self) -> None:
        """A slow disk takes so many times as long."""
        usual, slow = Disk(Random(1)), Disk(Random(1))
        usual.open()
        slow.open()
        slow.slowness = 7.0

        assert [7.0 * one for one in delays_of(usual, Durability.HOST)] == delays_of(slow, Durability.HOST)


def delays_of(disk: Disk, durability: Durability) -> list[float]:
    """Seconds that each of many commits takes."""
    delays = []
    for _ in range(2000):
        delays.append(disk.begin([put(durability=durability)]))
        disk.finish()
    return delays


class TestFull:
    """No room left."""

    @settings(max_examples=40)
    @given(COMMIT, COMMIT, SEED)
    def test_nothing_of_it_is_there(self, before: Commit, refused: Commit, seed: int) -> None:
        """A commit that puts anything is refused whole, and so is everything until the store is reopened."""
        refused = [*refused, put(owned(9, 10))]
        disk = written(seed, before)
        disk.fill()
        with pytest.raises(StorageError, match="free some space"):
            disk.begin(refused)
        disk.free()
        for commit in (refused, [], before):
            with pytest.raises(StorageError, match="has failed before"):
                disk.begin(commit)
        disk.close()

        assert state_of(disk.open()) == after({}, before)
        assert disk.counters["full"] == 1
        disk.write(refused)
        assert peek(disk) == after(after({}, before), refused)

    def test_deleting_needs_no_room(self) -> None:
        """On a full disk records can still be deleted."""
        disk = written(1, [put(owned(0, 9))])
        disk.fill()
        disk.write([Persist((), (owned(0, 9).record_key,), Durability.HOST)])

        assert peek(disk) == {}

    def test_stays_full(self) -> None:
        """Opening the store again makes no room."""
        disk = written(1)
        disk.fill()
        disk.die()
        disk.open()
        with pytest.raises(StorageError, match="free some space"):
            disk.write([put(owned(0, 9))])


class TestDamage:
    """Stores that are not what was written."""

    @settings(max_examples=40)
    @given(COMMIT, st.booleans(), SEED)
    def test_is_found(self, commit: Commit, running: bool, seed: int) -> None:
        """The next to open a damaged store finds it empty and hears why; then it works as a new one does."""
        disk = written(seed, commit)
        if not running:
            disk.close()
        disk.damage()
        if running:
            disk.write(commit)
            disk.die()
        opened = disk.open()

        assert opened.records == ()
        assert opened.damage
        assert disk.counters["damaged"] == 1
        disk.write([put(owned(0, 9))])
        disk.close()
        assert disk.open() == Opened((owned(0, 9),), "", torn=False)

    def test_of_several_kinds(self) -> None:
        """Lost pages are told in the words of the store, flipped bits in those of the codec."""
        told = set()
        for seed in SEEDS:
            disk = written(seed, [put(owned(0, 9))])
            disk.close()
            disk.damage()
            told.add(disk.open().damage.split()[0])

        assert told == {"quick_check", "a"}


class TestOtherTimes:
    """Disks that are what another one was."""

    def test_roll_back(self) -> None:
        """A disk rolled back holds what was finished at the snapshot, and nothing begun then or later."""
        disk = written(1, [put(owned(0, 9))], [put(owned(1, 9))])
        disk.begin([put(owned(2, 9))])
        snapshot = disk.snapshot()
        disk.finish()
        disk.write([Persist((owned(3, 9),), (owned(0, 9).record_key,), Durability.HOST)])
        disk.die()
        for _ in range(2):
            disk.roll_back(snapshot)
            disk.lose_power()

            assert disk.open().records == (owned(0, 9), owned(1, 9))
            disk.write([put(owned(4, 9))])
            disk.close()
        assert disk.counters["rolled-back"] == 2

    def test_roll_back_to_damage(self) -> None:
        """Damage is there again after a roll back if it was there at the snapshot, and else it is gone."""
        disk = Disk(Random(1))
        sound = disk.snapshot()
        disk.damage()
        damaged = disk.snapshot()
        assert disk.copy(Random(2)).open().damage
        disk.roll_back(sound)
        assert not disk.open().damage
        disk.close()
        disk.roll_back(damaged)
        assert disk.open().damage

    def test_copy(self) -> None:
        """A copy holds what is finished, and from then on neither knows of the other."""
        disk = written(1, [put(owned(0, 9))])
        disk.begin([put(owned(1, 9))])
        other = disk.copy(Random(2))
        disk.finish()

        assert other.open().records == (owned(0, 9),)
        other.write([put(owned(2, 9))])
        assert peek(disk) == after({}, [put(owned(0, 9), owned(1, 9))])
        assert peek(other) == after({}, [put(owned(0, 9), owned(2, 9))])

    def test_wipe(self) -> None:
        """Another disk is empty, sound, and has room."""
        disk = written(1, [put(owned(0, 9))])
        disk.fill()
        disk.damage()
        disk.die()
        disk.wipe()

        assert disk.open() == Opened((), "", torn=False)
        disk.write([put(owned(1, 9))])
        assert disk.counters == {"wiped": 1}


@settings(max_examples=15)
@given(st.lists(LIFE, max_size=3), SEED)
def test_same_seed(lives: list[Life], seed: int) -> None:
    """The same done to two disks with one seed takes the same time and leaves the same."""

    def story() -> list[object]:
        disk, seen = Disk(Random(seed)), list[object]()
        for commits, begun, end in lives:
            seen.append(disk.open())
            for commit in commits:
                seen.append(disk.begin(commit))
                disk.finish()
            if begun is not None:
                seen.append(disk.begin(begun))
            getattr(disk, end)()
        return [*seen, disk.open(), disk.counters]

    assert story() == story()


def test_equal_records_are_kept_once() -> None:
    """Disks that hold equal records share their bytes, and whoever opens them the records."""
    one, other = (written(seed, [put(owned(0, 9))]) for seed in (1, 2))
    (key,) = one.snapshot().records

    assert one.snapshot().records[key] is other.snapshot().records[key]
    one.close()
    other.close()
    assert one.open().records[0] is other.open().records[0]


def die_twice(disk: Disk) -> None:
    """A process is killed that was killed before."""
    disk.die()
    disk.die()


def finish_when_dead(disk: Disk) -> None:
    """A commit is done whose process was killed."""
    disk.die()
    disk.finish()


def begin_when_dead(disk: Disk) -> None:
    """A process that was killed begins a commit."""
    disk.die()
    disk.begin([])


MISUSES: dict[str, Callable[[Disk], object]] = {
    "open twice": lambda disk: disk.open(),
    "begin twice": lambda disk: disk.begin([]),
    "close below a commit": lambda disk: disk.close(),
    "wipe below a process": lambda disk: disk.wipe(),
    "roll back below a process": lambda disk: disk.roll_back(disk.snapshot()),
    "die twice": die_twice,
    "finish when dead": finish_when_dead,
    "begin when dead": begin_when_dead,
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES.keys())
def test_misuse(misuse: Callable[[Disk], object]) -> None:
    """What no process and no host could do is a programmer's error."""
    disk = written(1)
    disk.begin([])
    with pytest.raises(AssertionError):
        misuse(disk)
