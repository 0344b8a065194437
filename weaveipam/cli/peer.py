"""
The commands about other daemons: removing those that are gone for good.

Does not know how the others are asked; the daemon does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from weaveipam.cli.client import path_of
from weaveipam.cli.common import Failure, ask, common
from weaveipam.cli.output import Column, Table, emit

POLL_S = 0.5
"""Between two looks at how far a removal has got."""

REMOVED_COLUMNS = (Column("name"), Column("incarnation"))

GOES_ON = "what any member has agreed to goes on; repeat the command to see how far it is, and to be sure"

RISK = """\
--force goes on although members have heard from these daemons a moment ago.
If one of them still runs, it and the daemons that take over its addresses may hand out the same
address, until they hear of each other. Its pods keep addresses that others own then.
"""


@common()
@click.group()
def peer() -> None:
    """Remove daemons that are gone for good."""


@common(
    "weaveipam peer remove node-7",
    "weaveipam peer remove node-7 node-8 node-9",
    "weaveipam peer remove node-1 node-2 --survivors node-3",
    "weaveipam peer remove node-7 --timeout 0",
)
@peer.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--survivors",
    metavar="NAME,...",
    help="Everybody else who is left; needed when most electors are to be removed.",
)
@click.option(
    "--force", is_flag=True, help="Go on although one has been heard of lately; asks for the names again."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="How long to wait for the end.",
)
def remove(*, names: tuple[str, ...], survivors: str | None, force: bool, timeout: float) -> None:
    """
    Take over the addresses of daemons that are gone for good.

    Your word is the evidence that the daemons NAME and all that used their addresses are gone. Every other
    member must answer; those that have not are named, and a member that cannot be reached is waited for, or
    removed as well by naming it. A member that has heard from one of them a moment ago objects.

    NAME#INCARNATION is one particular life of a daemon that lost its disk. It is waited for as well, until it
    is removed; before that, end the pods that have their addresses from it.

    What any member has agreed to goes on when this command ends, also if daemons start again meanwhile;
    repeat it to see how far it has got, or to name more. Addresses that are taken over rest before they
    are handed out.
    """
    if not all(names):
        raise click.UsageError("a NAME is empty")
    if force:
        _typed_again(names)
    body: dict[str, Any] = {"also": list(names[1:]), "force": force}
    if survivors is not None:
        body["survivors"] = [one for one in survivors.split(",") if one]
    until = time.monotonic() + timeout
    said = ""
    while True:
        try:
            view = ask("POST", path_of("v1", "peers", names[0], "remove"), body)
        except Failure as failure:
            # Who has answered before may be starting again, and know few names yet.
            if not said or time.monotonic() >= until:
                raise
            said = _news(f"{failure.message}; asking again", said)
        else:
            if _named(view["removed"]) >= set(names) and _named(view["fenced"]).isdisjoint(names):
                emit(view["removed"], Table(REMOVED_COLUMNS, view["removed"]))
                _tell_of_those_back(names, view["removed"])
                return
            said = _news(_progress(view), said)
            if time.monotonic() >= until:
                raise Failure(f"not removed yet: {said}; {_what_next(view)}")
        time.sleep(POLL_S)


def _typed_again(names: Sequence[str]) -> None:
    print(RISK, file=sys.stderr, end="")
    typed = click.prompt("Type the names again to go on", err=True, default="", show_default=False)
    if typed.split() != list(names):
        raise Failure("the names typed are others; nothing was done")


def _named(lives: Sequence[Mapping[str, Any]]) -> set[str]:
    """By name alone, and as one particular life."""
    return {name for one in lives for name in (one["name"], f"{one['name']}#{one['incarnation']}")}


def _what_next(view: Mapping[str, Any]) -> str:
    if any("#" in one for one in view["awaited"]):
        return (
            "NAME#NUMBER is an earlier life, which cannot answer: name it as well, once no pod has an "
            "address of it any more"
        )
    return GOES_ON if view["awaited"] or view["agreed"] else "repeat the command to go on"


def _tell_of_those_back(names: Sequence[str], removed: Sequence[Mapping[str, Any]]) -> None:
    """A daemon that was removed before may be there in a life that nobody has removed."""
    over = {one["incarnation"] for one in removed}
    for one in ask("GET", "/v1/members"):
        if one["name"] in names and one["state"] in ("alive", "suspect") and one["incarnation"] not in over:
            life = f"{one['name']}#{one['incarnation']}"
            print(
                f"weaveipam: {one['name']} is there in a later life, which is not removed and keeps what it "
                f"has; to remove that one: weaveipam peer remove {life}",
                file=sys.stderr,
            )


def _progress(view: Mapping[str, Any]) -> str:
    """How far it is, in one sentence."""
    waits = f"waiting for {', '.join(view['awaited'])}" if view["awaited"] else "asking"
    if view["agreed"]:
        waits = f"all agree; {waits}"
    return f"{waits}; {view['detail']}" if view["detail"] else waits


def _news(sentence: str, before: str) -> str:
    """Says something that was not said before; the sentence."""
    if sentence != before:
        print(f"weaveipam: {sentence}", file=sys.stderr)
    return sentence
