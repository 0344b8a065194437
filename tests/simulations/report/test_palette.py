"""Colours that eyes of all kinds tell apart."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest

from simulations.report.palette import COLOURS, Palette, machine_of, rgb, rules

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

EYES: dict[str, Matrix] = {
    "full": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "red-blind": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "green-blind": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
}
"""What is left of linear red, green and blue (Machado, Oliveira and Fernandes 2009, at full severity)."""


def seen(colour: str, eyes: str) -> Vector:
    """In OKLab, where distances are what eyes make of them."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))
    ]
    red, green, blue = (
        sum(part * value for part, value in zip(row, linear, strict=True)) for row in EYES[eyes]
    )
    cones = (
        0.4122 * red + 0.5363 * green + 0.0514 * blue,
        0.2119 * red + 0.6807 * green + 0.1074 * blue,
        0.0883 * red + 0.2817 * green + 0.6300 * blue,
    )
    long, middle, short = (math.copysign(abs(cone) ** (1 / 3), cone) for cone in cones)
    return (
        0.2105 * long + 0.7936 * middle - 0.0041 * short,
        1.9780 * long - 2.4286 * middle + 0.4506 * short,
        0.0259 * long + 0.7828 * middle - 0.8087 * short,
    )


@pytest.mark.parametrize("eyes", EYES)
def test_neighbours_differ_for_all_eyes(eyes: str) -> None:
    """Colours that follow each other are far apart, and no two of the first dozen are close."""
    assert min(math.dist(seen(a, eyes), seen(b, eyes)) for a, b in pairwise(COLOURS)) > 0.05
    assert min(math.dist(seen(a, eyes), seen(b, eyes)) for a, b in combinations(COLOURS[:12], 2)) > 0.035


def test_a_machine_keeps_its_colour_in_all_its_lives() -> None:
    """Later lives have the machine's colour, paler; an owner that is no machine of the run has one too."""
    palette = Palette(["n1", "n2"], ["n1", "n2'2", "old"])
    assert palette.of_owner("n2'2") == f"{palette.of_machine('n2')} pale"
    assert palette.of_owner("n1") == palette.of_machine("n1") != palette.of_machine("n2")
    assert palette.of_owner("old") not in {palette.of_machine("n1"), palette.of_machine("n2")}
    assert machine_of("n2'12") == "n2"


def test_there_are_colours_for_any_number_of_machines() -> None:
    """They come again, and each has its rule."""
    names = [f"n{place}" for place in range(1000)]
    palette = Palette(names)
    styles = rules()
    assert all(f".{palette.of_machine(name)}{{" in styles for name in names)
    assert {palette.ink_on(name) for name in names} == {"on-dark", "on-light"}
    assert Palette(["n1"]).ink_on("n1'2") == "on-pale"
