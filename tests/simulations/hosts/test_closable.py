"""What must be closed is."""

from __future__ import annotations

import pytest

from simulations.hosts.closable import Closable


class Door(Closable):
    """Open until it is closed."""

    is_open = True

    def close(self) -> None:
        """For good."""
        self.is_open = False


def test_a_with_closes() -> None:
    """It is open inside the `with`, and closed behind it."""
    with Door() as door:
        assert door.is_open

    assert not door.is_open


def test_a_failure_closes_too() -> None:
    """An exception gets out of the `with`, and leaves nothing open."""
    door = Door()
    with pytest.raises(KeyError), door:
        raise KeyError("lost")

    assert not door.is_open
