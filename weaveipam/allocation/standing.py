"""
How far a node has come: what it may do already.

Does not know what it waits for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Standing:
    """Of one node; all its machines look at the same one."""

    serving: bool = False
    """Whether allocations are answered, and anything may be stated; before, clients wait."""
    admitted: bool = False
    """Whether space may be asked for, and owned if others give it; before, who needs some waits."""
