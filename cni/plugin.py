"""
The six verbs of CNI, as requests to the allocator and its answers.

An attachment is one network, container id and interface, and its key
`cni/<network>/<container id>/<interface>`.  So a repeated ADD gets what it has, and a late DEL of an old
container frees nothing of a new one's.
Does not know sockets, processes, or who answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from cni import result
from cni.codes import CniError, Code, refused
from cni.environ import Environment, Verb, parse_environment
from cni.framing import Call, CniReply
from cni.netconf import (
    VERSIONS,
    Ipam,
    Network,
    read_ipam,
    read_network,
    read_previous,
    read_valid,
    told_version,
)
from ring.address import format_address
from weaveipam.protocol.requests import (
    Allocate,
    Allocated,
    Answer,
    Collect,
    Found,
    GetStatus,
    Lookup,
    Reason,
    Refusal,
    Release,
    Released,
    Request,
    Status,
    Subject,
)
from weaveipam.protocol.values import Allocation

__all__ = ["Ask", "Call", "CniReply", "Plugin"]

Ask: TypeAlias = Callable[[Request], Awaitable[Answer]]
"""Asks the daemon; cancelling it takes the request back as far as that is possible."""

A = TypeVar("A", Allocated, Released, Found, Status)


class Plugin:
    """Answers calls; holds nothing between them, so that any number may run at once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def answer(self, call: Call) -> CniReply:
        """
        What the program shall print and exit with; a failure of the call is an error reply, never raised.

        Raises:
            Exception: only what `ask` raises.
        """
        try:
            environment = parse_environment(call.environ)
            return CniReply(0, await self._served(environment, call.stdin))
        except CniError as error:
            again = error.code is Code.TRY_LATER
            return CniReply(1, result.failed(told_version(call.stdin), error), again)

    async def _served(self, environment: Environment, stdin: bytes) -> bytes:
        verb = environment.verb
        if verb is Verb.VERSION:
            return result.versions(told_version(stdin, VERSIONS[-1]))
        network = read_network(verb, stdin)
        if verb is Verb.ADD:
            return await self._add(network, environment)
        key = network.key(environment.container_id, environment.ifname)
        if verb is Verb.DEL:
            await self._release(key)
        elif verb is Verb.CHECK:
            await self._check(network, key)
        elif verb is Verb.GC:
            _expect(Released, await self._ask(Collect(network.prefix, read_valid(network))))
        else:
            await self._status()
        return b""

    async def _add(self, network: Network, environment: Environment) -> bytes:
        ipam = read_ipam(network, environment.args)
        dns = ipam.dns or result.read_resolv_conf(ipam.resolv_conf)
        key = network.key(environment.container_id, environment.ifname)
        told = dict(environment.args.labels)
        subject = Subject(told.get("namespace", ""), told.get("pod", ""))
        name = f"{subject.namespace}/{subject.name}" if subject.name else ""
        request = Allocate(
            key, wants=ipam.wants(), labels=environment.args.labels, name=name, subject=subject
        )
        allocation = _expect(Allocated, await self._ask(request)).allocation
        try:
            _refuse_gateway(ipam, allocation)
        except CniError:
            await self._release(key)  # allocate whole or fail whole
            raise
        return result.added(network, ipam, dns, allocation)

    async def _release(self, key: str) -> None:
        answer = await self._ask(Release(key=key))
        if not (isinstance(answer, Refusal) and answer.reason is Reason.NOT_FOUND):
            _expect(Released, answer)

    async def _check(self, network: Network, key: str) -> None:
        told = read_previous(network)
        allocation = _expect(Found, await self._ask(Lookup(key=key))).allocation
        if allocation is None:
            raise CniError(Code.NOTHING_HELD, f"{key} holds no address", "run DEL and ADD again")
        missing = [one for one in allocation.addresses if (one.family, one.range.start) not in told]
        if missing:
            held = ", ".join(format_address(one.family, one.range.start) for one in missing)
            raise CniError(
                Code.DIFFERENT, f"{key} holds {held}, which prevResult does not say", "run DEL and ADD again"
            )

    async def _status(self) -> None:
        """Ready or not; running out of addresses is no failure, or the runtime would start no pod at all."""
        status = _expect(Status, await self._ask(GetStatus()))
        if not status.ready:
            why = status.why_not_ready or status.state
            raise CniError(Code.NOT_AVAILABLE, f"the daemon is not ready: {why}", "see `weaveipam status`")


def _expect(kind: type[A], answer: Answer) -> A:
    """
    The answer, which is of a kind.

    Raises:
        CniError: it is a refusal, which tells why.
    """
    if isinstance(answer, Refusal):
        raise refused(answer)
    assert isinstance(answer, kind), f"{type(answer).__name__} does not answer this"
    return answer


def _refuse_gateway(ipam: Ipam, allocation: Allocation) -> None:
    """A gateway that only the network configuration knows of must not be given to a container."""
    for one in allocation.addresses:
        if ipam.gateway == (one.family, one.range.start):
            text = format_address(*ipam.gateway)
            raise CniError(
                Code.BAD_CONFIG,
                f"ipam.gateway: {text} is a free address of pool {one.pool}",
                "set it aside as the pool's gateway",
            )
