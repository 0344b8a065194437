"""The socket that shims connect to: bounded, in order with the spool, and never down."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from cni.framing import AGAIN, HEAD, INPUT_BYTES_MAX, Call, encode_request
from cni.server import CniServer
from cni.spool import Spool
from weaveipam.errors import ConfigError
from weaveipam.protocol.requests import Allocate, Reason, Refusal, Release

MakeCall = Callable[..., Call]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


async def exchange(host: Any, request: bytes) -> tuple[int, bytes] | None:
    """The status and text of the reply to some bytes; None if the connection just ends."""
    reader, writer = await asyncio.open_unix_connection(host.socket)
    reply = b""
    with suppress(ConnectionError):  # when a server closes before it has read everything
        writer.write(request)
        while chunk := await reader.read(65536):
            reply += chunk
    writer.close()
    if not reply:
        return None
    magic, status, size = HEAD.unpack_from(reply)
    assert (magic, size) == (b"wip1", len(reply) - HEAD.size)
    return status, reply[HEAD.size :]


async def code(host: Any, call: Call) -> int:
    """The error's code in the reply to a call that must fail; AGAIN for that status."""
    reply = await exchange(host, encode_request(call))
    assert reply is not None
    return AGAIN if reply[0] == AGAIN else int(json.loads(reply[1])["code"])


def spooled(host: Any, call: Call, number: int = 1) -> None:
    """A deletion, as the shim records it."""
    host.spool.mkdir(parents=True, exist_ok=True)
    (host.spool / f"{number:020}-7.del").write_bytes(encode_request(call))


async def test_a_call_is_answered(host: Any, make_call: MakeCall) -> None:
    """A whole request, also in pieces, gets the plugin's reply."""
    await host.serve()
    request = encode_request(make_call("ADD"))
    reader, writer = await asyncio.open_unix_connection(host.socket)
    for index in range(0, len(request), 7):
        writer.write(request[index : index + 7])
        await asyncio.sleep(0)
    reply = await reader.read()
    writer.close()

    assert HEAD.unpack_from(reply)[:2] == (b"wip1", 0)
    assert json.loads(reply[HEAD.size :])["ips"][0]["address"] == "10.1.0.2/16"


async def test_only_the_owner_may_connect(host: Any) -> None:
    """The socket and the spool are the owner's alone, in a directory that is made."""
    await host.serve()

    assert host.socket.stat().st_mode & 0o7777 == 0o600
    assert host.spool.stat().st_mode & 0o7777 == 0o700


async def test_a_stale_socket_is_replaced(host: Any, make_call: MakeCall) -> None:
    """A socket that nobody listens on any more is in nobody's way."""
    host.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(host.socket))
    await host.serve()

    assert (await exchange(host, encode_request(make_call("VERSION")))) is not None


async def test_a_live_socket_is_left_alone(host: Any, make_call: MakeCall) -> None:
    """A second server is refused, and the first goes on."""
    await host.serve()
    with pytest.raises(ConfigError, match="another program listens"):
        await CniServer.start(host.socket, host.plugin, Spool(host.spool))

    assert (await exchange(host, encode_request(make_call("VERSION")))) is not None


async def test_another_file_is_left_alone(host: Any) -> None:
    """What is no socket is not removed."""
    host.socket.parent.mkdir()
    host.socket.write_text("mine")
    with pytest.raises(ConfigError, match="is not a socket"):
        await host.serve()

    assert host.socket.read_text() == "mine"


async def test_noise_never_brings_it_down(host: Any, make_call: MakeCall) -> None:
    """After any bytes, in any piece of a request, the next call is answered."""
    await host.serve()
    rng = random.Random(7)
    whole = encode_request(make_call("ADD"))
    noises = [rng.randbytes(rng.randrange(1, 200)) for _ in range(20)]
    noises += [
        HEAD.pack(b"wip1", rng.randrange(64), rng.randrange(64)) + rng.randbytes(128) for _ in range(20)
    ]
    noises += [whole[: rng.randrange(len(whole))] for _ in range(10)]
    noises += [HEAD.pack(b"wip1", 0, INPUT_BYTES_MAX + 1), whole + b"more"]
    for noise in noises:
        _, writer = await asyncio.open_unix_connection(host.socket)
        writer.write(noise)
        writer.close()

    assert (await exchange(host, whole) or (None,))[0] == 0


async def test_a_bad_request_is_not_the_callers_fault(host: Any) -> None:
    """A frame that is whole and makes no sense is counted, and told to try again."""
    await host.serve()
    reply = await exchange(host, HEAD.pack(b"wip1", 3, 0) + b"abc")

    assert reply == (AGAIN, b"")
    assert ["cni-bad-frame"] == [one.event for one in host.reports]


async def test_a_caller_that_goes_away_takes_its_request_with_it(
    host: Any, make_call: MakeCall, until: Until
) -> None:
    """When the connection ends before the answer, the ask is cancelled."""
    await host.serve()
    host.allocator.gate.clear()
    _, writer = await asyncio.open_unix_connection(host.socket)
    writer.write(encode_request(make_call("ADD")))
    await until(lambda: bool(host.allocator.asked))
    writer.close()
    await until(lambda: host.allocator.cancelled == 1)

    assert host.allocator.held == {}


async def test_too_many_at_once_are_told_to_come_again(host: Any, make_call: MakeCall) -> None:
    """Beyond the limit the reply is AGAIN at once; when one has gone there is room."""
    await host.serve(connections_max=2)
    held = [await asyncio.open_unix_connection(host.socket) for _ in range(2)]
    request = encode_request(make_call("VERSION"))
    too_many = await exchange(host, b"")
    held[0][1].close()
    reply = None
    while reply in (None, (AGAIN, b"")):
        reply = await exchange(host, request)
    held[1][1].close()

    assert (too_many, (reply or (None,))[0]) == ((AGAIN, b""), 0)


