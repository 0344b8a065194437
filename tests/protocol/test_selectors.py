"""
Label selectors: what Kubernetes takes is taken, what it refuses is refused with the place and a way out.

The examples are those of "Labels and Selectors" in Kubernetes' documentation, and facts of what the parser in
k8s.io/apimachinery (pkg/labels) accepts.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.protocol.selectors import (
    EVERYTHING,
    Operator,
    Requirement,
    Selector,
    key_problem,
    labels_problems,
    parse_selector,
    parse_structured,
    requirement_of,
    selector_of,
    value_problem,
    well_formed,
)

VALUES = st.sampled_from(
    ["", "a", "b", "in", "notin", "0", "5", "-5", "05", "7", "9223372036854775808", "A.b_c-d"]
)
LABEL_VALUES = VALUES.filter(lambda value: not value.startswith("-"))
KEYS = st.sampled_from(["a", "b", "in", "notin", "example.com/a", "5"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)


@st.composite
def some_requirement(draw: st.DrawFn) -> Requirement:
    """Any well-formed requirement on few labels."""
    operator = draw(st.sampled_from(Operator))
    if operator in (Operator.EXISTS, Operator.ABSENT):
        return requirement_of(draw(KEYS), operator)
    if operator in (Operator.GREATER, Operator.LESS):
        return requirement_of(draw(KEYS), operator, (str(draw(st.integers(0, 9))),))
    return requirement_of(draw(KEYS), operator, draw(st.lists(LABEL_VALUES, min_size=1, max_size=3)))


SELECTORS = st.lists(some_requirement(), max_size=4).map(selector_of)


@given(SELECTORS)
def test_the_text_is_the_selector(selector: Selector) -> None:
    """What a selector is written as is read as that selector, and has no other text."""
    assert selector == parse_selector(str(selector))
    assert str(selector) == str(parse_selector(str(selector)))


def plain(labels: dict[str, str], one: Requirement) -> bool:
    """Whether labels are as a requirement asks: the table of Kubernetes' documentation, word by word."""
    has = one.key in labels
    if one.operator in (Operator.GREATER, Operator.LESS):
        if not has or not labels[one.key].lstrip("-").isdigit() or len(labels[one.key]) > 18:
            return False
        bound = int(one.values[0])
        return (
            int(labels[one.key]) > bound if one.operator is Operator.GREATER else int(labels[one.key]) < bound
        )
    return {
        Operator.IN: has and labels[one.key] in one.values,
        Operator.NOT_IN: not has or labels[one.key] not in one.values,
        Operator.EXISTS: has,
        Operator.ABSENT: not has,
    }[one.operator]


@given(st.lists(some_requirement(), max_size=4), LABELS)
def test_all_requirements_must_hold(requirements: list[Requirement], labels: dict[str, str]) -> None:
    """A selector matches exactly when each of its requirements does, in whatever order they were said."""
    expected = all(plain(labels, one) for one in requirements)

    assert expected == selector_of(requirements).matches(labels)
    assert expected == parse_selector(" , ".join(map(str, requirements))).matches(labels)


@given(st.lists(some_requirement(), max_size=3), st.integers(0, 3))
def test_order_and_repetition_do_not_count(requirements: list[Requirement], turns: int) -> None:
    """The same requirements in another order, some of them twice, are the same selector."""
    other = requirements[turns:] + requirements

    assert selector_of(requirements) == selector_of(other)


@given(SELECTORS)
def test_what_was_made_is_well_formed(selector: Selector) -> None:
    """The requirements of any selector are well formed, in their order only, and without any of them."""
    assert well_formed(selector.requirements)
    assert well_formed(selector.requirements[1:])
    assert well_formed(selector.requirements[::-1]) == (len(selector.requirements) < 2)


@pytest.mark.parametrize(
    "wrong",
    [
        (Requirement("a b", Operator.EXISTS),),
        (Requirement("a", Operator.EXISTS, ("x",)),),
        (Requirement("a", Operator.IN),),
        (Requirement("a", Operator.IN, ("y", "x")),),
        (Requirement("a", Operator.NOT_IN, ("x", "x")),),
        (Requirement("a", Operator.IN, ("-",)),),
        (Requirement("a", Operator.GREATER),),
        (Requirement("a", Operator.LESS, ("1", "2")),),
        (Requirement("a", Operator.LESS, ("01",)),),
        (Requirement("a", Operator.LESS, ("x",)),),
        (Requirement("a", Operator.EXISTS), Requirement("a", Operator.EXISTS)),
    ],
)
def test_what_no_text_gives_is_not_well_formed(wrong: tuple[Requirement, ...]) -> None:
    """Requirements that a decoder may find, and that no selector has, are known before one is made."""
    assert not well_formed(wrong)
    with pytest.raises(AssertionError, match="no text gives"):
        Selector(wrong)


