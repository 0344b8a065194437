"""The key ring's file, and changes of it, on a real disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from weaveipam.daemon.keyring import FILE_BYTES_MAX, Keeper, KeyringFile
from weaveipam.errors import ConfigError
from weaveipam.protocol.keyring import PLAIN, Key, KeyRing
from weaveipam.protocol.requests import Answer, Keyring, Reason, Refusal, Request, SetKeyring

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))


class Node:
    """Remembers which rings it was given."""

    def __init__(self) -> None:
        self.rings: list[KeyRing] = []

    async def ask(self, request: Request) -> Answer:
        """Takes any ring."""
        assert isinstance(request, SetKeyring)
        await asyncio.sleep(0)
        self.rings.append(request.ring)
        return Keyring(())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that holds OLD."""
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(f"# ours\n{OLD.text}\n")
    return path


@pytest.fixture
def unwritable(path: Path) -> Path:
    """As above, with a name so long that no new file can be made beside it."""
    return path.rename(path.with_name("k" * 250))


def test_what_is_written_is_read(path: Path) -> None:
    """A ring that is written is the ring that is read, and nothing else lies beside it."""
    ring = KeyRing((NEW, PLAIN, OLD))
    KeyringFile(path).write(ring)

    assert ring == KeyringFile(path).read()
    assert [path] == list(path.parent.iterdir())


def test_only_the_owner_can_read_what_is_written(path: Path) -> None:
    """However wide the file and the umask were, keys are written for the owner alone."""
    path.chmod(0o644)
    before = os.umask(0)
    try:
        KeyringFile(path).write(KeyRing((NEW,)))
    finally:
        os.umask(before)

    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601])
def test_a_file_open_to_all_is_refused(path: Path, mode: int) -> None:
    """Keys that every user of the host can read are none; the message says what mends it."""
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"open to every user: chmod 600 {path}"):
        KeyringFile(path).read()


def test_a_group_may_read(path: Path) -> None:
    """A file of a group is taken, as Kubernetes gives a secret to the group of a pod that is not root."""
    path.chmod(0o440)

    assert KeyRing((OLD,)) == KeyringFile(path).read()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "1 to 16 keys, not 0"),
        (b"\xff\xfe", "not UTF-8"),
        (b"plain\nnonsense\n", "line 2"),
        (b"#" * (FILE_BYTES_MAX + 1), "1 to 16 keys, not 0"),
    ],
)
def test_what_is_no_ring_is_refused(path: Path, content: bytes, why: str) -> None:
    """Any other content is refused with the file's name and the reason."""
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=f"key ring {path}.*{why}"):
        KeyringFile(path).read()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is no empty ring."""
    with pytest.raises(ConfigError, match="No such file"):
        KeyringFile(tmp_path / "none").read()
    with pytest.raises(ConfigError, match=r"cannot write the key ring.*No such file"):
        KeyringFile(tmp_path / "none" / "keys").write(KeyRing((OLD,)))


def test_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    """Where the path is a link its target is replaced, and the link stays."""
    link = tmp_path / "link"
    link.symlink_to(path)
    KeyringFile(link).write(KeyRing((NEW,)))

    assert link.is_symlink()
    assert KeyRing((NEW,)) == KeyringFile(path).read()


async def test_a_rotation(path: Path) -> None:
    """Each change is in the file and at the node; one that changes nothing is told the node all the same."""
    node, file = Node(), KeyringFile(path)
    keeper = Keeper(file, node.ask)
    for answer in (
        await keeper.add(f"  {NEW.text}  # {NEW.id}\n"),
        await keeper.add(NEW.text),
        await keeper.use(NEW.id),
        await keeper.remove(OLD.id),
    ):
        assert isinstance(answer, Keyring)

    assert [(OLD, NEW), (OLD, NEW), (NEW, OLD), (NEW,)] == [ring.keys for ring in node.rings]
    assert KeyRing((NEW,)) == file.read()


async def test_a_refused_change_changes_nothing(path: Path) -> None:
    """A change that makes no sense is refused with a reason: neither the file nor the node hears of it."""
    node, file = Node(), KeyringFile(path)
    keeper = Keeper(file, node.ask)

    refusals = [await keeper.add("nonsense"), await keeper.use("nobody"), await keeper.remove(OLD.id)]
    for refusal in refusals:
        assert isinstance(refusal, Refusal)
        assert Reason.INVALID is refusal.reason
    assert KeyRing((OLD,)) == file.read()
    assert [] == node.rings


async def test_what_cannot_be_written_is_not_used(unwritable: Path) -> None:
    """A change that would be gone after a restart is refused."""
    node = Node()
    answer = await Keeper(KeyringFile(unwritable), node.ask).add(NEW.text)

    assert isinstance(answer, Refusal)
    assert [] == node.rings


async def test_reload(path: Path) -> None:
    """What somebody else has written is used when asked for."""
    node, file = Node(), KeyringFile(path)
    keeper = Keeper(file, node.ask)
    file.write(KeyRing((NEW, OLD)))
    await keeper.reload()

    assert [KeyRing((NEW, OLD))] == node.rings


async def test_changes_take_turns(path: Path) -> None:
    """Changes asked for at once are made one after the other, and none is lost."""
    node, file = Node(), KeyringFile(path)
    keeper = Keeper(file, node.ask)
    more = [Key(bytes((number,)) * 16) for number in range(8)]
    await asyncio.gather(*(keeper.add(key.text) for key in more))

    assert {OLD, *more} == set(file.read().keys)
    assert [len(ring.keys) for ring in node.rings] == list(range(2, 10))


async def test_without_a_file_nothing_changes() -> None:
    """A daemon that was started without a key ring refuses, and says what it needs."""
    node = Node()
    answer = await Keeper(None, node.ask).add(NEW.text)

    assert isinstance(answer, Refusal)
    assert "--keyring FILE" in answer.detail
    assert [] == node.rings
