"""Runs on a Dask cluster: a real scheduler and real workers, on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

import distributed
import pytest

from simulations.cluster_dask import REQUIREMENT, ClusterError, run_on
from simulations.many import attempt
from simulations.plan import Plan
from simulations.sources import HOME, PACKAGES, identity

DOUBLES = Path(__file__).parent
START_TIMEOUT_S = 30

Start = Callable[..., subprocess.Popen[bytes]]

pytestmark = pytest.mark.slow


@contextmanager
def processes(directory: Path) -> Iterator[Start]:
    """A function that starts `dask ARGUMENTS` with a search path for modules; all are ended in the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, path: tuple[Path, ...] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dask", *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.fspath, path))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(START_TIMEOUT_S)


def scheduler(start: Start, directory: Path, *path: Path) -> str:
    """The address of a scheduler that listens, and finds modules on the path first."""
    file = directory / "scheduler.json"
    said = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    start("scheduler", *said, path=path)
    limit = time.monotonic() + START_TIMEOUT_S
    while not file.exists() or not file.read_text().endswith("}"):
        assert time.monotonic() < limit, "the scheduler does not start"
        time.sleep(0.05)
    address = json.loads(file.read_text())["address"]
    assert isinstance(address, str)
    return address


def workers(start: Start, address: str, count: int, *path: Path) -> list[subprocess.Popen[bytes]]:
    """Starts so many, which find modules on the path first; the scheduler knows them when it returns."""
    arguments = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
    started = [start("worker", address, *arguments, path=path) for _ in range(count)]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=START_TIMEOUT_S)
    return started


def plans(*seeds: int) -> list[Plan]:
    """A plan for each seed."""
    return [Plan(seed=seed) for seed in seeds]


def copy_sources(directory: Path) -> None:
    """All that `identity` looks at."""
    for package in PACKAGES:
        shutil.copytree(HOME / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where our sources are, and stay what they are even if somebody edits the checkout meanwhile."""
    directory = tmp_path_factory.mktemp("sources")
    identity.cache_clear()
    identity()
    copy_sources(directory)
    return directory


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> Iterator[str]:
    """The address of a scheduler with two workers that have our sources, and come again if they die."""
    directory = tmp_path_factory.mktemp("dask")
    with processes(directory) as start:
        address = scheduler(start, directory, sources, DOUBLES)
        workers(start, address, 2, sources, DOUBLES)
        yield address


@pytest.fixture
def cluster(two_workers: str) -> str:
    """As above, when both of them are there."""
    with distributed.Client(two_workers, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=START_TIMEOUT_S)
    return two_workers


def test_outcomes_are_those_of_this_process(cluster: str, doubles: ModuleType) -> None:
    """Each seed comes back once, and is what it is here."""
    seeds = range(1, 21)

    outcomes = sorted(run_on(cluster, plans(*seeds), doubles.fifth_fails), key=lambda one: one.seed)

    assert [attempt(Plan(seed=seed), doubles.fifth_fails) for seed in seeds] == outcomes


def test_trouble_of_one_run_is_its_own(cluster: str, doubles: ModuleType) -> None:
    """An exception and a run that kills its worker are failed outcomes that say the seed; others hold."""
    outcomes = {one.seed: one for one in run_on(cluster, plans(1, 2, 3, 5), doubles.troubles)}

    assert [1, 2, 3, 5] == sorted(outcomes)
    assert [2, 3] == sorted(seed for seed, one in outcomes.items() if not one.held)
    assert "raised KeyError" in outcomes[2].violations[0].text
    assert "python -m simulations run --seed 3" == outcomes[3].replay


def test_leaving_early_leaves_the_cluster_usable(cluster: str, doubles: ModuleType) -> None:
    """Who stops listening after the first outcome cancels the rest, and the next one finds workers."""
    with closing(run_on(cluster, plans(*range(1, 200)), doubles.hold)) as results:
        assert next(results).held

    assert [7] == [one.seed for one in run_on(cluster, plans(7), doubles.hold)]


def test_other_sources_are_refused(tmp_path: Path, sources: Path, doubles: ModuleType) -> None:
    """A worker whose sources differ in a comment is refused before anything runs, by both identities."""
    copy_sources(tmp_path)
    with (tmp_path / "ring" / "merge.py").open("a") as source:
        source.write("# other\n")
    with processes(tmp_path) as start:
        address = scheduler(start, tmp_path, sources, DOUBLES)
        workers(start, address, 1, tmp_path, DOUBLES)

        with pytest.raises(ClusterError, match=rf"has sources \w+ .*; here are {identity()}"):
            next(run_on(address, plans(1), doubles.hold))


def test_missing_sources_are_refused(tmp_path: Path, sources: Path, doubles: ModuleType) -> None:
    """A worker without weaveipam is refused."""
    (tmp_path / "simulations").mkdir()
    (tmp_path / "simulations" / "__init__.py").touch()
    with processes(tmp_path) as start:
        address = scheduler(start, tmp_path, sources, DOUBLES)
        workers(start, address, 1, tmp_path)

        with pytest.raises(ClusterError, match="cannot be imported at the Dask cluster's tcp://"):
            next(run_on(address, plans(1), doubles.hold))


def test_workers_may_come_late_but_not_never(tmp_path: Path, sources: Path, doubles: ModuleType) -> None:
    """A cluster without workers is refused after a while; if one comes before, it does the runs."""
    with processes(tmp_path) as start:
        address = scheduler(start, tmp_path, sources, DOUBLES)
        with pytest.raises(ClusterError, match="no worker for 2 s"):
            next(run_on(address, plans(1), doubles.hold, patience_s=2.0))

        start("worker", address, "--nthreads", "1", "--no-dashboard", path=(sources, DOUBLES))
        assert [1] == [one.seed for one in run_on(address, plans(1), doubles.hold)]


def test_losing_all_workers_is_no_hang(
    tmp_path: Path, sources: Path, doubles: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last worker is gone for good, what it has not done are failed outcomes that say so."""
    monkeypatch.setenv("DOUBLES", str(tmp_path))
    with processes(tmp_path) as start:
        address = scheduler(start, tmp_path, sources, DOUBLES)
        [worker] = workers(start, address, 1, sources, DOUBLES)
        with closing(run_on(address, plans(1, 2, 3), doubles.slowly, patience_s=2.0)) as results:
            assert next(results).held
            worker.terminate()

            assert {2, 3} == {one.seed for one in results if "no worker for 2 s" in one.violations[0].text}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "tcp://127.0.0.1:port"])
def test_no_scheduler_is_one_sentence(address: str, doubles: ModuleType) -> None:
    """Where nobody answers, and where nobody could, it says so."""
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}"):
        next(run_on(address, plans(1), doubles.hold))


def test_without_the_package_it_says_how_to_install_it() -> None:
    """Where distributed is not installed, --dask ends with status 2 and the command that installs it."""
    code = (
        "import sys; sys.modules['distributed'] = None; from simulations.cli import main;"
        "sys.argv[1:] = ['run', '--seed', '1', '--dask', 'tcp://127.0.0.1:1']; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=False, timeout=60
    )

    assert 2 == ran.returncode, ran.stderr
    assert f"{sys.executable} -m pip install 'distributed>=" in ran.stderr


def test_requirement_is_that_of_the_extra() -> None:
    """What the sentence installs is what the project's extra asks for."""
    project = HOME / "pyproject.toml"
    if not project.exists():
        pytest.skip("pyproject.toml is not here")

    assert [REQUIREMENT] == tomllib.loads(project.read_text())["project"]["optional-dependencies"]["dask"]