PIECES = st.sampled_from([*"ab5/.-=!<>(), \t\r\n", " in ", " notin (", "é", "\0"])


@given(st.lists(PIECES, max_size=12))
def test_any_text_is_a_selector_or_a_sentence(pieces: list[str]) -> None:
    """Whatever is written is a selector with a text of its own, or refused at a character of the text."""
    text = "".join(pieces)
    try:
        selector = parse_selector(text)
    except ValueError as error:
        place = str(error).removeprefix("character ").split(" ", 1)[0]
        assert 1 <= int(place) <= len(text) + 1
        return
    assert selector == parse_selector(str(selector))


# From the sections "Equality-based requirement", "Set-based requirement" and "LIST and WATCH filtering".
@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("environment = production", {"environment": "production"}, True),
        ("environment = production", {"environment": "qa"}, False),
        ("environment = production", {}, False),
        ("tier != frontend", {"tier": "backend"}, True),
        ("tier != frontend", {}, True),
        ("tier != frontend", {"tier": "frontend"}, False),
        ("environment=production,tier!=frontend", {"environment": "production"}, True),
        ("environment=production,tier!=frontend", {"environment": "production", "tier": "frontend"}, False),
        ("environment in (production, qa)", {"environment": "qa"}, True),
        ("environment in (production, qa)", {"environment": "dev"}, False),
        ("environment in (production, qa)", {}, False),
        ("tier notin (frontend, backend)", {"tier": "cache"}, True),
        ("tier notin (frontend, backend)", {}, True),
        ("tier notin (frontend, backend)", {"tier": "backend"}, False),
        ("partition", {"partition": ""}, True),
        ("partition", {}, False),
        ("!partition", {}, True),
        ("!partition", {"partition": "customerA"}, False),
        ("partition,environment notin (qa)", {"partition": "customerA", "environment": "dev"}, True),
        ("partition,environment notin (qa)", {"environment": "dev"}, False),
        ("partition in (customerA, customerB),environment!=qa", {"partition": "customerB"}, True),
        ("", {"any": "thing"}, True),
        ("", {}, True),
    ],
)
def test_documented_examples(text: str, labels: dict[str, str], expected: bool) -> None:
    """The examples of Kubernetes' documentation match as it says they do."""
    assert expected == parse_selector(text).matches(labels)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("cores>8", "9", True),
        ("cores>8", "8", False),
        ("cores<8", "7", True),
        ("cores<8", "8", False),
        ("cores<8", "+7", True),
        ("cores<8", "-7", True),
        ("cores>8", "09", True),
        ("cores > 8", "many", False),
        ("cores>8", "9.5", False),
        ("cores>8", "", False),
        ("cores>8", "1_000", False),
        ("cores>8", "9223372036854775807", True),
        ("cores>8", "9223372036854775808", False),
        ("cores<8", "9" * 5000, False),
        ("cores>8", "٩", False),
        ("cores>8", None, False),
        ("cores<8", None, False),
    ],
)
def test_order_is_that_of_integers(text: str, value: str | None, expected: bool) -> None:
    """Greater and less compare integers of 64 bits; a label that is missing, or no integer, never matches."""
    assert expected == parse_selector(text).matches({} if value is None else {"cores": value})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("x=a,y=b,z=c", "x=a,y=b,z=c"),
        ("z=c, y = b ,x==a", "x=a,y=b,z=c"),
        ("x=", "x="),
        ("x= ,z= ", "x=,z="),
        ("x!=", "x!="),
        ("!  x", "!x"),
        ("x>1,z<5", "x>1,z<5"),
        ("x>007", "x>7"),
        ("\rx", "x"),
        ("\t\n ", ""),
        ("x in (b,a,b)", "x in (a,b)"),
        ("x in (a)", "x=a"),
        ("x notin (a)", "x!=a"),
        ("x in(a,b)", "x in (a,b)"),
        ("foo  in\t ( abc , def )", "foo in (abc,def)"),
        ("x notin\n (abc,def),bar,z in (),w", "bar,w,x notin (abc,def),z="),
        ("x in (abc,)", "x in (,abc)"),
        ("x in (foo,,baz),y,z notin ()", "x in (,baz,foo),y,z!="),
        ("x in (a,,)", "x in (,a)"),
        ("notin=in", "notin=in"),
        ("in in (in, notin), notin", "in in (in,notin),notin"),
        ("in", "in"),
        ("0.1.2.domain/99 notin (10.10.100.1, tick.tack)", "0.1.2.domain/99 notin (10.10.100.1,tick.tack)"),
        ("a,!a,a=1", "a=1,a,!a"),
    ],
)
def test_spelling(text: str, canonical: str) -> None:
    """However a selector is spelled, it has one text: sorted by key, values sorted, the shortest sign."""
    assert canonical == str(parse_selector(text))


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("x=a||y=b", 3, "'a||y' is no value of a label: expected 1 to 63 letters"),
        ("x==a==b", 5, "found '==', expected ',' before the next requirement, or the end"),
        ("!x=a", 3, "found '=', expected ',' before the next requirement, or the end"),
        ("x<a", 3, "expected one integer of 64 bits for 'x' to be compared with, not 'a'"),
        ("x>-1", 3, "'-1' is no value of a label"),
        ("x> 9223372036854775808", 4, "expected one integer of 64 bits"),
        ("x>=5", 3, "found '=', expected an integer behind '>'"),
        ("x>", 3, "found the end, expected an integer behind '>'"),
        ("x<,y", 3, "found ',', expected an integer behind '<'"),
        ("x y", 3, "found 'y', expected '=', '==', '!=', '>', '<', 'in' or 'notin', or ','"),
        ("x && y", 3, "found '&&', expected '='"),
        ("x=a b", 5, "found 'b', expected ',' before the next requirement, or the end"),
        ("x=(a)", 3, "found '(', expected a value behind '='"),
        ("x in", 5, "found the end, expected '(' and values"),
        ("x in a", 6, "found 'a', expected '(' and values"),
        ("x notin (a", 11, "found the end, expected ',' or ')'"),
        ("x in (a b)", 9, "found 'b', expected ',' or ')'"),
        ("x in ((a))", 7, "found '(', expected a value or ')'"),
        ("x in (a,b!)", 10, "found '!', expected ',' or ')'"),
        ("x in (a))", 9, "found ')', expected ',' before the next requirement, or the end"),
        ("x in (a, -b)", 10, "'-b' is no value of a label"),
        ("x,", 3, "found the end, expected a label's key, or '!' and one"),
        ("x,,y", 3, "found ',', expected a label's key, or '!' and one"),
        (",x", 1, "found ',', expected a label's key, or '!' and one"),
        ("=a", 1, "found '=', expected a label's key, or '!' and one"),
        ("!", 2, "found the end, expected a label's key"),
        ("!!x", 2, "found '!', expected a label's key"),
        ("x, -y", 4, "'-y' is no name of a label: expected 1 to 63 letters"),
        ("Foo.com/x", 1, "'Foo.com' before the slash of 'Foo.com/x' is no DNS subdomain"),
        ("a/b/c=1", 1, "'a/b' before the slash of 'a/b/c' is no DNS subdomain"),
        ("a/=1", 1, "'' behind the slash of 'a/' is no name of a label"),
        ("/a=1", 1, "'' before the slash of '/a' is no DNS subdomain"),
        ("x=é", 3, "'é' is no value of a label"),
    ],
)
def test_what_is_wrong_and_where(text: str, character: int, problem: str) -> None:
    """What Kubernetes refuses is refused, with the first character that is wrong and what was expected."""
    with pytest.raises(ValueError, match=r"^character") as caught:
        parse_selector(text)

    assert str(caught.value).startswith(f"character {character} of selector {text!r}: {problem}")


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("a", True),
        ("A", True),
        ("1", True),
        ("a-b_c.d", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("-a", False),
        ("a.", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
        ("example.com/a", True),
        ("x/a", True),
        ("1.2.3/a", True),
        ("a-b.c--d/e", True),
        ("d" * 253 + "/" + "a" * 63, True),
        ("d" * 254 + "/a", False),
        ("example.com/", False),
        ("/a", False),
        ("Example.com/a", False),
        ("exam_ple.com/a", False),
        ("example..com/a", False),
        (".example.com/a", False),
        ("example.com./a", False),
        ("-example.com/a", False),
        ("example.com/a/b", False),
        ("example.com\n/a", False),
    ],
)
def test_keys(key: str, good: bool) -> None:
    """A key is a name of up to 63 characters, maybe behind a DNS subdomain of up to 253 and a slash."""
    assert good == (key_problem(key) is None)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("", True),
        ("a", True),
        ("10.10.100.1", True),
        ("A_b-c.9", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("_a", False),
        ("a-", False),
        ("a/b", False),
        ("a:b", False),
        ("a\n", False),
        (" ", False),
        ("٣", False),
    ],
)
def test_values(value: str, good: bool) -> None:
    """A value is empty, or like a name of up to 63 characters."""
    assert good == (value_problem(value) is None)