async def test_a_slow_caller_is_cut_off(host: Any, make_call: MakeCall) -> None:
    """Half a request is not waited for beyond the limit; a whole one is answered however long that takes."""
    await host.serve(request_timeout_s=0.05)
    host.allocator.gate.clear()
    request = encode_request(make_call("ADD"))
    whole = asyncio.ensure_future(exchange(host, request))
    half = await exchange(host, request[:-1])
    host.allocator.gate.set()

    assert (half, (await whole or (None,))[0]) == (None, 0)


async def test_no_answer_in_time_is_try_later(host: Any, make_call: MakeCall) -> None:
    """An ADD gets error 11 before its shim gives up; a DEL gets AGAIN, for the spool."""
    await host.serve(answer_timeout_s=0.05)
    host.allocator.gate.clear()

    assert await code(host, make_call("ADD")) == 11
    assert await code(host, make_call("DEL")) == AGAIN
    assert host.allocator.cancelled == 2


async def test_a_failure_inside_is_try_later(host: Any, make_call: MakeCall) -> None:
    """When the daemon itself fails, the caller gets an answer, it is told, and others are served."""
    await host.serve()
    host.allocator.answers = [RuntimeError("a bug"), RuntimeError("a bug")]

    assert [await code(host, make_call("ADD")), await code(host, make_call("DEL"))] == [11, AGAIN]
    assert ["cni-call-failed"] * 2 == [one.event for one in host.reports]
    assert (await exchange(host, encode_request(make_call("ADD"))) or (None,))[0] == 0


async def test_a_deletion_that_must_wait_is_for_the_spool(host: Any, make_call: MakeCall) -> None:
    """DEL refused with try-later is AGAIN, so that it is recorded and succeeds; other errors are told."""
    await host.serve()
    host.allocator.answers = [Refusal(Reason.NOT_READY, "soon"), Refusal(Reason.CONFLICT, "no")]

    assert [await code(host, make_call("DEL")), await code(host, make_call("DEL"))] == [AGAIN, 103]


async def test_the_spool_is_drained_before_the_first_request(host: Any, make_call: MakeCall) -> None:
    """Deletions that were recorded earlier come before the first call, whoever connects first."""
    for number in range(3):
        spooled(host, make_call("DEL", container=f"c{number}"), number)
    await host.serve()
    await exchange(host, encode_request(make_call("ADD", container="c0")))

    assert [Release, Release, Release, Allocate] == [type(one) for one in host.allocator.asked]
    assert (list(host.allocator.held), host.drafts()) == (["cni/net/c0/eth0"], [])


async def test_a_spooled_deletion_is_not_overtaken(host: Any, make_call: MakeCall) -> None:
    """A deletion recorded while the server runs comes before the next ADD of the same container."""
    await host.serve(drain_interval_s=60)
    add = encode_request(make_call("ADD"))
    await exchange(host, add)
    spooled(host, make_call("DEL"))
    await exchange(host, add)

    assert [Allocate, Release, Allocate] == [type(one) for one in host.allocator.asked]
    assert list(host.allocator.held) == ["cni/net/c1/eth0"]


async def test_an_add_waits_for_its_deletion(host: Any, make_call: MakeCall) -> None:
    """While a recorded deletion cannot be carried out, ADD of that container is AGAIN, others are served."""
    await host.serve(drain_interval_s=60)
    await exchange(host, encode_request(make_call("VERSION")))
    spooled(host, make_call("DEL"))
    host.allocator.answers = [Refusal(Reason.NOT_READY, "soon")]
    assert await code(host, make_call("ADD")) == AGAIN

    host.allocator.answers = [Refusal(Reason.NOT_READY, "soon")]
    assert (await exchange(host, encode_request(make_call("ADD", container="c2"))) or (None,))[0] == 0
    assert (await exchange(host, encode_request(make_call("ADD"))) or (None,))[0] == 0


async def test_the_spool_is_looked_at_while_nothing_is_asked(
    host: Any, make_call: MakeCall, until: Until
) -> None:
    """A deletion recorded after the start is carried out without any call."""
    await host.serve(drain_interval_s=0.01)
    spooled(host, make_call("DEL"))
    await until(lambda: host.drafts() == [])

    assert [Release(key="cni/net/c1/eth0")] == host.allocator.asked


async def test_closing_lets_calls_finish(host: Any, make_call: MakeCall, until: Until) -> None:
    """A call that runs is answered, an idle connection ends, and the socket is gone."""
    await host.serve()
    host.allocator.gate.clear()
    running = asyncio.ensure_future(exchange(host, encode_request(make_call("ADD"))))
    idle = asyncio.ensure_future(exchange(host, b"wip1"))
    await until(lambda: bool(host.allocator.asked))
    closing = asyncio.ensure_future(host.stop())
    await until(lambda: not host.socket.exists())
    host.allocator.gate.set()
    await closing

    assert (await running or (None,))[0] == 0
    assert await idle is None
    with pytest.raises(OSError, match=r".+"):
        await asyncio.open_unix_connection(host.socket)


async def test_closing_leaves_a_successor_alone(host: Any, make_call: MakeCall) -> None:
    """A server removes no socket but its own."""
    await host.serve()
    first = host.server
    host.socket.rename(host.socket.with_suffix(".old"))
    await host.serve()
    await first.close()

    assert (await exchange(host, encode_request(make_call("VERSION")))) is not None
