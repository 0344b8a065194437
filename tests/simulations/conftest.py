"""What tests of the simulator share."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Runs that a test can predict, and that other processes can import."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("doubles")
