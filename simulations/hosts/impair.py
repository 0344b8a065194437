"""
Trouble between hosts: directed cuts and loss by nftables, delay and bandwidth by netem or else by wires.

Everything is done to the switch's ports and the hosts' uplinks, so it goes when their namespaces go.
Does not know daemons, nor when trouble is due.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from functools import partial

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from simulations.hosts.closable import Closable
from simulations.hosts.namespaces import UPLINK, Lab, port_of
from simulations.hosts.place import within
from simulations.hosts.wires import Wires
from simulations.stage import CannotError

_LOSS_STEPS = 10_000
"""Loss is drawn in steps of a hundredth of a percent."""


class Segment(Closable):
    """A lab, and the means to impair it; all of it is gone after `close`, or at the end of a `with`."""

    def __init__(self, *, use_netem: bool | None = None) -> None:
        """
        An empty lab.

        Args:
            use_netem: Whether netem slows links; None: if the kernel has it.
        """
        self._has_nft = shutil.which("nft") is not None
        self.names: list[str] = []
        """Of the hosts, in the order in which they were added."""
        self.cuts: set[tuple[str, str]] = set()
        """Hosts between which nothing passes, that way."""
        self._losses: dict[str, float] = {}
        self._slowed: set[str] = set()
        self.has_netem = has_netem() if use_netem is None else use_netem
        self._wires = None if self.has_netem else Wires()
        try:
            self.lab = Lab() if self._wires is None else Lab(self._wires.cable)
        except BaseException:
            self._close_wires()
            raise

    def close(self) -> None:
        """Removes everything; harmless when repeated."""
        self._close_wires()
        self.lab.close()

    def add_host(self, name: str, address: str) -> None:
        """As of `Lab.add_host`; nothing is cut or slow from or to it."""
        self.lab.add_host(name, address)
        self.names.append(name)

    def sent_bytes(self) -> dict[str, int]:
        """By host, the bytes of all frames that it has sent since it was added."""
        received = within(self.lab.switch, _received_bytes)
        return {name: received.get(port_of(name), 0) for name in self.names}

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        """
        Nothing passes from the first host of each pair to the second any more; the other way it does.

        Raises:
            CannotError: nftables is missing.
        """
        self._demand_nft()
        self.cuts |= set(pairs)
        self._filter()

    def impair(self, hosts: Iterable[str], *, delay_s: float, loss: float, bytes_per_s: float) -> None:
        """
        What goes from and to these hosts takes longer, or gets lost with that probability; once each way.

        Raises:
            CannotError: nftables is missing, and there is loss; the rest is done.
        """
        for host in hosts:
            self._slow(host, delay_s, bytes_per_s)
            self._losses[host] = loss
        if loss:
            self._demand_nft()
        self._filter()

    def heal(self) -> None:
        """Everything passes again, at once."""
        for host in sorted(self._slowed):
            self._slow(host, 0.0, 0.0)
        self.cuts.clear()
        self._losses.clear()
        self._filter()

    def _demand_nft(self) -> None:
        if not self._has_nft:
            raise CannotError("cuts and loss need the program nft (apt-get install nftables)")

    def _filter(self) -> None:
        if self._has_nft:
            rules = ruleset(self.cuts, self._losses)
            run = partial(subprocess.run, ["nft", "-f", "-"], input=rules, text=True, check=True)
            within(self.lab.switch, run)

    def _slow(self, host: str, delay_s: float, bytes_per_s: float) -> None:
        if delay_s or bytes_per_s:
            self._slowed.add(host)
        elif host in self._slowed:
            self._slowed.remove(host)
        else:
            return
        if self._wires is not None:
            self._wires.slow(port_of(host), delay_s=delay_s, bytes_per_s=bytes_per_s)
            return
        # An interface delays what leaves it: what goes to the host at the switch, what comes from it there.
        within(self.lab.switch, partial(_netem, port_of(host), delay_s, bytes_per_s))
        within(self.lab.place(host).namespace, partial(_netem, UPLINK, delay_s, bytes_per_s))

    def _close_wires(self) -> None:
        if self._wires is not None:
            self._wires.close()


def ruleset(cuts: Iterable[tuple[str, str]], losses: dict[str, float]) -> str:
    """
    The whole table as a script for `nft -f`, which puts it in place of the one before, all or nothing.

    >>> print(ruleset([("a", "b")], {"c": 0.2}))
    table bridge weaveipam
    delete table bridge weaveipam
    table bridge weaveipam {
      set cut { type ifname . ifname; elements = { "to-a" . "to-b" }; }
      chain forward {
        type filter hook forward priority 0;
        iifname . oifname @cut drop
        iifname "to-c" numgen random mod 10000 < 2000 drop
        oifname "to-c" numgen random mod 10000 < 2000 drop
      }
    }
    """
    pairs = ", ".join(f'"{port_of(source)}" . "{port_of(target)}"' for source, target in sorted(cuts))
    elements = f" elements = {{ {pairs} }};" if pairs else ""
    lines = [
        "table bridge weaveipam",
        "delete table bridge weaveipam",
        "table bridge weaveipam {",
        f"  set cut {{ type ifname . ifname;{elements} }}",
        "  chain forward {",
        "    type filter hook forward priority 0;",
        "    iifname . oifname @cut drop",
    ]
    for host, loss in sorted(losses.items()):
        share = round(loss * _LOSS_STEPS)
        if share:
            # nft refuses a comparison that is always true.
            draw = f"numgen random mod {_LOSS_STEPS} < {share} " if share < _LOSS_STEPS else ""
            lines += [f'    {way} "{port_of(host)}" {draw}drop' for way in ("iifname", "oifname")]
    return "\n".join([*lines, "  }", "}"])


def has_netem() -> bool:
    """Whether this kernel can delay packets by itself; needs root."""

    def probe() -> bool:
        try:
            _netem("lo", 0.001, 0.0)
        except NetlinkError:
            return False
        return True

    with Lab() as lab:
        return within(lab.switch, probe)


def _received_bytes() -> dict[str, int]:
    """By interface of this namespace."""
    with IPRoute() as route:
        return {
            link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_STATS64")["rx_bytes"]
            for link in route.get_links()
        }


def _netem(interface: str, delay_s: float, bytes_per_s: float) -> None:
    """Sets, changes or, without delay and limit, ends the slowness of an interface of this namespace."""
    with IPRoute() as route:
        index = route.link_lookup(ifname=interface)[0]
        if delay_s or bytes_per_s:
            rate = {"rate": round(bytes_per_s)} if bytes_per_s else {}
            route.tc("replace", "netem", index=index, handle="1:", delay=round(delay_s * 1e6), **rate)
        else:
            route.tc("del", index=index, root=True)
