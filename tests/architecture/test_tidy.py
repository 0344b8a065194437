"""
The habits of the sources, read from the sources themselves.

Each test gathers every place that breaks one habit, so that a failure is a list of what to mend.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "pyproject.toml").exists():  # the tests alone, beside an installed wheel
    pytest.skip("the sources are not here", allow_module_level=True)

PACKAGES = ("ring", "weaveipam", "cni", "simulations")

LINE_COLUMNS_MAX = 110
"""As ruff's, which reads Python only."""

FUNCTION_LINES_MAX = 70
"""TigerBeetle's limit; the aim is 40.  A function that no longer fits a screen is two."""

MODULE_LINES_MAX = 600
"""The aim is 300.  The state machine in the middle is what grows without end if nobody looks."""

TESTED_THROUGH = {
    "simulations.removal": "tests/simulations/test_faults.py",
    "simulations.trouble": "tests/simulations/test_faults.py",
    "weaveipam.allocation.allocator": "tests/node/test_node.py",
    "weaveipam.allocation.leaving": "tests/node/test_leaving.py",
    "weaveipam.allocation.views": "tests/node/test_node.py",
    "weaveipam.api.pools": "tests/cli/test_pool.py",
    "weaveipam.api.replies": "tests/api/test_http.py",
    "weaveipam.cli.change": "tests/cli/test_agent.py",
    "weaveipam.cli.cni": "tests/architecture/test_deploy.py",
    "weaveipam.cli.common": "tests/cli/test_program.py",
    "weaveipam.cli.completion": "tests/cli/test_program.py",
    "weaveipam.cli.compose": "tests/cli/test_agent.py",
    "weaveipam.cli.demo": "tests/e2e/test_demo.py",
    "weaveipam.cli.conflicts": "tests/cli/test_agent.py",
    "weaveipam.cli.imports": "tests/cli/test_taking.py",
    "weaveipam.cli.leave": "tests/e2e/test_leaving.py",
    "weaveipam.cli.keyring": "tests/e2e/test_sealing.py",
    "weaveipam.cli.show": "tests/cli/test_agent.py",
    "weaveipam.protocol.fields": "tests/protocol/test_codec.py",
    "weaveipam.questions": "tests/node/test_node.py",
    "weaveipam.serving": "tests/node/test_node.py",
}
"""Modules that no test imports, with the test that drives them through their users; often as a process."""

STORIES = ROOT / "simulations" / "scenarios"
"""Not modules that others build on but stories, loaded by name; test_scenarios.py plays them all."""


