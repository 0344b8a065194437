"""Markup: text is escaped, always."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.report.markup import NOTHING, Markup, el, escape, many


@given(st.text())
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """What can be printed is read back as it was written, and holds nothing that markup is made of."""
    shown = escape(text)
    assert not set("<>\"'") & set(shown)
    if text.isprintable():
        assert html.unescape(shown) == text


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800", "\x7f"])
def test_what_no_page_can_hold_is_replaced(text: str) -> None:
    """Control characters and halves of surrogate pairs leave a page that can be encoded and parsed."""
    shown = escape(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in shown)


def test_children_are_text_unless_they_are_markup() -> None:
    """A str is escaped, also as an attribute; Markup is not, numbers are shown, None is nothing."""
    assert el("p", "<b>", Markup("<i></i>"), 7, None, title='"') == '<p title="&quot;">&lt;b&gt;<i></i>7</p>'
    assert many(["&", Markup("&amp;")]) == "&amp;&amp;"
    assert many([]) == NOTHING


def test_attributes_are_named_as_html_names_them() -> None:
    """No underscore is left, None leaves the attribute out, and void elements have no end."""
    assert el("td", class_="num", data_v=3, title=None) == '<td class="num" data-v="3"></td>'
    assert el("meta", name="viewport") == '<meta name="viewport">'
