"""
The HTTP door to changes of pools.

Does not know how the members of a cluster agree on them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from weaveipam.api import schema
from weaveipam.api.replies import parameters, reply, seconds
from weaveipam.api.schema import InvalidError
from weaveipam.config.patching import patched, replaced
from weaveipam.config.pools import parse_pool
from weaveipam.protocol.requests import Answer, ChangePool, GetPools, Pools, Reason, Refusal, Request
from weaveipam.protocol.values import Pool


def routes(ask: Callable[[Request], Awaitable[Answer]]) -> list[web.RouteDef]:
    """The paths below `/v1/pools` that change something."""
    door = _Door(ask)
    return [
        web.post("/v1/pools", door.create),
        web.put("/v1/pools/{name}", door.replace),
        web.patch("/v1/pools/{name}", door.patch),
        web.delete("/v1/pools/{name}", door.delete),
        web.post("/v1/pools/{name}/disable", door.disable),
        web.post("/v1/pools/{name}/enable", door.enable),
    ]


class _Door:
    def __init__(self, ask: Callable[[Request], Awaitable[Answer]]) -> None:
        self._ask = ask

    async def create(self, request: web.Request) -> web.Response:
        """A new pool; the same again is no error."""
        wait_s, _ = _waiting(request)
        said = await _table(request)
        with _refusing():
            pool = parse_pool({key: value for key, value in said.items() if value is not None})
        return reply(await self._ask(ChangePool(pool.name, None, pool, wait_s=wait_s)))

    async def replace(self, request: web.Request) -> web.Response:
        """All of a pool that there is said anew."""
        return await self._become(request, replaced)

    async def patch(self, request: web.Request) -> web.Response:
        """Some of a pool that there is said anew."""
        return await self._become(request, patched)

    async def _become(
        self, request: web.Request, become: Callable[[Pool, Mapping[str, Any]], Pool]
    ) -> web.Response:
        wait_s, drain = _waiting(request)
        said = await _table(request)
        name = request.match_info["name"]
        if said.get("name", name) != name:
            raise InvalidError(f"name: a pool keeps its name, {name}")
        held = await self._held(name)
        if held is None:
            return _unknown(name)
        with _refusing():
            wanted = become(held, said)
        return await self._changed(held, wanted, wait_s, drain=drain)

    async def delete(self, request: web.Request) -> web.Response:
        """No such pool any more; if there is none that is no error."""
        wait_s, drain = _waiting(request)
        name = request.match_info["name"]
        held = await self._held(name)
        return reply(await self._ask(ChangePool(name, held, None, drain, wait_s)))

    async def disable(self, request: web.Request) -> web.Response:
        """Nothing more is handed out of it."""
        return await self._switch(request, disabled=True)

    async def enable(self, request: web.Request) -> web.Response:
        """Addresses are handed out of it again."""
        return await self._switch(request, disabled=False)

    async def _switch(self, request: web.Request, *, disabled: bool) -> web.Response:
        wait_s, _ = _waiting(request)
        name = request.match_info["name"]
        held = await self._held(name)
        if held is None:
            return _unknown(name)
        return await self._changed(held, replace(held, disabled=disabled), wait_s)

    async def _changed(self, held: Pool, wanted: Pool, wait_s: float, *, drain: bool = False) -> web.Response:
        return reply(await self._ask(ChangePool(held.name, held, wanted, drain, wait_s)))

    async def _held(self, name: str) -> Pool | None:
        answer = await self._ask(GetPools())
        assert isinstance(answer, Pools), "this question is never refused"
        return next((use.pool for use in answer.pools if use.pool.name == name), None)


async def _table(request: web.Request) -> dict[str, Any]:
    document = schema.parse_json(await request.read())
    if not isinstance(document, dict):
        raise InvalidError("the body: expected an object")
    return document


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Whatever is wrong with a pool is the client's fault."""
    try:
        yield
    except ValueError as error:
        raise InvalidError("; ".join(str(error).splitlines())) from None


def _unknown(name: str) -> web.Response:
    return reply(Refusal(Reason.NO_SUCH_POOL, f"there is no pool {name}"))


def _waiting(request: web.Request) -> tuple[float, bool]:
    """How long to wait, and whether for addresses in use as well."""
    asked = parameters(request, "wait", "drain")
    drain = asked.get("drain", "false")
    if drain not in {"true", "false"}:
        raise InvalidError("drain: expected true or false")
    return seconds(asked.get("wait")), drain == "true"
