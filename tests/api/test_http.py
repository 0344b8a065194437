"""The HTTP door on a real unix socket, with a double that answers behind it."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from ring.address import Family, Range, parse_address
from ring.ring import Peer, Run, Token
from weaveipam.api.http import BODY_BYTES_MAX, application, serve
from weaveipam.daemon.keyring import Keeper
from weaveipam.protocol.findings import Check, Conflicts, Resolution
from weaveipam.protocol.progress import Departure, RollCallView
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Allocations,
    Answer,
    ChangeNetwork,
    Found,
    GetAllocations,
    GetCheck,
    GetConflicts,
    GetDeparture,
    GetKeyring,
    GetMembers,
    GetNetworks,
    GetPools,
    GetRing,
    GetRollCall,
    GetStatus,
    Keyring,
    Leave,
    Lookup,
    Members,
    NetworkChanged,
    Networks,
    Pools,
    PoolUse,
    Reason,
    Refusal,
    Release,
    Released,
    RemovePeers,
    Request,
    ResolveConflict,
    RingView,
    Status,
    Stay,
)
from weaveipam.protocol.values import Allocation, Assigned, Pool, PoolRange, RingId

PEER = Peer("n1", 1)
TOKEN = "secret"  # noqa: S105 - of this test
DUAL = Pool(
    "p", "default", (PoolRange(Family.V4, Range(0, 256), 24), PoolRange(Family.V6, Range(0, 256), 120))
)
BLUE = Pool("q", "blue", (PoolRange(Family.V4, Range(0, 256), 24),))


class Daemon:
    """Answers by a table, remembers what it was asked, and never answers the key `wait`."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.cancelled = asyncio.Event()
        self.waiting = asyncio.Event()
        self.ready = True

    async def ask(self, request: Request) -> Answer:  # noqa: C901, PLR0912 - a table
        """One answer for each class of request."""
        self.asked.append(request)
        match request:
            case Allocate(key="wait"):
                self.waiting.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.cancelled.set()
            case Allocate(key="bug"):
                raise RuntimeError("planted")
            case Allocate(key="full"):
                return Refusal(Reason.EXHAUSTED, "no address is free")
            case Allocate():
                given = Assigned("p", Family.V4, Range(5, 6), 24, None)
                return Allocated(Allocation(request.key, request.network, (given,), durable=False))
            case Lookup():
                return Found(None, PEER, "p")
            case Release():
                return Released(())
            case GetRing(RingId("nowhere")):
                return Refusal(Reason.NOT_FOUND, "there is no such ring")
            case GetRing(ring):
                return RingView(ring, (Run(0, 256, Token(0, 0), PEER, PEER),))
            case GetPools():
                return Pools(tuple(PoolUse(pool, 256, 256, 0, 0, 0) for pool in (DUAL, BLUE)))
            case GetMembers():
                return Members(())
            case GetNetworks():
                return Networks(())
            case ChangeNetwork(name, exists):
                return NetworkChanged(name, exists)
            case GetAllocations():
                return Allocations(())
            case GetKeyring():
                return Keyring(())
            case RemovePeers() | GetRollCall():
                return RollCallView(1, False, (), (), False, "", (PEER,))
            case GetConflicts():
                return Conflicts((), (), (), ())
            case GetCheck():
                return Check(())
            case ResolveConflict():
                return Resolution("decided")
            case GetDeparture() | Leave() | Stay():
                return Departure(PEER, "leaving", "waits", (), 1, 1, (), (), ())
        why = "" if self.ready else "waiting for seeds"
        return Status(
            PEER, self.ready, "ready" if self.ready else "forming", why, "", 1, 1, (), 0, 0, (), "0"
        )


