"""
Markup that is safe by its type: text becomes markup only by being escaped.

Knows elements and attributes.  Does not know what is shown with them.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"br", "meta"})
"""Elements without an end, as HTML has them."""

_UNPRINTABLE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "\N{REPLACEMENT CHARACTER}")


class Markup(str):
    """Markup that is shown as it is; any other `str` is text."""

    __slots__ = ()


NOTHING = Markup()

Child: TypeAlias = "Markup | str | int | None"
"""What an element may contain: text is escaped, None is nothing."""


def escape(text: str) -> Markup:
    """The markup that shows this text, in an element or a quoted attribute; signs for what none can say."""
    sound = text.translate(_UNPRINTABLE).encode("utf-8", "replace").decode("utf-8")
    return Markup(html.escape(sound, quote=True))


def many(children: Iterable[Child]) -> Markup:
    """One after the other."""
    return Markup("".join(_shown(child) for child in children))


def el(name: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """
    One element.

    Args:
        name: Its tag.
        children: As `Child`.
        attributes: An underscore at the end is dropped, others become hyphens; None leaves the attribute out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{many(children)}</{name}>")


def _shown(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else escape(str(child))
