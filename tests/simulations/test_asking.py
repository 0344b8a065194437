"""What scenarios may expect of daemons that are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from simulations.asking import CAUTION, UNEVEN, serve, share
from simulations.stage import Stage


class Counter:
    """The part of a stage that is asked: some addresses, each given once, none of them at `deaf` daemons."""

    def __init__(self, pool_size: int, names: Sequence[str], deaf: Sequence[str] = ()) -> None:
        self.pool_size = pool_size
        self.names = names
        self._deaf = deaf
        self.given = 0

    def burst(self, count: int, at: Sequence[str]) -> int:
        """In turn, as a stage does it."""
        asked = [at[number % len(at)] for number in range(count)]
        answered = min(sum(name not in self._deaf for name in asked), self.pool_size - self.given)
        self.given += answered
        return answered


@pytest.mark.parametrize("names_count", [3, 8, 1000])
def test_an_even_share_of_everybody_leaves_most_of_the_pool(names_count: int) -> None:
    """All shares together are a small part of the pool, and too many daemons get none."""
    stage = Counter(254, [f"n{number}" for number in range(names_count)])

    found = share(cast("Stage", stage))

    assert 0 <= found * names_count <= 254 / UNEVEN
    assert (found == 0) == (names_count > 254 / UNEVEN)


def test_daemons_serve_if_each_gives_one() -> None:
    """One request is put to each of them, and one that is not answered is enough for a no."""
    assert serve(cast("Stage", sound := Counter(254, ["a", "b"])), ["a", "b"])
    assert sound.given == 2
    assert not serve(cast("Stage", Counter(254, ["a", "b"], deaf=["b"])), ["a", "b"])


def test_no_more_are_asked_than_the_pool_has_room_for() -> None:
    """More daemons than addresses are no reason to say that they do not serve."""
    names = [f"n{number}" for number in range(100)]
    stage = Counter(20, names)

    assert serve(cast("Stage", stage), names)
    assert stage.given == 20 // CAUTION