class Door(NamedTuple):
    """A served API and somebody who asks it."""

    daemon: Daemon
    client: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        """The document at a path; status 200 is asserted."""
        async with self.client.get(_url(path)) as response:
            assert response.status == 200
            return await response.json()

    async def problem(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
        """Status, type and detail of a refusal; that it is a problem document is asserted."""
        async with self.client.request(
            method, _url(path), data=None if body is None else io.BytesIO(body)
        ) as response:
            document = await response.json(content_type="application/problem+json")
            assert set(document) == {"type", "title", "status", "detail"}
            assert document["status"] == response.status
            return response.status, document["type"], document["detail"]


def _url(path: str) -> URL:
    """The path exactly as written: nothing in it is quoted or cleaned up."""
    return URL(f"http://daemon{path}", encoded=True)


async def _metrics() -> bytes:
    return b"weaveipam_up 1\n"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The API on a unix socket, without a token."""
    daemon = Daemon()
    path = tmp_path / "api.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    runner = await serve(application(daemon.ask, _metrics, Keeper(None, daemon.ask)), [listening])
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client:
        yield Door(daemon, client)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/v1/status", GetStatus()),
        ("/v1/members", GetMembers()),
        ("/v1/pools", GetPools()),
        ("/v1/networks", GetNetworks()),
        ("/v1/allocations", GetAllocations()),
        ("/v1/allocations?pool=p", GetAllocations("p")),
        ("/v1/keyring", GetKeyring()),
        ("/v1/decisions", GetRollCall()),
        ("/v1/conflicts", GetConflicts()),
        ("/v1/check", GetCheck()),
        ("/v1/leave", GetDeparture()),
        ("/v1/lookup/k", Lookup(key="k")),
        ("/v1/lookup/fd00%3A%3A1?network=b", Lookup(address=parse_address("fd00::1"), network="b")),
    ],
)
async def test_each_question_reaches_the_daemon(door: Door, path: str, request_: Request) -> None:
    """A GET becomes exactly one request."""
    await door.get(path)

    assert [request_] == door.daemon.asked


@pytest.mark.parametrize(
    ("query", "rings"),
    [
        ("", [("blue", 4), ("default", 4), ("default", 6)]),
        ("?network=default", [("default", 4), ("default", 6)]),
        ("?family=6", [("default", 6)]),
        ("?network=blue&family=4", [("blue", 4)]),
        ("?family=6&network=default", [("default", 6)]),
    ],
)
async def test_the_ring_can_be_narrowed(door: Door, query: str, rings: list[tuple[str, int]]) -> None:
    """Without parameters every ring is shown, sorted; network and family leave others out."""
    runs = await door.get(f"/v1/ring{query}")

    assert rings == [(run["network"], run["family"]) for run in runs]


async def test_a_ring_that_is_not_there_is_not_found(door: Door) -> None:
    """A network that no pool is in is a problem, not an empty list."""
    assert (404, "not-found", "there is no such ring") == await door.problem(
        "GET", "/v1/ring?network=nowhere"
    )


@pytest.mark.parametrize(
    "key", ["k", "cni/net/id/eth0", "a b", "100%", "a%2Fb", "..", "ä/ö", "?x#y", "a//b", "/"]
)
async def test_any_key_can_be_released_and_looked_up(door: Door, key: str) -> None:
    """Whatever characters a key has, it can be put in a path."""
    async with door.client.delete(_url(f"/v1/allocations/{quote(key, safe='')}")) as response:
        assert response.status == 200
    await door.get(f"/v1/lookup/{quote(key, safe='')}")

    assert [Release(key=key), Lookup(key=key)] == door.daemon.asked


@pytest.mark.parametrize(
    ("path", "body", "request_"),
    [
        ("/v1/peers/n7/remove", b"", RemovePeers(("n7",))),
        ("/v1/peers/n7/remove", b'{"also": ["n8"], "force": true}', RemovePeers(("n7", "n8"), forced=True)),
        ("/v1/peers/a%2Fb%20c/remove", b"{}", RemovePeers(("a/b c",))),
    ],
)
async def test_a_removal_reaches_the_daemon(
    door: Door, path: str, body: bytes, request_: RemovePeers
) -> None:
    """Whatever letters a name has, it is removed with those in the body; the answer is how far that is."""
    async with door.client.post(_url(path), data=body) as response:
        assert response.status == 200
        assert (await response.json())["decisions"] == 1

    assert [request_] == door.daemon.asked


async def test_networks_are_created_and_deleted(door: Door) -> None:
    """POST creates the one in the body, DELETE ends the one in the path, and both wait as long as is said."""
    async with door.client.post(_url("/v1/networks"), json={"name": "red"}) as response:
        assert {"name": "red", "exists": True} == await response.json()
    async with door.client.delete(_url("/v1/networks/red?wait=3")) as response:
        assert {"name": "red", "exists": False} == await response.json()

    created, deleted = ChangeNetwork("red", exists=True), ChangeNetwork("red", exists=False, wait_s=3.0)
    assert [created, deleted] == door.daemon.asked


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[]", "expected an object"), (b"{}", "name:"), (b'{"name": "a/b"}', "a/b"), (b'{"nam": "x"}', "nam")],
)
async def test_a_network_needs_a_name(door: Door, body: bytes, said: str) -> None:
    """Anything else is refused, and nobody is asked."""
    status, kind, detail = await door.problem("POST", "/v1/networks", body)

    assert (400, "invalid", True, []) == (status, kind, said in detail, door.daemon.asked)


async def test_an_address_can_be_released(door: Door) -> None:
    """DELETE with an address and no key gives back the address."""
    async with door.client.delete(_url("/v1/allocations?address=10.0.0.1")) as response:
        assert await response.json() == {"released": []}

    assert [Release(address=parse_address("10.0.0.1"))] == door.daemon.asked


async def test_an_allocation_is_answered(door: Door) -> None:
    """POST gives back the allocation."""
    async with door.client.post(_url("/v1/allocations"), json={"key": "k"}) as response:
        assert response.status == 200
        document = await response.json()

    assert document["key"] == "k"
    assert [one["address"] for one in document["addresses"]] == ["0.0.0.5"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "said"),
    [
        ("POST", "/v1/allocations", b"{", 400, "invalid", "not JSON"),
        ("POST", "/v1/allocations", b"", 400, "invalid", "not JSON"),
        ("POST", "/v1/allocations", b'{"kee": 1}', 400, "invalid", '"kee"'),
        ("POST", "/v1/allocations", b'{"key": 1}', 400, "invalid", "key: "),
        ("POST", "/v1/allocations", b'{"key": "full"}', 409, "exhausted", "no address is free"),
        ("POST", "/v1/allocations?key=k", b"{}", 400, "invalid", "key: unknown parameter"),
        ("POST", "/v1/allocations", b" " * (BODY_BYTES_MAX + 1), 413, "invalid", "longer"),
        ("DELETE", "/v1/allocations", None, 400, "invalid", "key, address"),
        ("DELETE", "/v1/allocations?address=nonsense", None, 400, "invalid", "address: "),
        ("DELETE", "/v1/allocations/k?address=10.0.0.1", None, 400, "invalid", "key, address"),
        ("GET", "/v1/ring?family=5", None, 400, "invalid", "family: "),
        ("GET", "/v1/ring?family=4&family=6", None, 400, "invalid", "given twice"),
        ("GET", "/v1/members?x=1", None, 400, "invalid", "x: unknown parameter"),
        ("GET", "/v1/nothing", None, 404, "not-found", "/v1/nothing"),
        ("GET", "/", None, 404, "not-found", "/"),
        ("PUT", "/v1/status", None, 405, "invalid", "PUT"),
    ],
)
async def test_what_is_wrong_is_a_problem_document(
    door: Door, method: str, path: str, body: bytes | None, status: int, kind: str, said: str
) -> None:
    """Every refusal is a problem document with a stable type and a sentence that names what is wrong."""
    found = await door.problem(method, path, body)

    assert (status, kind) == found[:2]
    assert said in found[2]


async def test_what_is_no_http_is_refused_without_a_word_in_the_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Garbage, and a body that is not packed as it says, are answered by 400; no log is filled by them."""
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    assert isinstance(door.client.connector, aiohttp.UnixConnector)
    reader, writer = await asyncio.open_unix_connection(door.client.connector.path)
    writer.write(b"GARBAGE\x00\r\n\r\n")
    answer = await reader.read()
    writer.close()
    packed = {"Content-Encoding": "gzip"}
    async with door.client.post("http://x/v1/allocations", data=b"{}", headers=packed, compress=False) as got:
        document = await got.json(content_type=None)

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert ("invalid", 400) == (document["type"], got.status)
    assert "the body cannot be read" in document["detail"]
    assert [] == seen
    assert [] == caplog.records


async def test_a_bug_is_a_sentence_for_the_client_and_a_trace_for_the_log(door: Door) -> None:
    """An error of ours is answered without its insides, and reaches the loop's handler."""
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))

    status, kind, detail = await door.problem("POST", "/v1/allocations", b'{"key": "bug"}')

    assert (500, "internal") == (status, kind)
    assert "planted" not in detail
    assert ["planted"] == [str(one["exception"]) for one in seen]


