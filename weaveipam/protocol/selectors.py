"""
Kubernetes' label selectors: as `kubectl -l` takes them, and in the structured form of its objects.

What a selector asks has one text only: `a==b`, `a=b` and `a in (b)` are equal, and written as `a=b`.

Source: the grammar and the rules of k8s.io/apimachinery, packages pkg/labels and pkg/util/validation, and
"Labels and Selectors" of Kubernetes' documentation.  More lenient in one thing: between two commas of a set,
and behind the last one, there is always the empty value, where that parser sometimes refuses.
Does not know what carries labels, nor what is selected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

NAME_CHARACTERS_MAX = 63
"""Of a key behind its prefix, and of a value."""

PREFIX_CHARACTERS_MAX = 253
"""Of what stands before the slash of a key: a DNS subdomain."""

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,63}")
_INTEGER_MAX = (1 << 63) - 1
_EXPECTED_NAME = (
    f"expected 1 to {NAME_CHARACTERS_MAX} letters, digits, '-', '_' and '.',"
    " beginning and ending with a letter or digit"
)

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+|\Z)")
_SYMBOLS = frozenset(("", "==", "!=", *"=!<>(),"))


class Operator(IntEnum):
    """How the value of a label stands to those of a requirement."""

    IN = 1
    """The label is there and has one of the values."""
    NOT_IN = 2
    """The label has none of the values, or is not there."""
    EXISTS = 3
    ABSENT = 4
    GREATER = 5
    """The label is there and is an integer of 64 bits that is greater than the value."""
    LESS = 6


_STRUCTURED = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.ABSENT,
    "Gt": Operator.GREATER,
    "Lt": Operator.LESS,
}
_BINARY = {
    "=": Operator.IN,
    "==": Operator.IN,
    "in": Operator.IN,
    "!=": Operator.NOT_IN,
    "notin": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}
_UNARY = (Operator.EXISTS, Operator.ABSENT)
_ORDER = (Operator.GREATER, Operator.LESS)


class Requirement(NamedTuple):
    """What is asked of one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    """Sorted, no two equal.  Some for `IN` and `NOT_IN`, one decimal integer for `GREATER` and `LESS`."""

    def __str__(self) -> str:
        if self.operator is Operator.EXISTS:
            return self.key
        if self.operator is Operator.ABSENT:
            return f"!{self.key}"
        if self.operator in _ORDER:
            return f"{self.key}{'>' if self.operator is Operator.GREATER else '<'}{self.values[0]}"
        inside = self.operator is Operator.IN
        if len(self.values) == 1:
            return f"{self.key}{'=' if inside else '!='}{self.values[0]}"
        return f"{self.key} {'in' if inside else 'notin'} ({','.join(self.values)})"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as this asks."""
        value = labels.get(self.key)
        if self.operator is Operator.EXISTS:
            return value is not None
        if self.operator is Operator.ABSENT:
            return value is None
        if self.operator is Operator.IN:
            return value in self.values
        if self.operator is Operator.NOT_IN:
            return value not in self.values
        number, bound = _integer(value or ""), int(self.values[0])
        if number is None:
            return False
        return number > bound if self.operator is Operator.GREATER else number < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """
    What is asked of labels: all of the requirements; without any it matches everything.

    `str()` is its one text, which `parse_selector` reads back; `selector_of` makes one of requirements.
    """

    requirements: tuple[Requirement, ...] = ()
    """Sorted, no two equal."""

    def __post_init__(self) -> None:
        assert well_formed(self.requirements), "requirements that no text gives"

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.requirements)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as all of the requirements ask."""
        return all(one.matches(labels) for one in self.requirements)


def well_formed(requirements: Sequence[Requirement]) -> bool:
    """Whether these, in this order, are the requirements of a selector; who decodes them must ask."""
    try:
        as_they_should_be = [requirement_of(*one) for one in requirements]
    except ValueError:
        return False
    return list(requirements) == sorted(set(as_they_should_be))


def selector_of(requirements: Iterable[Requirement]) -> Selector:
    """The selector that asks all of these, in whatever order they come."""
    return Selector(tuple(sorted(set(requirements))))