def test_every_wrong_label_is_named() -> None:
    """Labels that somebody wrote are checked to the end: keys, values, and what is no text at all."""
    assert [] == labels_problems({"tier": "cache", "example.com/zone": ""})

    problems = labels_problems({"-a": "x", "b": "y z", "c": True, 5: "x"})

    assert ["'-a' is no name ", "b: 'y z' is no v", "c: expected a te", "expected a text,"] == [
        problem[:16] for problem in problems
    ]


def test_structured_form() -> None:
    """The example of Kubernetes' documentation is the selector that it says it is."""
    selector = parse_structured(
        {
            "matchLabels": {"component": "redis"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["cache"]},
                {"key": "environment", "operator": "NotIn", "values": ["dev", "qa"]},
            ],
        }
    )

    assert parse_selector("component=redis,tier in (cache),environment notin (dev,qa)") == selector


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ({"key": "a", "operator": "In", "values": ["x", "y"]}, "a in (x,y)"),
        ({"key": "a", "operator": "In", "values": [""]}, "a="),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, "a!=x"),
        ({"key": "a", "operator": "Exists"}, "a"),
        ({"key": "a", "operator": "Exists", "values": []}, "a"),
        ({"key": "a", "operator": "DoesNotExist", "values": None}, "!a"),
        ({"key": "a", "operator": "Gt", "values": ["5"]}, "a>5"),
        ({"key": "a", "operator": "Lt", "values": ["5"]}, "a<5"),
    ],
)
def test_structured_operators(expression: dict[str, Any], text: str) -> None:
    """Each operator of `matchExpressions` is one of the text."""
    assert parse_selector(text) == parse_structured({"matchExpressions": [expression]})


