"""
Packets to and from peers: datagrams and streams on one address and port, names resolved.

Does not know what packets mean, nor who peers are.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable

from weaveipam.daemon import streams, udp
from weaveipam.daemon.resolve import Lookup, Resolver, system_lookup
from weaveipam.daemon.streams import StreamLimits, Streams
from weaveipam.daemon.udp import Datagrams
from weaveipam.errors import ConfigError
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint

COUNTERS = (*udp.COUNTERS, *streams.COUNTERS, "dropped.unresolved", "dropped.invalid-endpoint")
"""Names that `Transport.counters` always has; `errors.<errno name>` come up as they happen."""

HOST_CHARACTERS_MAX = 253
"""Of a name in the DNS (RFC 1035, section 2.3.4)."""
PORT_MAX = 65535
"""asyncio closes its socket for good if asked to send to a higher one, and peers tell us whom to send to."""
PORT_ATTEMPTS = 16
"""Ports tried when any free one will do: the one chosen for TCP may be taken for UDP."""


class Transport:
    """Datagrams and streams on one bound address; made by `open`, ended by `close`."""

    def __init__(
        self,
        bound: Endpoint,
        datagrams: Datagrams,
        streams: Streams,
        resolver: Resolver,
        counters: Counter[str],
    ) -> None:
        self.bound = bound
        """Where it listens: the numeric host (a wildcard, if that was asked for) and the port."""
        self._datagrams = datagrams
        self._streams = streams
        self._resolver = resolver
        self._counters = counters

    @classmethod
    async def open(
        cls,
        bind: Endpoint,
        deliver: Callable[[bytes, Endpoint], None],
        *,
        limits: StreamLimits | None = None,
        lookup: Lookup = system_lookup,
    ) -> Transport:
        """
        A transport that listens for datagrams and streams on one host and port.

        Args:
            bind: A numeric address or a name of this host, which also fixes the family for good (`::` is
                IPv6 alone).  Port 0: one that is free for both.
            deliver: Called in the event loop with each packet, within its channel's bound and not empty,
                and where it came from.  Must neither block nor raise, and bounds what it keeps.
            limits: Of streams.
            lookup: Resolves names; called in threads.

        Raises:
            ConfigError: it cannot listen there; nothing is left open.
        """
        family, host = await _resolve_bind(bind)
        udp_socket, tcp_socket = _bind_both(family, host, bind)
        port = int(udp_socket.getsockname()[1])
        counters = Counter(dict.fromkeys(COUNTERS, 0))
        local_host = None if ipaddress.ip_address(host).is_unspecified else host
        datagrams = await Datagrams.open(udp_socket, deliver, counters)
        try:
            listening = await Streams.open(
                tcp_socket, deliver, counters, limits=limits or StreamLimits(), local_host=local_host
            )
        except OSError as error:
            # UDP is bound and another program listens: bind succeeds on both, listen does not.
            tcp_socket.close()
            await datagrams.close()
            raise ConfigError(f"cannot listen on {bind}: {error.strerror}") from error
        return cls(Endpoint(host, port), datagrams, listening, Resolver(family, lookup), counters)

    @property
    def counters(self) -> dict[str, int]:
        """A copy of all counts by name, up to date; the names in COUNTERS are always there."""
        self._datagrams.refresh_counters()
        return dict(self._counters)

    def send(self, effect: Send) -> None:
        """
        Send a packet some time soon, or drop and count it; never waits, never raises.

        A name is resolved first; one with several addresses gets them in turn.
        """
        host, port = effect.target
        if not 0 < len(host) <= HOST_CHARACTERS_MAX or not 0 < port <= PORT_MAX:
            self._counters["dropped.invalid-endpoint"] += 1
            return
        self._resolver.resolve(host, functools.partial(self._send_to, effect))

    async def close(self) -> None:
        """Send what is queued, for at most about a second, then end; sockets are closed when this returns."""
        self._resolver.close()
        await self._streams.close()
        await self._datagrams.close()

    def _send_to(self, effect: Send, address: str | None) -> None:
        if address is None:
            self._counters["dropped.unresolved"] += 1
            return
        channel = self._datagrams if effect.channel is Channel.DATAGRAM else self._streams
        channel.send(effect.packet, (address, effect.target.port))


async def _resolve_bind(bind: Endpoint) -> tuple[socket.AddressFamily, str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(bind.host, bind.port, type=socket.SOCK_DGRAM)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot listen on {bind}: {bind.host!r} is no address of this host") from error
    family, _, _, _, address = found[0]
    return socket.AddressFamily(family), str(address[0])


def _bind_both(
    family: socket.AddressFamily, host: str, bind: Endpoint
) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket, bound to the same address and port, neither listening yet."""
    for attempts_left in reversed(range(PORT_ATTEMPTS if bind.port == 0 else 1)):
        with contextlib.ExitStack() as cleanup:
            tcp = cleanup.enter_context(socket.socket(family, socket.SOCK_STREAM))
            udp = cleanup.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            # TCP only, so that a restart is not held up by old connections.  On UDP it would let two
            # daemons share the port, and each would miss what the other gets.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                for sock in (tcp, udp):
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                tcp.bind((host, bind.port))
                udp.bind((host, tcp.getsockname()[1]))
            except (OSError, OverflowError) as error:
                if attempts_left:
                    continue
                why = error.strerror if isinstance(error, OSError) else "no such port"
                raise ConfigError(f"cannot listen on {bind}: {why}") from error
            cleanup.pop_all()
            return udp, tcp
    raise AssertionError("unreachable")