def requirement_of(key: str, operator: Operator, values: Iterable[str] = ()) -> Requirement:
    """
    A requirement that is well formed, whatever order its values have.

    Raises:
        ValueError: key or values are no label's, or their number is not what the operator takes.
    """
    texts = sorted(set(values))
    problem = key_problem(key) or next(filter(None, map(value_problem, texts)), None)
    if problem is None and operator in _UNARY and texts:
        problem = f"expected no values where only the presence of {key!r} counts, not {texts[0]!r}"
    if problem is None and operator in (Operator.IN, Operator.NOT_IN) and not texts:
        problem = f"expected at least one value for {key!r}; the empty text is one"
    if problem is None and operator in _ORDER:
        number = _integer(texts[0]) if len(texts) == 1 else None
        if number is None:
            problem = (
                f"expected one integer of 64 bits for {key!r} to be compared with, not {','.join(texts)!r}"
            )
        texts = [str(number)]
    if problem is not None:
        raise ValueError(problem)
    return Requirement(key, operator, tuple(texts))


def key_problem(key: str) -> str | None:
    """What keeps a text from being a label's key, as `[PREFIX/]NAME`; None: nothing does."""
    prefix, slash, name = key.rpartition("/")
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        where = f" behind the slash of {key!r}" if slash else ""
        return f"{name!r}{where} is no name of a label: {_EXPECTED_NAME}"
    if slash and (len(prefix) > PREFIX_CHARACTERS_MAX or not _SUBDOMAIN.fullmatch(prefix)):
        return (
            f"{prefix!r} before the slash of {key!r} is no DNS subdomain: expected at most"
            f" {PREFIX_CHARACTERS_MAX} lower-case letters, digits, '-' and '.', such as example.com"
        )
    return None


def value_problem(value: str) -> str | None:
    """What keeps a text from being a label's value; None: nothing does."""
    if not value or (len(value) <= NAME_CHARACTERS_MAX and _NAME.fullmatch(value)):
        return None
    return f"{value!r} is no value of a label: {_EXPECTED_NAME}, or nothing"


def labels_problems(labels: Mapping[Any, Any]) -> list[str]:
    """What is wrong with labels that somebody wrote down, a sentence for each thing."""
    problems: list[str] = []
    for key, value in labels.items():
        key_wrong = key_problem(key) if isinstance(key, str) else _no_text(key)
        wrong = value_problem(value) if isinstance(value, str) else _no_text(value)
        problems += [key_wrong] if key_wrong else []
        problems += [f"{key}: {wrong}"] if wrong else []
    return problems


EVERYTHING = Selector()
"""Asks nothing."""


def parse_selector(text: str) -> Selector:
    """
    The selector that `kubectl -l` would take a text for.

    >>> str(parse_selector("tier notin (cache, db), env == prod, !old"))
    'env=prod,!old,tier notin (cache,db)'

    Raises:
        ValueError: says what is wrong, at which character (the first is 1), and what was expected there.
    """
    return selector_of(_Parser(text).requirements())


