"""Names to addresses: at once, in the background, again and again, within bounds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from weaveipam.daemon import resolve
from weaveipam.daemon.resolve import Resolver, system_lookup

PATIENCE_S = 10.0


class _Names:
    """A scripted name service: answers from a table, or fails; may be held up."""

    def __init__(self, **table: tuple[str, ...]) -> None:
        self.table = table
        self.asked: list[str] = []
        self.open_gate = threading.Event()
        self.open_gate.set()

    def __call__(self, host: str, family: socket.AddressFamily) -> tuple[str, ...]:
        del family
        self.asked.append(host)
        self.open_gate.wait(PATIENCE_S)
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.table[host]


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _resolver(names: _Names, clock: _Clock | None = None) -> Resolver:
    return Resolver(socket.AF_INET, names, clock or _Clock())


async def _answer(resolver: Resolver, host: str) -> str | None:
    """What the resolver says in the end."""
    future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
    resolver.resolve(host, future.set_result)
    return await asyncio.wait_for(future, PATIENCE_S)


def _at_once(resolver: Resolver, host: str) -> list[str | None]:
    """What the resolver says before the event loop runs again: nothing, or one answer."""
    said: list[str | None] = []
    resolver.resolve(host, said.append)
    return said


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("family", "host", "expected"),
    [
        (socket.AF_INET, "192.0.2.1", "192.0.2.1"),
        (socket.AF_INET6, "2001:db8::1", "2001:db8::1"),
        (socket.AF_INET, "2001:db8::1", None),
        (socket.AF_INET6, "192.0.2.1", None),
    ],
)
async def test_numeric_hosts_take_no_detour(
    family: socket.AddressFamily, host: str, expected: str | None
) -> None:
    """A numeric host is answered at once, by itself or as unusable for the family, and nobody is asked."""
    names = _Names()

    assert [expected] == _at_once(Resolver(family, names), host)
    assert names.asked == []


async def test_a_slow_name_service_holds_up_nobody() -> None:
    """While one look-up hangs the event loop goes on, and other hosts are answered."""
    names = _Names(slow=("192.0.2.1",))
    names.open_gate.clear()
    resolver = _resolver(names)

    waiting = asyncio.ensure_future(_answer(resolver, "slow"))
    await _until(lambda: names.asked == ["slow"])
    assert ["192.0.2.2"] == _at_once(resolver, "192.0.2.2")
    assert not waiting.done()
    names.open_gate.set()

    assert await waiting == "192.0.2.1"


async def test_a_fresh_answer_is_not_asked_for_again() -> None:
    """Within FRESH_S a name is answered at once from memory."""
    names, clock = _Names(peer=("192.0.2.1",)), _Clock()
    resolver = _resolver(names, clock)
    await _answer(resolver, "peer")

    clock.now = resolve.FRESH_S - 1

    assert ["192.0.2.1"] == _at_once(resolver, "peer")
    assert names.asked == ["peer"]


async def test_callers_at_the_same_time_share_a_look_up() -> None:
    """Two callers for one name cost one look-up, and both are answered."""
    names = _Names(peer=("192.0.2.1",))
    resolver = _resolver(names)

    answers = await asyncio.gather(_answer(resolver, "peer"), _answer(resolver, "peer"))

    assert list(answers) == ["192.0.2.1", "192.0.2.1"]
    assert names.asked == ["peer"]


async def test_a_stale_answer_serves_until_the_new_one_is_there() -> None:
    """After FRESH_S the old address is used while the name is looked up again, then the new one."""
    names, clock = _Names(peer=("192.0.2.1",)), _Clock()
    resolver = _resolver(names, clock)
    await _answer(resolver, "peer")
    names.table["peer"] = ("192.0.2.9",)

    clock.now = resolve.FRESH_S

    assert ["192.0.2.1"] == _at_once(resolver, "peer")
    await _until(lambda: _at_once(resolver, "peer") == ["192.0.2.9"])


async def test_a_name_that_stops_resolving_keeps_its_address() -> None:
    """Trouble of the name service does not take a known address away."""
    names, clock = _Names(peer=("192.0.2.1",)), _Clock()
    resolver = _resolver(names, clock)
    await _answer(resolver, "peer")
    del names.table["peer"]

    for _ in range(3):
        clock.now += resolve.FRESH_S
        assert ["192.0.2.1"] == _at_once(resolver, "peer")
        await _until(lambda: resolver._lookups_running == 0)
    assert names.asked == ["peer"] * 4


async def test_an_unknown_name_is_tried_again_but_not_at_once() -> None:
    """A failed look-up is answered with None, from memory until RETRY_S have passed, then tried again."""
    names, clock = _Names(), _Clock()
    resolver = _resolver(names, clock)

    assert await _answer(resolver, "peer") is None
    assert [None] == _at_once(resolver, "peer")
    names.table["peer"] = ("192.0.2.1",)
    clock.now = resolve.RETRY_S

    assert await _answer(resolver, "peer") == "192.0.2.1"
    assert names.asked == ["peer", "peer"]


async def test_several_addresses_are_used_in_turn() -> None:
    """A name with three addresses gives each of them in three calls."""
    addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    resolver = _resolver(_Names(peers=addresses))
    await _answer(resolver, "peers")

    assert set(addresses) == {_at_once(resolver, "peers")[0] for _ in range(3)}


async def test_look_ups_have_a_bound() -> None:
    """Beyond LOOKUPS_MAX hanging look-ups a new name is unresolved at once, and found once they are over."""
    names = _Names(**{f"n{number}": ("192.0.2.1",) for number in range(resolve.LOOKUPS_MAX + 1)})
    names.open_gate.clear()
    resolver = _resolver(names)
    hanging = [asyncio.ensure_future(_answer(resolver, f"n{one}")) for one in range(resolve.LOOKUPS_MAX)]
    await _until(lambda: len(names.asked) == resolve.LOOKUPS_MAX)

    assert [None] == _at_once(resolver, f"n{resolve.LOOKUPS_MAX}")
    names.open_gate.set()
    await asyncio.gather(*hanging)

    assert await _answer(resolver, f"n{resolve.LOOKUPS_MAX}") == "192.0.2.1"


async def test_waiting_callers_have_a_bound() -> None:
    """Of more callers than may wait for a name, the oldest is told that there is no address."""
    names = _Names(peer=("192.0.2.1",))
    names.open_gate.clear()
    resolver = _resolver(names)
    answers = [asyncio.ensure_future(_answer(resolver, "peer")) for _ in range(resolve.WAITING_MAX + 1)]
    await _until(lambda: any(answer.done() for answer in answers))
    names.open_gate.set()

    assert [None] + ["192.0.2.1"] * resolve.WAITING_MAX == await asyncio.gather(*answers)


@pytest.mark.slow
async def test_remembered_names_have_a_bound() -> None:
    """Of more names than are remembered, the first is forgotten and looked up again."""
    hosts = [f"n{number}" for number in range(resolve.NAMES_MAX + 1)]
    names = _Names(**dict.fromkeys(hosts, ("192.0.2.1",)))
    resolver = _resolver(names)

    for host in hosts:
        await _answer(resolver, host)
    await _answer(resolver, hosts[0])

    assert len(resolver._names) == resolve.NAMES_MAX
    assert names.asked.count(hosts[0]) == 2


async def test_a_look_up_that_outlives_the_resolver_is_not_heard() -> None:
    """Nobody is called back once the resolver is closed."""
    names = _Names(peer=("192.0.2.1",))
    names.open_gate.clear()
    resolver = _resolver(names)
    said: list[str | None] = []
    resolver.resolve("peer", said.append)

    resolver.close()
    names.open_gate.set()
    await _until(lambda: resolver._lookups_running == 0)

    assert said == []


def test_the_system_knows_localhost() -> None:
    """The host's own resolver gives numeric addresses of the family asked for."""
    assert "127.0.0.1" in system_lookup("localhost", socket.AF_INET)


@pytest.mark.parametrize("host", ["", "no..such", "a" * 64, "x\0y", "name.invalid"])
async def test_what_is_no_name_has_no_address(host: str) -> None:
    """Whatever stands where a name should be, the answer is None and nothing breaks."""
    resolver = Resolver(socket.AF_INET, _refuse_invalid)

    assert await _answer(resolver, host) is None


def _refuse_invalid(host: str, family: socket.AddressFamily) -> tuple[str, ...]:
    """The system's look-up, except that the network is not asked about a name that never exists."""
    if host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    if not host:
        # getaddrinfo takes an empty host for this host; the transport refuses it before it gets here.
        raise OSError("no name")
    return system_lookup(host, family)
