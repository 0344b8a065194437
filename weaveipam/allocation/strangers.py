"""
Other clusters that have been heard of: reported now and then, and shown as long as they are heard.

Clusters of different births never mix; that two met is for an operator to mend, and this says how.
Does not know where packets come from, nor why there is more than one cluster.
"""

from __future__ import annotations

from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.messages import UNFORMED, Header
from weaveipam.protocol.values import Endpoint

REPORT_INTERVAL_S = 60.0
"""Seconds between two reports of packets of other clusters: operators need one, not one a packet."""
LASTS_S = 60.0
"""Seconds after its last packet that another cluster is shown; its daemons knock every few seconds."""
CLUSTERS_MAX = 8
"""That are shown; on an open network anybody can make up any number of them."""


class Strangers:
    """Daemons of other clusters that speak to this one."""

    def __init__(self) -> None:
        self._heard: dict[bytes, tuple[float, str]] = {}
        """By cluster: when last, and what to do about it."""
        self._unreported_count = 0
        """Packets that no report has told of."""
        self._report_at = float("-inf")

    def heard(self, header: Header, source: Endpoint, ours: bytes, now: float) -> list[Report]:
        """
        What to report of a packet of no member, if it is one of another cluster; mostly nothing.

        Args:
            header: Of the packet.
            source: Where it came from.
            ours: The cluster that this daemon belongs to, or `UNFORMED`.
            now: Seconds on the monotonic clock.
        """
        if ours == UNFORMED or header.cluster_id in {UNFORMED, ours}:
            return []
        mend = (
            f"{header.sender.name} belongs to cluster {header.cluster_id.hex()}, and this daemon to "
            f"{ours.hex()}; the two never merge: of the one to be given up, end whatever uses its addresses, "
            "stop its daemons, remove their data directories, and start them with --init observe and --join "
            "a member of the other"
        )
        if header.cluster_id in self._heard or len(self._shown(now)) < CLUSTERS_MAX:
            self._heard[header.cluster_id] = (now, mend)
        self._unreported_count += 1
        if now < self._report_at:
            return []
        fields = (
            ("peer", str(header.sender)),
            ("source", str(source)),
            ("ours", ours.hex()),
            ("theirs", header.cluster_id.hex()),
            ("packets", self._unreported_count),
            ("detail", mend),
        )
        self._unreported_count, self._report_at = 0, now + REPORT_INTERVAL_S
        return [Report(Level.ERROR, "foreign-cluster", fields)]

    def conflicts(self, now: float) -> tuple[str, ...]:
        """One sentence for each other cluster that is still heard, sorted."""
        return tuple(sorted(mend for _, mend in self._shown(now).values()))

    def _shown(self, now: float) -> dict[bytes, tuple[float, str]]:
        self._heard = {name: one for name, one in self._heard.items() if now < one[0] + LASTS_S}
        return self._heard
