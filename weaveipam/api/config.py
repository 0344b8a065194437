"""
The HTTP door to the configuration: what runs, and taking over what is said now.

Does not know how a daemon is configured.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from weaveipam.api.documents import problem
from weaveipam.api.replies import as_json, parameters, problem_reply, reply, seconds
from weaveipam.config.printing import pool_table
from weaveipam.config.running import option_values, source_of
from weaveipam.daemon.reloading import Reloader
from weaveipam.errors import ConfigError
from weaveipam.protocol.requests import Reason, Refusal


def routes(reloader: Reloader) -> list[web.RouteDef]:
    """`/v1/config` and `/v1/reload`."""
    door = _Door(reloader)
    return [web.get("/v1/config", door.show), web.post("/v1/reload", door.reload)]


class _Door:
    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    async def show(self, request: web.Request) -> web.Response:
        """Each option with its value and who said it, and the pools in force."""
        parameters(request)
        running = self._reloader.running
        options: dict[str, Any] = {}
        for key, value in option_values(running).items():
            said = source_of(running, key)
            where = "" if said.source == "default" else said.where
            options[key] = {"value": value, "source": said.source, "where": where}
        pools = await self._reloader.pools_in_force()
        return as_json(
            {
                "options": options,
                "formed": pools is not None,
                "pools": [pool_table(one) for one in (running.pools if pools is None else pools)],
                "restart": list(self._reloader.restart),
            }
        )

    async def reload(self, request: web.Request) -> web.Response:
        """What was done; if anything is wrong, all of it."""
        wait_s = seconds(parameters(request, "wait").get("wait"))
        try:
            done = await self._reloader.reload(wait_s)
        except ConfigError as error:
            errors = str(error).splitlines()
            refusal = Refusal(Reason.INVALID, "; ".join(errors))
            return problem_reply({**problem(refusal), "errors": errors})
        if isinstance(done, Refusal):
            return reply(done)
        return as_json(
            {
                "applied": list(done.applied),
                "restart": list(done.restart),
                "pools": [
                    {"name": one.name, "outcome": one.outcome, "detail": one.detail} for one in done.pools
                ],
            }
        )
