"""
Where on this machine a daemon or a plugin runs: its addresses, and its network namespace if it has one.

Does not know how places come to be; `relay` and `namespaces` make them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

from pyroute2 import netns

T = TypeVar("T")

GOSSIP_PORT = 6783


class Place(NamedTuple):
    """Where one daemon lives."""

    bind: str
    """Where it listens, `HOST:PORT`."""
    advertise: str
    """Where its peers find it, `HOST:PORT`."""
    namespace: str | None
    """The name of its network namespace; None: that of this process."""


class Network(Protocol):
    """What lies between daemons, and can keep one of them from all others."""

    def place(self, name: str) -> Place:
        """Where the daemon of this name lives."""

    def cut(self, name: str) -> None:
        """Lets nothing from or to this daemon pass, and breaks its connections."""

    def heal(self, name: str) -> None:
        """Lets everything pass again."""


def within(namespace: str | None, job: Callable[[], T]) -> T:
    """
    What `job` returns, run on a thread of its own inside a namespace; None: right here.

    Processes that the job starts, and sockets that it opens, belong to the namespace for good.

    Raises:
        OSError: the namespace does not exist, or may not be entered; the job was not run.
    """
    if namespace is None:
        return job()
    with ThreadPoolExecutor(max_workers=1) as lane:  # a namespace belongs to a thread: this one ends with it
        lane.submit(netns.setns, namespace, 0).result()
        return lane.submit(job).result()
