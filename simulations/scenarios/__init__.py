"""
One scenario in each module: `NODES`, `MINUTES`, `play(stage)`, and a docstring whose first line `list` shows.

`split_two.py` is the scenario `split-two`.  If they are there, `POOL`, `PRESET`, `PROBE_INTERVAL_S` (of the
simulator's daemons), `RELEASE`, `KEYRING`, `CONSENSUS` and `FORMED` say with what it begins, and `UNTIL` what
is missing for it to run.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

POOL = "10.32.0.0/24"
"""Of scenarios that name none."""


def names() -> tuple[str, ...]:
    """Every scenario, sorted."""
    return tuple(sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """
    The module of a scenario.

    Raises:
        LookupError: there is none of this name.
    """
    if name not in names():
        raise LookupError(f"there is no scenario {name!r}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def sentence(scenario: ModuleType) -> str:
    """What it is about: the first line of its docstring."""
    return (scenario.__doc__ or "").strip().partition("\n")[0]


def pool(scenario: ModuleType) -> str:
    """The range of addresses that it is about."""
    return str(getattr(scenario, "POOL", POOL))


def missing(scenario: ModuleType) -> str | None:
    """What weaveipam lacks so far for this scenario to run, as its `UNTIL` says it; None if it can run."""
    until = getattr(scenario, "UNTIL", None)
    return None if until is None else str(until)