@pytest.mark.parametrize("nothing", [{}, {"matchLabels": None}, {"matchLabels": {}, "matchExpressions": []}])
def test_an_empty_selector_matches_everything(nothing: dict[str, Any]) -> None:
    """A selector that asks nothing matches whatever there is, as Kubernetes' empty label selector does."""
    assert EVERYTHING == parse_structured(nothing) == parse_selector(" ")
    assert EVERYTHING.matches({})
    assert EVERYTHING.matches({"a": "b"})


def test_everything_wrong_with_a_structured_selector_is_listed() -> None:
    """Each thing that is wrong has its line, with the path to it and what was expected."""
    with pytest.raises(ValueError, match="matchLabels") as caught:
        parse_structured(
            {
                "matchLabel": {},
                "matchLabels": {"a": True},
                "matchExpressions": [
                    {"key": "a", "operator": "in", "values": ["x"], "value": "x"},
                    "a in (x)",
                    {"key": "a", "operator": "In"},
                    {"key": "a", "operator": "Exists", "values": ["x"]},
                    {"operator": "In", "values": [3]},
                    {"key": "a", "operator": "Gt", "values": ["1", "2"]},
                    {"key": "a b", "operator": "Exists"},
                    {"key": "a", "operator": "In", "values": "x"},
                ],
            }
        )

    lines = str(caught.value).splitlines()
    assert [
        "matchLabel: there is no such field, only matchLabels and matchExpressions",
        "matchLabels: a: expected a text, not True",
        "matchExpressions[0].value: there is no such field, only key, operator and values",
        "matchExpressions[0].operator: expected one of In, NotIn, Exists, DoesNotExist, Gt, Lt, not 'in'",
        "matchExpressions[1]: expected key, operator and values, not 'a in (x)'",
        "matchExpressions[2]: expected at least one value for 'a'; the empty text is one",
        "matchExpressions[3]: expected no values where only the presence of 'a' counts, not 'x'",
        "matchExpressions[4].key: expected a text, not None",
        "matchExpressions[4].values: expected a text, not 3",
        "matchExpressions[5]: expected one integer of 64 bits for 'a' to be compared with, not '1,2'",
        "matchExpressions[6]: 'a b' is no name of a label: ",
        "matchExpressions[7].values: expected a list of texts, not 'x'",
    ] == [line if "a b" not in line else line[: line.index("expected")] for line in lines]


@pytest.mark.parametrize("wrong", [{"matchLabels": ["a"]}, {"matchExpressions": {"key": "a"}}])
def test_lists_and_mappings_are_not_mixed_up(wrong: dict[str, Any]) -> None:
    """Labels that are a list, and expressions that are none, are refused by name."""
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}: expected"):
        parse_structured(wrong)
