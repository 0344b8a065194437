"""Plots that are files of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from simulations.scale.plot import HEIGHT_PX, WIDTH_PX, Line, Plot, draw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line) -> ET.Element:
    """The parsed file."""
    text = draw(Plot(title="A & B", unit="s", lines=lines, bars=(("bar", 0.5),)))
    return ET.fromstring(text)  # noqa: S314 - our own text


def test_each_value_has_its_mark_higher_where_it_is_more() -> None:
    """Marks go right with nodes and up with values, within the picture."""
    root = drawn(Line(name="ours", points=[(10, 0.001), (100, 0.1), (5000, 0.2)]))
    marks = [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in root.iter(f"{SVG}circle")]

    assert len(marks) == 3
    assert [x for x, _ in marks] == sorted(x for x, _ in marks)
    assert [y for _, y in marks] == sorted((y for _, y in marks), reverse=True)
    assert all(0 < x < WIDTH_PX and 0 < y < HEIGHT_PX for x, y in marks)


def test_names_and_sizes_are_written() -> None:
    """The title with its unit, each line's name, each size, and the bar."""
    texts = [one.text for one in drawn(Line(name="ours", points=[(10, 1.0), (1000, 2.0)])).iter(f"{SVG}text")]
    assert {"A & B (s)", "ours", "10", "1,000", "bar", "nodes"} <= set(texts)


def test_nothing_can_be_drawn() -> None:
    """A plot without lines, and a line without values, are well-formed."""
    assert list(drawn().iter(f"{SVG}circle")) == []
    assert list(drawn(Line(name="ours", points=[])).iter(f"{SVG}circle")) == []
