"""
The HTTP door to network instances.

Does not know how the members of a cluster agree on them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from weaveipam.api import schema
from weaveipam.api.replies import parameters, reply, seconds
from weaveipam.api.schema import InvalidError
from weaveipam.config.options import check_keys
from weaveipam.config.pools import name_problem
from weaveipam.protocol.requests import Answer, ChangeNetwork, GetNetworks, Request


def routes(ask: Callable[[Request], Awaitable[Answer]]) -> list[web.RouteDef]:
    """The paths below `/v1/networks`."""
    door = _Door(ask)
    return [
        web.get("/v1/networks", door.networks),
        web.post("/v1/networks", door.create),
        web.delete("/v1/networks/{name}", door.delete),
    ]


class _Door:
    def __init__(self, ask: Callable[[Request], Awaitable[Answer]]) -> None:
        self._ask = ask

    async def networks(self, request: web.Request) -> web.Response:
        """All there are."""
        parameters(request)
        return reply(await self._ask(GetNetworks()))

    async def create(self, request: web.Request) -> web.Response:
        """A new one; one that is there is no error."""
        wait_s = seconds(parameters(request, "wait").get("wait"))
        document = schema.parse_json(await request.read())
        if not isinstance(document, dict):
            raise InvalidError("the body: expected an object")
        problems = [*check_keys(document, ("name",))]
        problem = name_problem(document.get("name"))
        problems += [f"name: {problem}"] if problem else []
        if problems:
            raise InvalidError("; ".join(problems))
        return reply(await self._ask(ChangeNetwork(document["name"], exists=True, wait_s=wait_s)))

    async def delete(self, request: web.Request) -> web.Response:
        """None of that name any more; if there is none that is no error."""
        wait_s = seconds(parameters(request, "wait").get("wait"))
        name = request.match_info["name"]
        return reply(await self._ask(ChangeNetwork(name, exists=False, wait_s=wait_s)))
