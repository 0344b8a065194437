"""
The HTTP door: an aiohttp application that turns requests into requests of the node, and answers into JSON.

Every error is a problem document (RFC 9457).  Whoever hangs up cancels what they asked for.
Does not know who answers, nor which sockets it is served on.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from ring.address import Family
from weaveipam.api import schema
from weaveipam.api.config import routes as config_routes
from weaveipam.api.documents import answer_document, problem
from weaveipam.api.networks import routes as network_routes
from weaveipam.api.pools import routes as pool_routes
from weaveipam.api.replies import as_json, parameters, problem_reply, reply
from weaveipam.api.schema import InvalidError
from weaveipam.daemon.keyring import Keeper
from weaveipam.daemon.metrics import CONTENT_TYPE
from weaveipam.daemon.reloading import Reloader
from weaveipam.protocol.requests import (
    Answer,
    GetAllocations,
    GetCheck,
    GetConflicts,
    GetDeparture,
    GetKeyring,
    GetMembers,
    GetPools,
    GetRing,
    GetRollCall,
    GetStatus,
    Leave,
    Pools,
    Reason,
    Refusal,
    Request,
    Status,
    Stay,
)
from weaveipam.protocol.values import RingId

Ask: TypeAlias = Callable[[Request], Awaitable[Answer]]
"""Answers one request; cancelling it cancels the request."""

Metrics: TypeAlias = Callable[[], Awaitable[bytes]]
"""All metrics in Prometheus's text format."""

BODY_BYTES_MAX = 1 << 20
"""Of a request; the largest allocation with all its labels takes a tenth of it."""
SHUTDOWN_S = 2.0
"""Seconds that requests under way get when the daemon stops."""

_PUBLIC = ("/healthz", "/readyz", "/metrics")


def application(
    ask: Ask,
    metrics: Metrics,
    keeper: Keeper | None = None,
    reloader: Reloader | None = None,
    *,
    token: str | None = None,
    public: Callable[[], bool] = lambda: False,
) -> web.Application:
    """
    The API, to be served by `serve`.

    Args:
        ask: Whoever answers.
        metrics: As for `GET /metrics`.
        keeper: Whoever changes keys; None: nobody here, as keys must not pass over a network in the clear.
        reloader: Whoever knows the configuration; None: nobody here.
        token: Which requests must carry as `Authorization: Bearer`; None: they need none.
        public: Whether health and metrics need none even so.
    """
    door = _Door(ask, metrics)
    api = web.Application(
        middlewares=[_problems, _authorization(token, public)], client_max_size=BODY_BYTES_MAX
    )
    api.add_routes(
        [
            web.get("/v1/status", door.status),
            web.get("/v1/members", door.members),
            web.get("/v1/ring", door.ring),
            web.get("/v1/pools", door.pools),
            web.get("/v1/allocations", door.allocations),
            web.post("/v1/allocations", door.allocate),
            web.delete("/v1/allocations", door.release),
            web.delete("/v1/allocations/{key:.+}", door.release),
            web.get("/v1/lookup/{subject:.+}", door.lookup),
            web.get("/v1/keyring", door.keyring),
            web.get("/v1/decisions", door.decisions),
            web.post("/v1/peers/{name}/remove", door.remove_peer),
            web.get("/v1/conflicts", door.conflicts),
            web.post("/v1/conflicts/resolve", door.resolve),
            web.get("/v1/check", door.check),
            web.get("/v1/leave", door.departure),
            web.post("/v1/leave", door.leave),
            web.delete("/v1/leave", door.stay),
            web.get("/healthz", door.healthz),
            web.get("/readyz", door.readyz),
            web.get("/metrics", door.metrics),
        ]
    )
    api.add_routes([*pool_routes(ask), *network_routes(ask)])
    if reloader is not None:
        api.add_routes(config_routes(reloader))
    if keeper is not None:
        keys = _Keys(keeper)
        api.add_routes(
            [
                web.post("/v1/keyring/keys", keys.add),
                web.put("/v1/keyring/used", keys.use),
                web.delete("/v1/keyring/keys/{id}", keys.remove),
                web.post("/v1/keyring/reload", keys.reload),
            ]
        )
    return api


