"""
One colour for each machine, and a paler one for each of its later lives.

The first nine are Paul Tol's muted scheme; each further one was chosen to be as far as possible, in OKLab,
from all before it as seen with full, red-blind, green-blind and blue-blind eyes; then they were put in an
order in which neighbours differ most, since neighbours on the list are neighbours in a ring at its birth.
Beyond their number colours come again: names on large areas and under the pointer tell machines apart then.
Does not know where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulations.report.markup import Markup

COLOURS = (
    "#4477aa", "#ddcc77", "#882255", "#88ccee", "#117733", "#cc6677", "#999933", "#aa4499",
    "#44aa99", "#6c4302", "#70b3f7", "#4e3e89", "#a57710", "#8fe1a1", "#2c516b", "#8d92e4",
    "#5a8451", "#f2a9be", "#81586b", "#cd867a", "#7b88ae", "#c89cd2", "#79c09a", "#d3a46e",
    "#584a3b", "#a97cc9", "#58e3dc", "#4a5c38", "#a193bc", "#2569a8", "#c9b957", "#965200",
    "#3dbfe2", "#b6a643", "#7b4487", "#6ccac4", "#688e3b", "#6b5e84", "#fb9989", "#a85334",
)  # fmt: skip
"""As #rrggbb; they are seen on light and on dark pages."""

LIFE_MARK = "'"
"""Stands between a machine's name and the number of its life."""


def machine_of(owner: str) -> str:
    """The machine whose life this owner is."""
    return owner.partition(LIFE_MARK)[0]


class Palette:
    """The colours of one run, as names of CSS classes: `cN` for a machine, and `pale` for later lives."""

    def __init__(self, machines: Sequence[str], owners: Sequence[str] = ()) -> None:
        names = dict.fromkeys([*machines, *map(machine_of, owners)])
        self._places = {name: place % len(COLOURS) for place, name in enumerate(names)}

    def of_machine(self, name: str) -> str:
        """Classes of a machine."""
        return f"c{self._places[name]}"

    def of_owner(self, owner: str) -> str:
        """Classes of an owner."""
        machine = machine_of(owner)
        return self.of_machine(machine) if owner == machine else f"{self.of_machine(machine)} pale"

    def ink_on(self, owner: str) -> str:
        """`on-dark`, `on-light` or `on-pale`: what writing on that owner's colour has to stand out from."""
        if owner != machine_of(owner):
            return "on-pale"
        red, green, blue = rgb(COLOURS[self._places[machine_of(owner)]])
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140  # noqa: PLR2004 - the eye's weights, of 255
        return "on-dark" if dark else "on-light"


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def rules() -> Markup:
    """The CSS of all classes."""
    return Markup("".join(f".c{place}{{--c:{colour}}}" for place, colour in enumerate(COLOURS)))
