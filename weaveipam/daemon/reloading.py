"""
The configuration that a daemon runs with, and taking over another one without a restart.

All of it is read and checked first: if anything is wrong nothing is changed.  One reload at a time.
Does not know where a configuration is read, nor who asks for a reload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from weaveipam.config.config import Config
from weaveipam.config.running import Plan, PoolStep, applied_to, plan
from weaveipam.daemon.keyring import Keeper
from weaveipam.errors import ConfigError
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.requests import (
    Answer,
    ChangeNetwork,
    ChangePool,
    GetKeyring,
    GetPools,
    GetStatus,
    Keyring,
    Pools,
    Reason,
    Refusal,
    Request,
    SetJoin,
    Status,
)
from weaveipam.protocol.values import DEFAULT_NETWORK, Pool

WAIT_S = 60.0
"""How long a reload that nobody waits for lets the members take to agree on its pools."""


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """What has become of one pool."""

    name: str
    outcome: str
    """`created`, `changed`, `unchanged`, `refused`, or `unlisted`: it stays, and nothing is said of it."""
    detail: str = ""
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload has done."""

    applied: tuple[str, ...]
    """Options that were taken over."""
    restart: tuple[str, ...]
    """Options that say something else than what runs, until the daemon is started again."""
    pools: tuple[PoolOutcome, ...]
    """Sorted by name."""


class Reloader:
    """
    Keeps the configuration that runs.

    Args:
        config: The one that the daemon was started with.
        read: The one that is said now; raises ConfigError with a line for each thing that is wrong.
        ask: The node.
        keeper: Of the keys.
        report: Told what was done, and what is wrong.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        ask: Callable[[Request], Awaitable[Answer]],
        keeper: Keeper,
        report: Callable[[Report], None],
    ) -> None:
        self.running = config
        self.restart: tuple[str, ...] = ()
        """Options of which the last reload found other values, that count after a restart."""
        self.on_change: Callable[[Config], None] = lambda _: None
        """Called with the configuration that runs, after it has changed."""
        self._read = read
        self._ask = ask
        self._keeper = keeper
        self._report = report
        self._turn = asyncio.Lock()

    async def pools_in_force(self) -> tuple[Pool, ...] | None:
        """The cluster's pools, by name; None while there is no cluster."""
        status, answer = await self._ask(GetStatus()), await self._ask(GetPools())
        if not isinstance(status, Status) or not isinstance(answer, Pools) or not status.cluster_id:
            return None
        return tuple(use.pool for use in answer.pools)

    async def reload(self, wait_s: float = WAIT_S) -> Reloaded | Refusal:
        """
        Take over what is said now.

        Args:
            wait_s: How long to wait for another reload to end; and then for the members to agree on all
                pools: what is not agreed on by then is refused.

        Returns:
            What was done; a refusal if the other reload did not end.

        Raises:
            ConfigError: a line for each thing that is wrong; nothing is changed.
        """
        try:
            async with asyncio.timeout(wait_s):
                await self._turn.acquire()
        except TimeoutError:
            return Refusal(Reason.OVERLOADED, "another reload waits for the members; try again later")
        try:
            return await self._take_over(wait_s)
        except ConfigError as error:
            problems = str(error).splitlines()
            fields = (("problems", len(problems)), ("detail", "; ".join(problems)))
            self._report(Report(Level.ERROR, "reload-refused", fields))
            raise
        finally:
            self._turn.release()

    async def _take_over(self, wait_s: float) -> Reloaded:
        read = await asyncio.to_thread(self._read)
        in_force = await self.pools_in_force()
        todo = await asyncio.to_thread(plan, self.running, read, in_force)
        applied = todo.applied + await self._take_keys(todo)
        taken = todo.applied if in_force is None else (*todo.applied, "pool")
        self.running = applied_to(self.running, read, taken)
        self.restart = todo.restart
        if "join" in todo.applied:
            await self._ask(SetJoin(read.join))
        self.on_change(self.running)
        done = Reloaded(applied, todo.restart, await self._change_pools(todo, wait_s))
        self._tell(done)
        return done

    async def _take_keys(self, todo: Plan) -> tuple[str, ...]:
        """`keyring`, if its file holds other keys than before."""
        if self.running.keyring is None or "keyring" in todo.restart:
            return ()
        before = await self._ask(GetKeyring())
        after = await self._keeper.reload()
        if isinstance(after, Refusal):
            raise ConfigError(after.detail)
        return ("keyring",) if _ids(before) != _ids(after) else ()

    async def _change_pools(self, todo: Plan, wait_s: float) -> tuple[PoolOutcome, ...]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_s
        outcomes = [PoolOutcome(name, "unchanged") for name in todo.same]
        outcomes += [PoolOutcome(name, "unlisted") for name in todo.unlisted]
        for index, step in enumerate(todo.pools):
            left_s = max(0.0, deadline - clock())
            if index and not left_s:
                late = "not-ready: not tried, as there was no time left; reload again"
                outcomes += [PoolOutcome(one.wanted.name, "refused", late) for one in todo.pools[index:]]
                break
            outcomes.append(await self._change_pool(step, left_s))
        return tuple(sorted(outcomes, key=lambda one: one.name))

    async def _change_pool(self, step: PoolStep, wait_s: float) -> PoolOutcome:
        """The same again by several daemons at once is one change, as all of them want what is so then."""
        name, network = step.wanted.name, step.wanted.network
        answer: Answer | None = None
        if step.base is None and network != DEFAULT_NETWORK:  # as a cluster's first pools make their networks
            answer = await self._ask(ChangeNetwork(network, exists=True, wait_s=wait_s))
        if not isinstance(answer, Refusal):
            answer = await self._ask(ChangePool(name, step.base, step.wanted, wait_s=wait_s))
        if isinstance(answer, Refusal):
            return PoolOutcome(name, "refused", f"{answer.reason.value}: {answer.detail}")
        return PoolOutcome(name, "created" if step.base is None else "changed")

    def _tell(self, done: Reloaded) -> None:
        names: dict[str, list[str]] = {}
        for one in done.pools:
            names.setdefault(one.outcome, []).append(one.name)
            if one.outcome == "refused":
                why = (("pool", one.name), ("why", one.detail))
                self._report(Report(Level.WARNING, "pool-not-reloaded", why))
        said: Sequence[tuple[str, Sequence[str]]] = (
            ("applied", done.applied),
            ("restart", done.restart),
            *((outcome, names.get(outcome, ())) for outcome in ("created", "changed", "refused", "unlisted")),
        )
        fields = tuple((key, ",".join(values)) for key, values in said if values)
        self._report(Report(Level.INFO, "reloaded", fields))


def _ids(answer: Answer) -> tuple[str, ...]:
    return tuple(one.id for one in answer.keys) if isinstance(answer, Keyring) else ()