async def serve(api: web.Application, sockets: Iterable[socket.socket]) -> web.AppRunner:
    """
    Serves the API on sockets that are bound already, and closes them when the runner is cleaned up.

    Raises:
        OSError: one of them cannot listen.
    """
    # handler_cancellation: a client that hangs up must not leave its request waiting for space.
    runner = web.AppRunner(
        api, handler_cancellation=True, access_log=None, logger=_logger(), shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    for one in sockets:
        await web.SockSite(runner, one).start()
    return runner


class _Complaints(logging.Handler):
    """What aiohttp logs: a client's fault has been answered, and any other goes where the daemon's go."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, BadHttpMessage | web.RequestPayloadError):
            context = {"message": record.getMessage(), "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


def _logger() -> logging.Logger:
    """A logger of our own: the global one would write traces between the lines of the daemon's log."""
    logger = logging.Logger("weaveipam.http", logging.WARNING)  # noqa: LOG001 - not to be found by its name
    logger.addHandler(_Complaints())
    return logger


class _Door:
    """The handlers, one for each route."""

    def __init__(self, ask: Ask, metrics: Metrics) -> None:
        self._ask = ask
        self._metrics = metrics

    async def status(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetStatus()))

    async def members(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetMembers()))

    async def pools(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetPools()))

    async def ring(self, request: web.Request) -> web.Response:
        """The runs of every ring that network and family leave over."""
        asked = parameters(request, "network", "family")
        family = schema.family_of(asked.get("family"))
        network = None if "network" not in asked else schema.network_name(asked["network"])
        pools = await self._ask(GetPools())
        if not isinstance(pools, Pools):
            return reply(pools)
        rings = {
            RingId(use.pool.network, each.family)
            for use in pools.pools
            for each in use.pool.ranges
            if network in {None, use.pool.network} and family in {None, each.family}
        }
        if network is not None and not rings:
            # Nobody's pools are there: let the node say so.
            rings = {RingId(network, family or Family.V4)}
        runs: list[object] = []
        for ring in sorted(rings):
            answer = await self._ask(GetRing(ring))
            if isinstance(answer, Refusal):
                return reply(answer)
            runs += answer_document(answer)
        return as_json(runs)

    async def allocations(self, request: web.Request) -> web.Response:
        pool = schema.pool_name(parameters(request, "pool").get("pool"))
        return reply(await self._ask(GetAllocations(pool)))

    async def allocate(self, request: web.Request) -> web.Response:
        parameters(request)
        wanted = schema.allocate_request(schema.parse_json(await request.read()))
        return reply(await self._ask(wanted))

    async def release(self, request: web.Request) -> web.Response:
        asked = parameters(request, "address", "network")
        key = request.match_info.get("key")
        return reply(await self._ask(schema.release_request(key, asked.get("address"), asked.get("network"))))

    async def lookup(self, request: web.Request) -> web.Response:
        network = parameters(request, "network").get("network")
        return reply(await self._ask(schema.lookup_request(request.match_info["subject"], network)))

    async def keyring(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetKeyring()))

    async def decisions(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetRollCall()))

    async def remove_peer(self, request: web.Request) -> web.Response:
        """Begin a removal, or show how far it has got."""
        parameters(request)
        body = await request.read()
        document = schema.parse_json(body) if body else {}
        return reply(await self._ask(schema.remove_request(request.match_info["name"], document)))

    async def conflicts(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetConflicts()))

    async def resolve(self, request: web.Request) -> web.Response:
        parameters(request)
        wanted = schema.resolve_request(schema.parse_json(await request.read()))
        return reply(await self._ask(wanted))

    async def check(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetCheck()))

    async def departure(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(GetDeparture()))

    async def leave(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(Leave()))

    async def stay(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._ask(Stay()))

    async def healthz(self, _request: web.Request) -> web.Response:
        """Alive is who answers, ready or not."""
        await self._ask(GetStatus())
        return as_json({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        status = await self._ask(GetStatus())
        assert isinstance(status, Status), "this question is never refused"
        if status.ready:
            return as_json({"ready": True, "state": status.state})
        return reply(Refusal(Reason.NOT_READY, f"{status.state}: {status.why_not_ready}"))

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers={"Content-Type": CONTENT_TYPE})


class _Keys:
    """The handlers that change keys."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def add(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._keeper.add(schema.key_line(schema.parse_json(await request.read()))))

    async def use(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._keeper.use(schema.key_id(schema.parse_json(await request.read()))))

    async def remove(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._keeper.remove(request.match_info["id"]))

    async def reload(self, request: web.Request) -> web.Response:
        parameters(request)
        return reply(await self._keeper.reload())


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong becomes a problem document."""
    try:
        return await handler(request)
    except InvalidError as error:
        return problem_reply(problem(Refusal(Reason.INVALID, str(error))))
    except web.RequestPayloadError as error:
        return problem_reply(problem(Refusal(Reason.INVALID, f"the body cannot be read: {error}")))
    except web.HTTPException as error:
        return problem_reply(_of_http(request, error), _allowed(error))
    except Exception as error:  # noqa: BLE001 - ours, whatever it is: the log gets it, the client a sentence
        context = {"message": f"{request.method} {request.path} failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        detail = "the daemon failed to answer; its log says why"
        return problem_reply({"type": "internal", "title": "Internal error", "status": 500, "detail": detail})


def _of_http(request: web.Request, error: web.HTTPException) -> dict[str, object]:
    """The problem document of what aiohttp refuses by itself."""
    details = {
        404: (Reason.NOT_FOUND, f"there is nothing at {request.path}"),
        405: (Reason.INVALID, f"{request.method} is not for {request.path}"),
        413: (Reason.INVALID, f"the body is longer than {BODY_BYTES_MAX} bytes"),
    }
    reason, detail = details.get(error.status, (Reason.INVALID, error.reason))
    return {"type": reason.value, "title": error.reason, "status": error.status, "detail": detail}


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _authorization(
    token: str | None, public: Callable[[], bool]
) -> Callable[..., Awaitable[web.StreamResponse]]:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if token is None or (public() and request.path in _PUBLIC) or hmac.compare_digest(given, expected):
            return await handler(request)
        detail = "this address needs the header Authorization: Bearer TOKEN; the unix socket needs none"
        document = {"type": "unauthorized", "title": "Unauthorized", "status": 401, "detail": detail}
        return problem_reply(document, {"WWW-Authenticate": "Bearer"})

    return check
