"""The page as a whole."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from simulations.outcome import Mark, Outcome, Violation
from simulations.report import page, render
from simulations.report.markup import VOID

NASTY = """</script><img src=x onerror="alert('x')"> & ]]> \x00"""


class Reader(HTMLParser):
    """What a browser would see: checks that elements end where they should, and gathers what is in them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.readings: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if ("class", "readings") in attrs:
            self.readings.append("")

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text, also that of scripts."""
        self.text += data
        if self._open[-1:] == ["script"] and self.readings and not self.readings[-1]:
            self.readings[-1] = data

    def of(self, name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [value for key, value in self.attributes if key == name]


@pytest.fixture
def violations() -> tuple[Violation, ...]:
    """Three, of two checkers."""
    return (
        Violation("unique", 21.6, "10.32.3.17 is held twice."),
        Violation("coverage", 24.0, "Nobody accounts for 10.32.9.0."),
        Violation("unique", 24.01, "10.32.3.18 is held twice."),
    )


def drawings(text: str) -> list[ET.Element]:
    """The outermost SVG elements, parsed as XML."""
    found, depth, begin = [], 0, 0
    for match in re.finditer(r"<(/?)svg\b", text):
        if match[1]:
            depth -= 1
            if depth == 0:
                found.append(ET.fromstring(text[begin : match.end() + 1]))  # noqa: S314 - our own page
        else:
            begin = match.start() if depth == 0 else begin
            depth += 1
    return found


def test_the_page_is_well_formed(
    make_outcome: Callable[..., Outcome], violations: tuple[Violation, ...]
) -> None:
    """Elements end in order, ids are unique and found where meant, drawings are XML, data is JSON."""
    text = render([make_outcome(1), make_outcome(2, violations=violations)])
    reader = Reader(text)
    idents = reader.of("id")
    assert len(idents) == len(set(idents))
    wanted = {word for value in reader.of("aria-labelledby") for word in value.split()}
    wanted |= {value.removeprefix("#") for value in reader.of("href")}
    assert wanted <= set(idents)
    assert len(drawings(text)) > 40
    assert [sorted(json.loads(one)) for one in reader.readings] == [["clocks", "plots"]] * 2


def test_every_drawing_has_a_text(make_outcome: Callable[..., Outcome]) -> None:
    """An image has a title and a description; what is none is hidden from those who only listen."""
    for drawing in drawings(render([make_outcome()])):
        if drawing.get("role") == "img":
            assert drawing.findtext("title")
            assert drawing.findtext("desc")
        else:
            assert drawing.get("aria-hidden") == "true" or drawing.find("use") is not None


def test_the_page_fetches_nothing(make_outcome: Callable[..., Outcome]) -> None:
    """No address, no source, no link but within the page; and the browser is told to refuse any."""
    text = render([make_outcome(1), make_outcome(2)])
    reader = Reader(text)
    assert not {"link", "img", "iframe", "image", "object", "embed"} & set(reader.tags)
    assert reader.of("src") == []
    assert all(value.startswith("#") for value in reader.of("href"))
    assert not re.search(r"https?:|//\w+\.|@import|url\(", text)
    assert any(value.startswith("default-src 'none'") for value in reader.of("content"))


def test_text_of_outcomes_is_only_text(make_outcome: Callable[..., Outcome]) -> None:
    """Whatever stands in any text of an outcome, the page has the same elements as with harmless words."""

    def page_with(word: str) -> Reader:
        run = make_outcome(seconds=10)
        assert run.chart is not None
        names = tuple(f"{name}{word}" for name in run.chart.machines)
        samples = tuple(
            replace(one, bands=dict.fromkeys([word], one.bands[min(one.bands)])) for one in run.chart.samples
        )
        chart = replace(
            run.chart,
            machines=names,
            owners=(*names, f"{names[0]}'2"),
            rings={word: word},
            samples=samples,
            marks=(Mark("crash", 1.0, None, names[:1], word), Mark(word, 2.0, 3.0, (), word)),
        )
        text = render(
            [
                replace(
                    run,
                    scenario=word,
                    violations=(Violation(word, 1.0, word),),
                    trace_hash=word,
                    failures_by_reason={word: 1},
                    reached={word: 1},
                    faults={word: word},
                    unavailable=(word,),
                    replay=word,
                    commit=word,
                    tail=(word,),
                    chart=chart,
                )
            ]
            * 2
        )
        drawings(text)
        return Reader(text)

    nasty, harmless = page_with(NASTY), page_with("word")
    assert nasty.tags == harmless.tags
    assert [name for name, _ in nasty.attributes] == [name for name, _ in harmless.attributes]


def test_every_violation_is_shown(
    make_outcome: Callable[..., Outcome], violations: tuple[Violation, ...]
) -> None:
    """Its sentence, its checker and its time; and the last events before the first."""
    text = Reader(render([make_outcome(violations=violations)])).text
    assert "3 violations" in text
    for violation in violations:
        assert violation.text in text
        assert violation.checker in text
    for shown in (
        "21.60 s",
        "24.00 s",
        "24.01 s",
        "n3 sends 48 bytes to n1",
        "python -m simulations run --seed 17",
    ):
        assert shown in text


def test_equal_outcomes_give_equal_pages(make_outcome: Callable[..., Outcome]) -> None:
    """Also when their mappings were filled in another order."""
    one = make_outcome()
    other = make_outcome()
    assert one.chart is not None
    assert other.chart is not None
    turned = replace(
        other,
        reached=dict(reversed(other.reached.items())),
        faults=dict(reversed(other.faults.items())),
        failures_by_reason=dict(reversed(other.failures_by_reason.items())),
        convergence_seconds=dict(reversed(other.convergence_seconds.items())),
        chart=replace(other.chart, rings=dict(reversed(other.chart.rings.items()))),
    )
    assert one == turned
    assert render([one]) == render([turned])
    assert render([one, one]) == render([one, turned])


@pytest.mark.slow
def test_ten_minutes_of_fifty_machines_take_less_than_two_megabytes(
    make_outcome: Callable[..., Outcome],
) -> None:
    """With a sample each second and two rings; a minute of eight machines takes a tenth of one."""
    assert len(render([make_outcome(nodes=50, seconds=600)])) < 2_000_000
    assert len(render([make_outcome()])) < 150_000


@pytest.mark.slow
def test_many_runs_make_a_page_of_bounded_size(make_outcome: Callable[..., Outcome]) -> None:
    """All have a row; those with violations come before others among those with a section."""
    run = replace(make_outcome(seconds=10), chart=None)
    broken = replace(run, violations=(Violation("unique", 1.0, "Held twice, in the last run."),))
    text = render([*[run] * 2000, broken])
    assert len(text) < 6_000_000
    assert text.count('class="run"') == page.RUNS_SHOWN_MAX
    assert "Held twice, in the last run." in text
    assert f'id="r{2000}"' in text
    assert "1,601 of 2,001 runs are in the table only" in text


def test_a_run_without_a_chart_is_reported(make_outcome: Callable[..., Outcome]) -> None:
    """In words."""
    text = Reader(render([replace(make_outcome(), chart=None)])).text
    assert "Nothing was recorded to draw" in text
    assert "all invariants held" in text


def test_no_outcome_is_no_report() -> None:
    """Somebody asked for nothing."""
    with pytest.raises(ValueError, match="needs an outcome"):
        render([])
