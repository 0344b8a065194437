"""
A stranger who sends datagrams to a daemon as fast as one process can.

Does not know what the daemon makes of them.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
from random import Random
from types import FrameType
from typing import Literal, Self, TypeAlias, get_args

from ring.ring import Peer
from weaveipam.protocol.codec import encode_packet
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.messages import Header, Ping
from weaveipam.protocol.values import Endpoint

Kind: TypeAlias = Literal["noise", "foreign"]
"""Random bytes; or packets as daemons of another cluster send them, each of another daemon."""

PACKETS = 1000
"""Different ones, sent in turn."""
CLOSE_S = 10.0


class Flood:
    """The flood from one address to a daemon, `HOST:PORT`, while it is entered."""

    def __init__(self, source: str, target: str, kind: Kind) -> None:
        self._command = [sys.executable, "-m", __name__, source, target, kind]
        self._process: subprocess.Popen[bytes] | None = None
        self.sent_count = 0
        """Datagrams that were sent, once it is over."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it has begun
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self.sent_count = int(self._process.communicate(timeout=CLOSE_S)[0])


def packets(kind: Kind) -> list[bytes]:
    """What is sent."""
    chance = Random(7)
    if kind == "noise":
        return [chance.randbytes(chance.randrange(1, DATAGRAM_BYTES_MAX)) for _ in range(PACKETS)]
    lives = [Peer(f"stranger-{number}", chance.getrandbits(60)) for number in range(PACKETS)]
    headers = [Header(b"elsewise", one, Endpoint("127.0.0.3", 1)) for one in lives]
    return [encode_packet(one, [Ping(1, one.sender, 1)]) for one in headers]


def main() -> None:
    """Sends until SIGTERM, then prints how many datagrams that were."""
    parser = argparse.ArgumentParser(description="send garbage to a daemon until SIGTERM")
    parser.add_argument("source", help="a local address to send from")
    parser.add_argument("target", help="HOST:PORT")
    parser.add_argument("kind", choices=get_args(Kind))
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    content, target = packets(options.kind), (host, int(port))
    over = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal over
        over = True

    signal.signal(signal.SIGTERM, end)
    sent_count = 0
    print("sending", flush=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((options.source, 0))
        while not over:
            for one in content:
                sender.sendto(one, target)
            sent_count += len(content)
    print(sent_count)


if __name__ == "__main__":
    main()
