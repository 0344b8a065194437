"""
What to run: all that a run depends on, apart from the sources.

Does not know how it is run.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

SWARM = "swarm"
"""In place of a scenario's name: faults, clients and sizes are drawn from the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run; equal plans give equal traces."""

    seed: int
    scenario: str = SWARM
    nodes: int | None = None
    """None: as the scenario says, or as drawn."""
    minutes: float | None = None
    """Of virtual time until everything is healed; None: as the scenario says, or as drawn."""
    faults: tuple[str, ...] | None = None
    """Of the faults that the seed draws only these, sorted; None: all of them."""

    def command(self) -> str:
        """The shell command that does this run."""
        words = ["python", "-m", "simulations", "run", "--seed", str(self.seed)]
        if self.scenario != SWARM:
            words += ["--scenario", self.scenario]
        if self.nodes is not None:
            words += ["--nodes", str(self.nodes)]
        if self.minutes is not None:
            words += ["--minutes", f"{self.minutes:g}"]
        if self.faults is not None:
            words += ["--faults", ",".join(self.faults) or "none"]
        return shlex.join(words)
