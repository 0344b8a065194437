"""The small CNI runtime: the order and the hand-over of results, with programs that record calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulations.hosts.conflist import Attachment, ConflistRunner, PluginError, addresses_of

RECORDER = r"""#!/bin/sh
# Writes down the verb and standard input, and answers an ADD with its own type.
kind=$(basename "$0")
config=$(cat)
calls=$(dirname "$0")/calls
printf '%s\t%s\t%s\t%s\n' "$kind" "$CNI_COMMAND" "$CNI_CONTAINERID/$CNI_IFNAME" "$config" >> "$calls"
case "$kind:$CNI_COMMAND" in
  refuses:ADD) echo '{"cniVersion": "1.0.0", "code": 11, "msg": "later"}'; exit 1;;
  *:ADD) echo "{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.0.0.1/24\"}], \"by\": \"$kind\"}";;
esac
"""

POD = Attachment("c1", "/var/run/netns/none")


def runner(directory: Path, *kinds: str) -> ConflistRunner:
    """A list of recording plugins, the programs beside it."""
    for kind in kinds:
        program = directory / kind
        program.write_text(RECORDER)
        program.chmod(0o755)
    conflist = directory / "net.conflist"
    plugins = [{"type": kind} for kind in kinds]
    conflist.write_text(json.dumps({"name": "net", "cniVersion": "1.0.0", "plugins": plugins}))
    return ConflistRunner(conflist, [directory])


def calls(directory: Path) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Type, verb, attachment and standard input of each call, in order."""
    lines = (directory / "calls").read_text().splitlines()
    fields = (line.split("\t") for line in lines)
    return [(kind, verb, name, json.loads(config)) for kind, verb, name, config in fields]


def test_add_hands_each_result_to_the_next(tmp_path: Path) -> None:
    """Every plugin gets the list's name and version, and the result of the one before it."""
    result = runner(tmp_path, "first", "second").add(POD)

    first, second = calls(tmp_path)
    expected = {"type": "first", "name": "net", "cniVersion": "1.0.0"}
    assert (first, second[:3]) == (("first", "ADD", "c1/eth0", expected), ("second", "ADD", "c1/eth0"))
    assert second[3]["prevResult"]["by"] == "first"
    assert (result["by"], addresses_of(result)) == ("second", ("10.0.0.1",))


def test_delete_runs_backwards_with_the_final_result(tmp_path: Path) -> None:
    """DEL goes through the list from its end, and every plugin gets what ADD came to."""
    runtime = runner(tmp_path, "first", "second")
    runtime.add(POD)
    runtime.delete(POD)

    deletions = [
        (kind, config["prevResult"]["by"]) for kind, verb, _, config in calls(tmp_path) if verb == "DEL"
    ]
    assert deletions == [("second", "second"), ("first", "second")]


def test_a_second_delete_has_no_result(tmp_path: Path) -> None:
    """A repeated DEL is passed on, without a prevResult."""
    runtime = runner(tmp_path, "first")
    runtime.add(POD)
    runtime.delete(POD)
    runtime.delete(POD)

    assert "prevResult" not in calls(tmp_path)[-1][3]


def test_a_failed_add_is_taken_down_again(tmp_path: Path) -> None:
    """When a plugin refuses, its error is raised with its code, and the whole list is asked to delete."""
    with pytest.raises(PluginError, match="refuses ADD: code 11: later") as caught:
        runner(tmp_path, "first", "refuses").add(POD)

    expected = [("first", "ADD"), ("refuses", "ADD"), ("refuses", "DEL"), ("first", "DEL")]
    assert ([call[:2] for call in calls(tmp_path)], caught.value.code) == (expected, 11)


def test_check_asks_every_plugin(tmp_path: Path) -> None:
    """CHECK goes through the list in order with the final result."""
    runtime = runner(tmp_path, "first", "second")
    runtime.add(POD)
    runtime.check(POD)

    checks = [
        (kind, config["prevResult"]["by"]) for kind, verb, _, config in calls(tmp_path) if verb == "CHECK"
    ]
    assert checks == [("first", "second"), ("second", "second")]


def test_a_missing_plugin_is_named(tmp_path: Path) -> None:
    """A type that is in no directory is an error that says where was looked."""
    runtime = runner(tmp_path, "gone")
    (tmp_path / "gone").unlink()

    with pytest.raises(PluginError, match=f"gone.*not in {tmp_path}"):
        runtime.add(POD)
