"""
A simulated network that counts what each machine sends and receives, at a constant cost for each packet.

Bytes are those of packets alone: payload of UDP for datagrams, of TCP for streams.
Does not know what packets mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

from simulations.network import Network, Port
from weaveipam.protocol.effects import Channel, Send
from weaveipam.protocol.values import Endpoint


@dataclass(slots=True)
class Traffic:
    """What passed at one place."""

    datagrams: int = 0
    datagram_bytes: int = 0
    streamed: int = 0
    """Packets on streams."""
    streamed_bytes: int = 0

    @property
    def all_bytes(self) -> int:
        """On both channels."""
        return self.datagram_bytes + self.streamed_bytes

    @property
    def packets(self) -> int:
        """On both channels."""
        return self.datagrams + self.streamed

    def note(self, size_bytes: int, *, stream: bool) -> None:
        """Count one packet."""
        if stream:
            self.streamed += 1
            self.streamed_bytes += size_bytes
        else:
            self.datagrams += 1
            self.datagram_bytes += size_bytes

    def copy(self) -> Traffic:
        """As it is now."""
        return Traffic(*astuple(self))

    def since(self, before: Traffic) -> Traffic:
        """What has passed since an earlier `copy`."""
        return Traffic(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(before), strict=True)))


@dataclass(slots=True)
class Account:
    """What one machine has sent and received."""

    sent: Traffic = field(default_factory=Traffic)
    received: Traffic = field(default_factory=Traffic)


class CountingNetwork(Network):
    """A network with an account for each machine, and one for all."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # whatever the network takes
        self.accounts: dict[str, Account] = {}
        self.total = Traffic()
        """Sent by all."""
        self.outside: dict[Endpoint, Callable[[Endpoint, Send], None]] = {}
        """What takes packets to endpoints that are not in this network: called with the source."""

    def attach(self, name: str, endpoint: Endpoint, deliver: Callable[[bytes, Endpoint], None]) -> Port:
        """As of `Network`, with a port that counts."""
        account = self.accounts.setdefault(name, Account())

        def arrived(packet: bytes, source: Endpoint) -> None:
            # A stream comes from a passing port of its host, a datagram from where its sender listens.
            account.received.note(len(packet), stream=source.port != endpoint.port)
            deliver(packet, source)

        port = super().attach(name, endpoint, arrived)
        return _CountingPort(port, (account.sent, self.total), self.outside)


class _CountingPort(Port):
    """A port that notes what is sent through another one."""

    def __init__(
        self,
        port: Port,
        counts: Sequence[Traffic],
        outside: Mapping[Endpoint, Callable[[Endpoint, Send], None]],
    ) -> None:
        self._port = port
        self._counts = counts
        self._outside = outside

    @property
    def endpoint(self) -> Endpoint:
        return self._port.endpoint

    def send(self, effect: Send) -> None:
        size_bytes, stream = len(effect.packet), effect.channel is Channel.STREAM
        for count in self._counts:
            count.note(size_bytes, stream=stream)
        elsewhere = self._outside.get(effect.target)
        if elsewhere is None:
            self._port.send(effect)
        else:
            elsewhere(self.endpoint, effect)

    def close(self) -> None:
        self._port.close()

    def abort(self, *, silent: bool = False) -> None:
        self._port.abort(silent=silent)
