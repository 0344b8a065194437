"""`weaveipam import`, through the real command line, against a daemon that is a cluster of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from weaveipam.cli.taking import Outcome

HOME = Path(__file__).parents[2]
TAKEN = "10.32.0.200"
STORE = HOME / "tests" / "migration" / "weave-netdata.db.gz"

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """The socket of a daemon that runs, with pools p (10.32.0.0/24) and q (fd00::/64, with a gateway)."""
    socket = tmp_path / "api.sock"
    config = tmp_path / "config.toml"
    config.write_text(
        '[[pool]]\nname = "p"\nranges = ["10.32.0.0/24"]\n'
        '[[pool]]\nname = "q"\nranges = ["fd00::/64"]\ngateway = "fd00::1"\n'
    )
    command = [sys.executable, "-m", "weaveipam", "agent", "--name", "n1", "--preset", "test"]
    command += ["--bind", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--socket", str(socket)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--config", str(config)], cwd=HOME, stderr=log)
    try:
        for _ in range(100):
            if run(socket, "claim", "--key", "first", TAKEN)[0] == 0:
                break
        yield socket
    finally:
        process.kill()
        process.wait()


def run(socket: Path, *words: str, said: str = "") -> tuple[int, Any, str]:
    """Exit status, answer and standard error of a command that is told something on standard input."""
    command = [sys.executable, "-m", "weaveipam", "--socket", str(socket), "-o", "json", *words]
    ran = subprocess.run(command, cwd=HOME, input=said, capture_output=True, text=True, check=False)
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


def imported(socket: Path, text: str, *words: str) -> tuple[int, Any, str]:
    """As above, of a list of addresses."""
    return run(socket, "import", "addresses", "-", *words, said=text)


def outcomes(answer: Any) -> dict[str, tuple[str, str | None, str | None]]:
    """What became of each address: the outcome, the reason, and whose it is."""
    return {one["address"]: (one["outcome"], one["reason"], one["key"]) for one in answer["addresses"]}


def held(socket: Path) -> dict[str, list[str]]:
    """The addresses of each key, but for the one that was there at first."""
    found = run(socket, "allocations")[1]
    return {
        one["key"]: [each["address"] for each in one["addresses"]] for one in found if one["key"] != "first"
    }


def test_an_import_can_be_repeated(place: Path) -> None:
    """A dry run takes nothing, an import all of it, and the next one finds that nothing is left to do."""
    text = "10.32.0.7 vm\nfd00::7 vm\n10.32.0.8\n"
    keys = {"vm": ["10.32.0.7", "fd00::7"], "imported/10.32.0.8": ["10.32.0.8"]}
    dry = imported(place, text, "--dry-run")
    assert (0, "", {}) == (dry[0], dry[2], held(place))
    assert (True, 3, 0, 0) == tuple(dry[1][name] for name in ("dry_run", "taken", "held", "failed"))

    first = imported(place, text)
    assert (0, "", keys) == (first[0], first[2], held(place))
    assert {**dry[1], "dry_run": False} == first[1]

    again = imported(place, text)
    assert (0, "", keys) == (again[0], again[2], held(place))
    assert {(Outcome.HELD, None)} == {one[:2] for one in outcomes(again[1]).values()}


def test_every_address_that_cannot_be_had_is_told(place: Path) -> None:
    """A dry run and an import name the same ones, with the same reasons, and the others are taken."""
    text = f"{TAKEN} other\n10.99.0.1\n10.32.0.0\nfd00::1\nbogus\n10.32.0.9 vm\n10.99.0.2 vm\n"
    expected = {
        None: ("failed", "invalid", None),
        TAKEN: ("failed", "in-use", "other"),
        "10.99.0.1": ("failed", "not-found", "imported/10.99.0.1"),
        "10.99.0.2": ("failed", "not-found", "vm"),
        "10.32.0.0": ("failed", "invalid", "imported/10.32.0.0"),
        "fd00::1": ("failed", "invalid", "imported/fd00::1"),
        "10.32.0.9": ("taken", None, "vm"),
    }
    for words in (["--dry-run"], []):
        status, answer, said = imported(place, text, *words)
        assert (1, expected) == (status, outcomes(answer))
        assert "weaveipam: 6 of 7 could not be taken over\n" == said
        wheres = {one["address"]: one["where"] for one in answer["addresses"]}
        assert ("<stdin>:5", "<stdin>:7") == (wheres[None], wheres["10.99.0.2"])
    assert {"vm": ["10.32.0.9"]} == held(place)

    status, answer, _ = imported(place, "10.32.0.9 vm\n10.32.0.10 vm\n")
    assert (1, "held") == (status, outcomes(answer)["10.32.0.9"][0])
    assert ("failed", "conflict", "vm") == outcomes(answer)["10.32.0.10"]


def test_a_pool_can_be_demanded(place: Path) -> None:
    """What is in another pool is not taken, and neither is anything of a pool that is disabled."""
    status, answer, _ = imported(place, "10.32.0.7\nfd00::7\n", "--pool", "q", "--durable")
    assert (1, "failed", "taken") == (status, *(outcomes(answer)[one][0] for one in ("10.32.0.7", "fd00::7")))

    run(place, "pool", "disable", "p")
    answers = [imported(place, "10.32.0.7\n", *words)[1] for words in (["--dry-run"], [])]
    assert [("failed", "imported/10.32.0.7")] * 2 == [outcomes(one)["10.32.0.7"][::2] for one in answers]


def test_what_weave_net_has_given_is_taken(place: Path, tmp_path: Path) -> None:
    """Containers get the keys that the CNI program would use, and the range to configure is told."""
    store = tmp_path / "weave-netdata.db"
    store.write_bytes(gzip.decompress(STORE.read_bytes()))
    status, answer, _ = run(place, "import", "weave", str(store), "--ifname", "net1")
    pod = f"cni/weave/{'0' * 60}beef/net1"

    assert (1, "--pool pods=10.32.0.0/12") == (status, answer["facts"]["pool_option"])
    assert ["192.168.7.5"] == [one for one, (became, _, _) in outcomes(answer).items() if became == "failed"]
    assert ["10.32.0.10"] == held(place)[pod]
    assert ["10.32.0.1"] == held(place)["imported/weave:expose"]


def test_the_range_is_told_without_a_daemon(tmp_path: Path) -> None:
    """A report that has nothing to claim asks nobody, so that it can be read before anything runs here."""
    report = json.dumps({"IPAM": {"Range": "10.32.0.0/12", "Entries": None}})
    status, answer, said = run(tmp_path / "none.sock", "import", "weave", "-", said=report)

    assert (0, "", []) == (status, said, answer["addresses"])
    assert "--pool pods=10.32.0.0/12" == answer["facts"]["pool_option"]


def test_a_file_that_is_none_of_them_is_one_line(place: Path, tmp_path: Path) -> None:
    """It ends with status 1, and the line names the file."""
    file = tmp_path / "it"
    file.write_bytes(b"\0" * 9999)
    status, answer, said = run(place, "import", "weave", str(file))

    assert (1, None, 1) == (status, answer, len(said.splitlines()))
    assert f"{file}: no BoltDB file" in said


def test_a_directory_of_networks_is_no_network(tmp_path: Path) -> None:
    """Whoever names the directory above is told what to name, as nothing would be taken over."""
    (tmp_path / "networks" / "pods").mkdir(parents=True)
    status, answer, said = run(tmp_path / "none.sock", "import", "host-local", str(tmp_path / "networks"))

    assert (1, None) == (status, answer)
    assert f"such as {tmp_path}/networks/pods" in said


def test_a_name_that_no_network_has_is_told_for_each_address(place: Path, tmp_path: Path) -> None:
    """Nothing is claimed for containers of a network that CNI could not name."""
    directory = tmp_path / "a b"
    directory.mkdir()
    (directory / "10.32.0.7").write_text("c1\r\neth0")
    status, answer, _ = run(place, "import", "host-local", str(directory))

    assert (1, {"10.32.0.7": ("failed", "invalid", None)}) == (status, outcomes(answer))
    assert "'a b' is no name of a CNI network" == answer["addresses"][0]["detail"]
    assert 0 == run(place, "import", "host-local", str(directory), "--cni-network", "ab")[0]
    assert {"cni/ab/c1/eth0": ["10.32.0.7"]} == held(place)
