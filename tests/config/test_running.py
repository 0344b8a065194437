"""What runs, and what another configuration would change of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weaveipam.config.config import Config, load
from weaveipam.config.options import OPTIONS
from weaveipam.config.pools import parse_pool
from weaveipam.config.running import Plan, applied_to, option_values, plan, source_of
from weaveipam.protocol.values import Pool


def config(*tables: dict[str, Any], **flags: object) -> Config:
    """The configuration that these flags make, with pools as of these tables."""
    return load({**flags, "pool": list(tables) or None}, {}, None, host_name="host")


def pool(name: str, *ranges: str, **more: Any) -> Pool:
    """A pool of these ranges."""
    return parse_pool(table(name, *ranges, **more))


def table(name: str, *ranges: str, **more: Any) -> dict[str, Any]:
    """As a file says it."""
    return {"name": name, "ranges": list(ranges), **more}


def named(found: Plan) -> list[tuple[str, str]]:
    """What is to be done about which pool, in order."""
    return [("create" if step.base is None else "change", step.wanted.name) for step in found.pools]


P, Q = table("p", "10.0.0.0/24"), table("q", "10.0.1.0/24")


def test_every_option_is_told_as_a_file_says_it() -> None:
    """In the order of the reference, with plain values, and None where there is none."""
    told = option_values(
        config(P, join=("a:1", "[::1]:2"), init="consensus=2", sync_wait=3, keyring="/k", uvloop=False)
    )
    labels = option_values(config(label=("zone=a", "kubernetes.io/hostname=other")))["label"]

    assert [option.key for option in OPTIONS] == list(told)
    assert (["a:1", "[::1]:2"], "consensus=2", 3.0, "/k", False) == tuple(
        told[key] for key in ("join", "init", "sync_wait", "keyring", "uvloop")
    )
    assert ("0.0.0.0:6783", None, None, [P]) == tuple(
        told[key] for key in ("bind", "advertise", "http", "pool")
    )
    assert ([], ["kubernetes.io/hostname=other", "zone=a"]) == (told["label"], labels)
    assert "observe" == option_values(config(join=("a:1",)))["init"]


def test_it_is_known_who_said_what(tmp_path: Path) -> None:
    """Flag, environment, file, or nobody."""
    file = tmp_path / "c.toml"
    file.write_text('preset = "wan"\nbind = "127.0.0.1:1"')
    environ = {"WEAVEIPAM_PRESET": "test"}
    found = load({"log_level": "debug"}, environ, file, host_name="host")

    said = {key: source_of(found, key) for key in ("log_level", "preset", "bind", "name", "http")}
    assert ["flag", "environment", "file", "default", "default"] == [one.source for one in said.values()]
    assert ["--log-level", "$WEAVEIPAM_PRESET", f"{file}: bind"] == [one.where for one in said.values()][:3]


@pytest.mark.parametrize(
    ("before", "after", "formed", "applied", "restart"),
    [
        ({}, {}, True, (), ()),
        ({}, {"log_level": "debug", "join": ("a:1",)}, True, ("join", "log_level"), ()),
        ({}, {"join": ("a:1",)}, False, ("join",), ("init",)),
        ({"http": "127.0.0.1:1"}, {"http": "127.0.0.1:1", "http_public": True}, True, ("http_public",), ()),
        ({}, {"name": "x", "bind": "127.0.0.1:1", "keyring": "/k"}, True, (), ("name", "bind", "keyring")),
        ({"init": "seeds=host"}, {"init": "seeds=host,b", "join": ("b:1",)}, True, ("join",), ()),
        ({}, {"sync_wait": 7.0, "uvloop": False}, True, (), ("sync_wait", "uvloop")),
    ],
)
def test_an_option_is_taken_over_or_named(
    before: dict[str, object],
    after: dict[str, object],
    formed: bool,
    applied: tuple[str, ...],
    restart: tuple[str, ...],
) -> None:
    """Those that differ, each in one of the two lists; how a cluster begins matters while there is none."""
    found = plan(config(**before), config(**after), () if formed else None)

    assert (applied, restart, ()) == (found.applied, found.restart, found.pools)


def test_what_is_taken_over_runs() -> None:
    """With who said it; all else runs as before."""
    before, after = config(bind="127.0.0.1:1"), config(join=("a:1",), preset="wan", init="observe")
    running = applied_to(before, after, ("join",))

    assert replace(before, join=after.join) == running
    assert ["flag", "default", "flag"] == [
        source_of(running, key).source for key in ("join", "preset", "bind")
    ]


def test_pools_become_what_is_said_of_them() -> None:
    """New ones are created, others changed, the same are left alone, and those that are not said stay."""
    held = (pool("p", "10.0.0.0/24"), pool("r", "10.0.2.0/24"), pool("s", "10.0.3.0/24"))
    found = plan(config(), config(P, Q, table("r", "10.0.2.0/24", manual=True)), held)

    assert [("create", "q"), ("change", "r")] == named(found)
    assert (("p",), ("s",), ()) == (found.same, found.unlisted, found.restart)
    assert [None, held[1]] == [step.base for step in found.pools]


def test_pools_wait_for_a_cluster() -> None:
    """Before there is one they are those that it begins with, which a restart changes."""
    found = plan(config(P), config(Q), None)

    assert ("pool",) == found.restart
    assert ((), (), ()) == (found.pools, found.same, found.unlisted)


@pytest.mark.parametrize(("said", "disabled"), [({}, True), ({"disabled": False}, False)])
def test_a_pool_that_was_disabled_by_hand_stays_so(said: dict[str, bool], disabled: bool) -> None:
    """Unless its table says otherwise."""
    held = pool("p", "10.0.0.0/24", disabled=True)
    found = plan(config(), config(table("p", "10.0.0.0/24", limit=9, **said)), (held,))

    assert [disabled] == [step.wanted.disabled for step in found.pools]


def test_addresses_are_given_up_before_another_pool_gets_them() -> None:
    """Whatever the names; where no order helps each is asked for, and refused."""
    held = (pool("p", "10.0.0.0/25"), pool("q", "10.0.0.128/25"))
    wider = plan(config(), config(P, table("q", "10.0.9.0/24")), held)
    swapped = plan(config(), config(table("p", "10.0.0.128/25"), table("q", "10.0.0.0/25")), held)
    other = plan(config(), config(table("p", "10.0.0.0/24", network="red")), held[1:])

    assert [("change", "q"), ("change", "p")] == named(wider)
    assert [("change", "p"), ("change", "q")] == named(swapped)
    assert [("create", "p")] == named(other)