async def test_hanging_up_cancels_the_request(door: Door) -> None:
    """A client that goes away while it waits takes its request with it."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        asking = group.create_task(door.problem("POST", "/v1/allocations", b'{"key": "wait"}'))
        await door.daemon.waiting.wait()
        asking.cancel()
        await door.daemon.cancelled.wait()


async def test_a_conflict_is_decided(door: Door) -> None:
    """The body becomes one request, and the answer is what was said."""
    body = {"range": "10.0.0.8/29", "owner": "n2", "network": "blue"}
    async with door.client.post(_url("/v1/conflicts/resolve"), json=body) as response:
        document = await response.json()

    first = parse_address("10.0.0.8")[1]
    assert {"detail": "decided"} == document
    assert [ResolveConflict(Family.V4, Range(first, first + 8), "n2", "blue")] == door.daemon.asked


async def test_leaving_is_begun_and_called_off(door: Door) -> None:
    """POST makes a daemon leave, DELETE lets it stay, and both show how far it has come."""
    for method, request_ in (("POST", Leave()), ("DELETE", Stay())):
        async with door.client.request(method, _url("/v1/leave")) as response:
            assert response.status == 200
            assert (await response.json())["state"] == "leaving"
        assert door.daemon.asked.pop() == request_


async def test_keys_are_changed(door: Door) -> None:
    """Each change reaches whoever keeps the keys, with what the client said, and the keys are the answer."""
    for method, path, body in (
        ("POST", "/v1/keyring/keys", b'{"key": "plain"}'),
        ("PUT", "/v1/keyring/used", b'{"id": "00ab12"}'),
        ("DELETE", "/v1/keyring/keys/plain", None),
        ("POST", "/v1/keyring/reload", None),
    ):
        status, kind, detail = await door.problem(method, path, body)
        assert (400, "invalid") == (status, kind)
        assert "--keyring FILE" in detail


async def test_a_key_is_not_repeated(door: Door) -> None:
    """What is wrong with a change is said without the key."""
    for body in (b'{"key": 123456}', b'{"key": ""}', b'{"kez": "c2VjcmV0"}', b"[]"):
        status, _, detail = await door.problem("POST", "/v1/keyring/keys", body)
        assert 400 == status
        assert "c2VjcmV0" not in detail
        assert "123456" not in detail


async def test_keys_are_not_changed_over_tcp() -> None:
    """Where a key would pass over a network in the clear nothing takes it."""
    daemon = Daemon()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    runner = await serve(application(daemon.ask, _metrics, token=TOKEN), [listening])
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as client:
        async with client.get(f"http://127.0.0.1:{port}/v1/keyring") as response:
            assert 200 == response.status
        async with client.post(f"http://127.0.0.1:{port}/v1/keyring/reload") as response:
            assert 404 == response.status
    await runner.cleanup()
    assert [GetKeyring()] == daemon.asked


async def test_health_and_readiness_are_two_things(door: Door) -> None:
    """A daemon that is not ready is healthy, and says why it is not ready."""
    assert {"ready": True, "state": "ready"} == await door.get("/readyz")
    door.daemon.ready = False

    assert {"status": "ok"} == await door.get("/healthz")
    assert (503, "not-ready", "forming: waiting for seeds") == await door.problem("GET", "/readyz")


async def test_metrics_are_prometheus_text(door: Door) -> None:
    """The metrics come as the text format of Prometheus."""
    async with door.client.get(_url("/metrics")) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert "weaveipam_up 1\n" == await response.text()


@pytest.mark.parametrize(("public", "health_status"), [(False, 401), (True, 200)])
async def test_tcp_needs_the_token(public: bool, health_status: int) -> None:
    """With a token, nothing is served without it but, if public, health and metrics."""
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runner = await serve(application(Daemon().ask, _metrics, token=TOKEN, public=lambda: public), [listening])
    async with aiohttp.ClientSession() as client:
        statuses = []
        for path, header in (
            ("/v1/status", f"Bearer {TOKEN}"),
            ("/v1/status", "Bearer wrong"),
            ("/v1/status", "ä"),
            ("/v1/nothing", ""),
            ("/healthz", ""),
            ("/metrics", ""),
        ):
            async with client.get(base + path, headers={"Authorization": header}) as response:
                statuses.append(response.status)
    await runner.cleanup()

    assert [200, 401, 401, 401, health_status, health_status] == statuses