def modules() -> list[Path]:
    """The sources of all packages, sorted."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def seams() -> list[Path]:
    """The modules that have a seam: whatever is neither an entry point nor a story."""
    return [path for path in modules() if not path.stem.startswith("__") and path.parent != STORIES]


def checks() -> list[Path]:
    """All Python files below tests/, sorted."""
    return sorted((ROOT / "tests").rglob("*.py"))


def texts() -> list[Path]:
    """Everything that people write and read by lines, except prose and lock files."""
    other = [ROOT / "Makefile", ROOT / ".ci" / "run", ROOT / "hatch_build.py"]
    other += [path for folder in ("cni", "deploy") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in [*modules(), *checks(), *other] if path.exists() and is_text(path)]


def is_text(path: Path) -> bool:
    """Whether a file is ours to read: no cache, no built program."""
    return path.suffix != ".pyc" and path.parent.name != "bin"


def dotted(path: Path) -> str:
    """The name that a module is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def mirrors(path: Path) -> Iterator[Path]:
    """Where a module may have a test file of its own: tests/a/test_b.py or tests/a/b/test_b.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    folder = ROOT.joinpath("tests", *(parts[1:] if parts[0] == "weaveipam" else parts))
    yield folder.with_name(f"test_{path.name}")
    yield folder / f"test_{path.name}"


def imported(path: Path) -> Iterator[str]:
    """Every module that a file may name in its imports: for `from a import b`, both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def places(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern is found in `texts()`, as `file:line: text`."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_module_has_a_test() -> None:
    """A test file imports the module, or mirrors its path, or is listed here as driving it."""
    covered = {name for path in checks() if path.name.startswith("test_") for name in imported(path)}

    untested = [
        dotted(path)
        for path in seams()
        if dotted(path) not in covered
        and not any(mirror.exists() for mirror in mirrors(path))
        and not (ROOT / TESTED_THROUGH.get(dotted(path), "nowhere")).exists()
    ]

    assert untested == []


def test_no_exception_is_stale() -> None:
    """What is listed as tested through another test is a module that exists."""
    assert set(TESTED_THROUGH) <= {dotted(path) for path in modules()}


def test_every_module_says_what_it_does_not_know() -> None:
    """A module's docstring has a sentence that begins with `Does not know`: its seam."""
    silent = [
        dotted(path)
        for path in seams()
        if "Does not know" not in (ast.get_docstring(ast.parse(path.read_text())) or "")
    ]

    assert silent == []


def test_tests_say_the_property() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in checks()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and path.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_functions_fit_a_screen() -> None:
    """No function is longer than FUNCTION_LINES_MAX, docstring included."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
        for path in [*modules(), *checks()]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_modules_are_small() -> None:
    """No module is longer than MODULE_LINES_MAX."""
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in modules()
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    ]

    assert long == []


def test_lines_are_short() -> None:
    """No line, in any language, is wider than LINE_COLUMNS_MAX; the reason for a silenced check may be."""
    assert places(re.compile(rf"^(?!.*# (noqa|type):).{{{LINE_COLUMNS_MAX + 1},}}$")) == []


def test_nothing_is_left_over() -> None:
    """No marker of unfinished work stands in the sources; what is not done is not in them."""
    # In pieces, or this file would find itself.
    markers = ("TO" + "DO", "FIX" + "ME", "HA" + "CK", "X" * 3, "NotImplemented" + "Error")

    assert places(re.compile(rf"\b({'|'.join(markers)})\b")) == []


def test_every_silenced_check_has_a_reason() -> None:
    """A `noqa` names its rule and, on the same line, why the rule is wrong here."""
    bare = re.compile(r"#\s*no" + r"qa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)*[\s#-]+\w+)")

    assert places(bare) == []


def test_every_unchecked_type_is_named() -> None:
    """A type check is silenced for one named error, never for a whole line."""
    bare = re.compile(r"#\s*type:\s*ig" + r"nore(?!\[)")

    assert places(bare) == []


def test_nothing_is_mocked() -> None:
    """No test replaces a part of the program: doubles are handed in."""
    mocking = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in checks()
        for name in imported(path)
        if name in {"mock", "unittest.mock", "pytest_mock"} or name.startswith(("mock.", "unittest.mock."))
    ]

    assert mocking == []
    assert places(re.compile(r"monkeypatch\.(set" + r"attr|set" + r"item)")) == []


def test_tests_are_no_package() -> None:
    """No `__init__.py` below tests/: with one, tests/ring would shadow the package ring."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_nobody_is_called_helper() -> None:
    """No module is named after what it is not: a place for anything."""
    shapeless = {"utils", "util", "helpers", "helper", "misc", "manager"}

    assert [
        dotted(path) for path in modules() if path.stem in shapeless or path.parent.name in shapeless
    ] == []


def test_every_dependency_is_justified() -> None:
    """Each package that pyproject.toml asks for has its line in docs/dependencies.md, and no other has."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*document["project"]["dependencies"], *document["build-system"]["requires"]]
    asked += [
        one for group in document["dependency-groups"].values() for one in group if isinstance(one, str)
    ]
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)

    justified = {name.strip() for row in rows for name in row.split(",")} - {"package", "---"}

    assert {re.split(r"[<>=]", one)[0] for one in asked} == justified