class _Parser:
    """Descends once through the tokens of a text: places, from 0, and what is there, nothing at the end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(found.start(1), found[1]) for found in _TOKEN.finditer(text)]
        self.index = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self.peek():
            return found
        while True:
            found.append(self.requirement())
            if not self.peek():
                return found
            self.expect(",", "',' before the next requirement, or the end")

    def requirement(self) -> Requirement:
        absent = self.peek() == "!"
        if absent:
            self.take()
        key = self.word("a label's key" if absent else "a label's key, or '!' and one", key_problem)
        if absent or self.peek() in ("", ","):
            return Requirement(key, Operator.ABSENT if absent else Operator.EXISTS)
        return self.compared(key)

    def compared(self, key: str) -> Requirement:
        """What follows a key."""
        sign = self.peek()
        if sign not in _BINARY:
            raise self.found("'=', '==', '!=', '>', '<', 'in' or 'notin', or ',' before the next requirement")
        self.take()
        at = self.index
        values = self.members() if sign in ("in", "notin") else [self.value(sign)]
        try:
            return requirement_of(key, _BINARY[sign], values)
        except ValueError as error:
            raise self.error(str(error), at) from None

    def value(self, sign: str) -> str:
        """What follows a sign; nothing is the empty value, which has no order."""
        if sign in ("<", ">"):
            return self.word(f"an integer behind {sign!r}")
        return "" if self.peek() in ("", ",") else self.word(f"a value behind {sign!r}")

    def members(self) -> list[str]:
        """The values of a set in parentheses, the empty one wherever there is nothing."""
        self.expect("(", "'(' and values")
        found: list[str] = []
        while True:
            found.append("" if self.peek() in (",", ")") else self.word("a value or ')'"))
            if self.peek() == ")":
                self.take()
                return found
            self.expect(",", "',' or ')'")

    def word(self, expected: str, problem_of: Callable[[str], str | None] = value_problem) -> str:
        if self.peek() in _SYMBOLS:
            raise self.found(expected)
        if problem := problem_of(self.peek()):
            raise self.error(problem)
        return self.take()

    def expect(self, token: str, expected: str) -> None:
        if self.peek() != token:
            raise self.found(expected)
        self.take()

    def peek(self) -> str:
        return self.tokens[self.index][1]

    def take(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1][1]

    def found(self, expected: str) -> ValueError:
        """The error of another token than was expected next."""
        return self.error(f"found {repr(self.peek()) if self.peek() else 'the end'}, expected {expected}")

    def error(self, problem: str, index: int | None = None) -> ValueError:
        """What is wrong with a token, by default the next one."""
        at = self.tokens[self.index if index is None else index][0]
        return ValueError(f"character {at + 1} of selector {self.text!r}: {problem}")


def parse_structured(structured: Mapping[str, Any]) -> Selector:
    """
    The selector of `matchLabels` and `matchExpressions`, as objects of Kubernetes carry it.

    Both may be missing or None, which asks nothing.  `Gt` and `Lt`, which Kubernetes has for nodes, are taken
    for whatever is selected.

    Raises:
        ValueError: one line for each thing that is wrong, with the path to it, and what was expected there.
    """
    problems = [
        f"{key}: there is no such field, only matchLabels and matchExpressions"
        for key in structured
        if key not in ("matchLabels", "matchExpressions")
    ]
    labels, expressions = structured.get("matchLabels"), structured.get("matchExpressions")
    found: list[Requirement] = []
    if isinstance(labels, Mapping):
        problems += [f"matchLabels: {problem}" for problem in labels_problems(labels)]
        found += [Requirement(key, Operator.IN, (value,)) for key, value in labels.items()]
    elif labels is not None:
        problems.append(f"matchLabels: expected keys with values, not {labels!r}")
    if isinstance(expressions, Sequence) and not isinstance(expressions, str):
        for index, expression in enumerate(expressions):
            found += _expression(f"matchExpressions[{index}]", expression, problems)
    elif expressions is not None:
        problems.append(f"matchExpressions: expected a list, not {expressions!r}")
    if problems:
        raise ValueError("\n".join(problems))
    return selector_of(found)


def _expression(where: str, expression: object, problems: list[str]) -> list[Requirement]:
    """The requirement of one entry of `matchExpressions`; none, and a line for each thing that is wrong."""
    if not isinstance(expression, Mapping):
        problems.append(f"{where}: expected key, operator and values, not {expression!r}")
        return []
    before = len(problems)
    problems += [
        f"{where}.{field}: there is no such field, only key, operator and values"
        for field in expression
        if field not in ("key", "operator", "values")
    ]
    key, name, values = (expression.get(field) for field in ("key", "operator", "values"))
    if not isinstance(key, str):
        problems.append(f"{where}.key: {_no_text(key)}")
    if not isinstance(name, str) or name not in _STRUCTURED:
        problems.append(f"{where}.operator: expected one of {', '.join(_STRUCTURED)}, not {name!r}")
    texts = [] if values is None else values
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        problems.append(f"{where}.values: expected a list of texts, not {texts!r}")
    else:
        problems += [f"{where}.values: {_no_text(one)}" for one in texts if not isinstance(one, str)]
    if len(problems) > before:
        return []
    try:
        return [requirement_of(str(key), _STRUCTURED[str(name)], texts)]
    except ValueError as error:
        problems.append(f"{where}: {error}")
        return []


def _no_text(value: object) -> str:
    return f"expected a text, not {value!r}"


def _integer(text: str) -> int | None:
    """The decimal integer of 64 bits that Go's `strconv.ParseInt` takes a text for; None: it is none."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -_INTEGER_MAX - 1 <= number <= _INTEGER_MAX else None
