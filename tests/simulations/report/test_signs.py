"""Signs in lanes, and the table of everything that happened."""

from __future__ import annotations

from collections.abc import Callable

from simulations.outcome import Mark, Outcome
from simulations.report.scene import Scene
from simulations.report.signs import KINDS, LISTED_MAX, draw_signs, sign_key, sign_shapes, table


def test_each_kind_has_a_sign_that_exists(make_outcome: Callable[..., Outcome]) -> None:
    """What is referred to is defined, also for kinds that nobody foresaw."""
    scene = Scene.of(make_outcome(), "r0")
    marks = [Mark(kind, 1.0, None, ("a",), "") for kind in ("crash", "power-cut", "never seen before")]
    drawn, kinds = draw_signs(marks, {"a": 10.0}, scene)
    assert kinds == ["crash", "power-cut", "other"]
    for kind in kinds:
        assert f'href="#sign-{kind}"' in drawn
        assert f'id="sign-{kind}"' in sign_shapes()
    assert sign_key(kinds).count("<use") == len(kinds) < len(KINDS)


def test_signs_in_one_place_are_one_for_each_kind(make_outcome: Callable[..., Outcome]) -> None:
    """A thousand crashes at once in one lane are one sign that tells some; another kind stands beside it."""
    scene = Scene.of(make_outcome(), "r0")
    crashes = [Mark("crash", 1.0, None, ("a",), f"crash {number}") for number in range(1000)]
    drawn, _ = draw_signs([*crashes, Mark("disk", 1.0, None, ("a",), "lost")], {"a": 10.0}, scene)
    assert drawn.count("<use") == 2
    assert "crash 0" in drawn
    assert "and 994 more" in drawn
    assert drawn.count("translate(") == 1


def test_a_mark_that_names_nobody_is_in_every_lane(make_outcome: Callable[..., Outcome]) -> None:
    """And one that names a machine that is not there is in none."""
    scene = Scene.of(make_outcome(), "r0")
    drawn, _ = draw_signs([Mark("power-cut", 1.0, None, (), "")], {"a": 10.0, "b": 20.0}, scene)
    assert drawn.count("<use") == 2
    assert draw_signs([Mark("crash", 1.0, None, ("z",), "")], {"a": 10.0}, scene) == ("", [])


def test_the_table_says_what_it_leaves_out() -> None:
    """In order of time; more than its bound is counted, and many machines are, too."""
    marks = [
        Mark("crash", float(LISTED_MAX + 5 - number), None, ("a",), "x") for number in range(LISTED_MAX + 5)
    ]
    marks.append(Mark("cut", 0.0, 2.0, tuple(f"n{number}" for number in range(20)), "many"))
    shown = table(marks)
    assert shown is not None
    assert shown.count("<tr>") == LISTED_MAX + 1
    assert "6 later ones are left out" in shown
    assert "n7 and 12 more" in shown
    assert shown.index("many") < shown.index("1.00 s")
    assert table([]) is None
