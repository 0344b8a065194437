"""
Deliberate defects of the production code, each of which the simulator must find.

A checker that catches nothing is no checker.  Each patch in `planted/` is one small mistake of the kind that
people make; before the change it says in plain lines what is broken, which checkers are to notice, and within
how many seeds.  The simulator runs on a copy of the packages with that mistake in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

import cni
import ring
import simulations
import weaveipam
from simulations.checkers.court import all_checkers

PATCHES = sorted((Path(__file__).parent / "planted").glob("*.patch"))
PACKAGES = (ring, weaveipam, cni, simulations)
SMALL = ("--nodes", "4", "--minutes", "0.3")
"""Half a second a seed, without a defect."""
RUN_S_MAX = 110
"""Seconds after which a run is given up: a defect that hangs the simulator is not caught by it."""

if shutil.which("git") is None:
    pytest.skip("git, which applies the patches, is not installed", allow_module_level=True)


@dataclass(frozen=True)
class Defect:
    """What a patch says of itself."""

    name: str
    patch: Path
    prose: str
    caught_by: frozenset[str]
    """Names of checkers, each of which would do."""
    within_seeds: int


def read(patch: Path) -> Defect:
    """The defect in a patch file; an assertion says what its header lacks."""
    header, found, _ = patch.read_text().partition("\n--- ")
    fields = dict(re.findall(r"^(Caught-by|Within-seeds): (.+)$", header, re.MULTILINE))
    prose = header.partition("\nCaught-by:")[0]
    assert found, f"{patch.name} has no change in it"
    assert len(fields) == 2, f"{patch.name} does not say who catches it, or within how many seeds"
    return Defect(
        patch.stem,
        patch,
        prose,
        frozenset(name.strip() for name in fields["Caught-by"].split(",")),
        int(fields["Within-seeds"]),
    )


DEFECTS = [read(patch) for patch in PATCHES]


def every_defect(argument: str) -> pytest.MarkDecorator:
    """One test for each defect."""
    return pytest.mark.parametrize(argument, DEFECTS, ids=[one.name for one in DEFECTS])


def copied(directory: Path) -> Path:
    """The directory, with all packages in it."""
    for package in PACKAGES:
        (source,) = package.__path__
        left = shutil.ignore_patterns("__pycache__", "bin", ".*_cache")
        shutil.copytree(source, directory / package.__name__, ignore=left)
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with all packages, to be spoiled."""
    return copied(tmp_path)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all packages, to be left as it is."""
    return copied(tmp_path_factory.mktemp("sources"))


def apply(defect: Defect, copy: Path, *options: str) -> None:
    """Make the mistake, or do with the patch what the options of `git apply` say."""
    # Below no repository: in one git would leave out what it does not know, and say nothing.
    surroundings = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    done = subprocess.run(
        ["git", "apply", "--verbose", *options, defect.patch],
        cwd=copy,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (
        f"planted/{defect.patch.name} no longer applies: the code it spoils has changed. "
        "Make the same mistake in the code as it is now, or delete the patch if none can be made.\n"
        + done.stderr
    )


def simulate(copy: Path, options: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """The simulator's command `run` as a process that imports the packages from the copy."""
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(
        [sys.executable, "-m", "simulations", "run", *options],
        cwd=copy,
        env=surroundings | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


def test_there_are_enough() -> None:
    """At least twelve different mistakes are planted, and no checker is without one that it may catch."""
    checkers = {checker.name for checker in all_checkers(cooldown_s=0.0)} | {"node"}

    assert len({defect.patch.read_text().partition("\n--- ")[2] for defect in DEFECTS}) >= 12
    assert set().union(*(defect.caught_by for defect in DEFECTS)) == checkers


@every_defect("defect")
def test_patches_apply(defect: Defect, sources: Path) -> None:
    """Each patch changes the code as it is now, and says first what it breaks."""
    apply(defect, sources, "--check")

    assert "Breaks: " in defect.prose
    assert defect.caught_by
    assert defect.within_seeds > 0


@pytest.mark.slow
def test_the_copy_is_what_runs(copy: Path) -> None:
    """A simulator started in a copy imports what it needs from there, whatever else is installed."""
    for package in PACKAGES:
        name = package.__name__
        with (copy / name / "__init__.py").open("a") as source:
            source.write(f"\nimport sys\nprint('spoiled {name}', file=sys.stderr)\n")

    done = simulate(copy, ["--seed", "1", "--nodes", "3", "--minutes", "0.02"])

    spoiled = set(re.findall(r"^spoiled (\w+)$", done.stderr, re.MULTILINE))
    assert {"ring", "weaveipam", "simulations"} <= spoiled, done.stdout + done.stderr


@pytest.mark.slow
@every_defect("defect")
def test_is_caught(defect: Defect, copy: Path) -> None:
    """The simulator finds the mistake within the seeds stated, and a checker named with it says so."""
    apply(defect, copy)
    report = copy / "report.json"
    # One after the other: else it would depend on the machine which seed is the first to fail.
    seeds = ["--seeds", f"1-{defect.within_seeds}", "--stop-at-first", "--jobs", "1"]

    done = simulate(copy, [*seeds, *SMALL, "--json", str(report)])

    said = done.stdout + done.stderr
    assert done.returncode == 1, f"nothing was found in {defect.within_seeds} seeds\n{said}"
    runs = json.loads(report.read_text())
    found = {violation["checker"] for run in runs for violation in run["violations"]}
    assert found & defect.caught_by, (
        f"caught by {', '.join(sorted(found))}, which the patch does not name\n{said}"
    )
