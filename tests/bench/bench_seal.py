"""
What sealing and opening a datagram costs, beside what it costs without: `python tests/bench/bench_seal.py`.

Ways take turns within each round, and medians of many rounds are compared, so that a noisy machine disturbs
all alike.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

from weaveipam.errors import PeerError
from weaveipam.gossip.seal import Seal
from weaveipam.protocol import codec
from weaveipam.protocol.effects import DATAGRAM_BYTES_MAX
from weaveipam.protocol.keyring import UNSEALED, Key, KeyRing

ROUNDS = 100
PACKETS = 100
"""Of each way in a round."""
CONTENT = bytes((codec.WIRE_VERSION,)) + bytes(DATAGRAM_BYTES_MAX - 33)
RINGS = {
    "no key": UNSEALED,
    "AES-128": KeyRing((Key(bytes(16)),)),
    "AES-256": KeyRing((Key(bytes(32)),)),
}


def timed_us(job: Callable[[bytes], object], packets: list[bytes]) -> float:
    """Microseconds for each packet."""
    began = perf_counter()
    for packet in packets:
        job(packet)
    return (perf_counter() - began) / len(packets) * 1e6


def refused(receiver: Seal) -> Callable[[bytes], None]:
    """Opening what cannot be opened."""

    def attempt(packet: bytes) -> None:
        try:
            receiver.open(packet)
        except PeerError:
            return
        raise AssertionError("it was opened")

    return attempt


def main() -> None:
    """Prints one line for each way."""
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        for name, ring in RINGS.items():
            sender = Seal(ring, number.to_bytes(8, "big"))
            receiver = Seal(ring, bytes(8))
            contents = [CONTENT] * PACKETS
            packets = [sender.seal(one, stream=False) for one in contents]
            forged = [packet[:-1] + bytes((packet[-1] ^ 1,)) for packet in packets]
            fresh = Seal(ring, bytes(8))
            for what, job, given in (
                ("seal", lambda one, sender=sender: sender.seal(one, stream=False), contents),
                ("refuse", refused(fresh), forged),
                ("open", receiver.open, packets),
            ):
                times.setdefault((name, what), []).append(timed_us(job, given))
    print(f"a datagram of {len(CONTENT)} bytes, medians of {ROUNDS} rounds, in microseconds")
    for name in RINGS:
        shown = ", ".join(f"{what} {median(times[name, what]):.1f}" for what in ("seal", "open", "refuse"))
        print(f"{name:8}  {shown}")


if __name__ == "__main__":
    main()
