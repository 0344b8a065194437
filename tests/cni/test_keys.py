"""The keys of attachments, named by others than a runtime."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cni.framing import Call
from cni.keys import attachment_key
from cni.plugin import Plugin
from weaveipam.protocol.requests import Release


async def test_a_key_is_the_one_that_a_deletion_releases(
    plugin: Plugin, allocator: object, make_call: Callable[..., Call]
) -> None:
    """Of the same network, container and interface the plugin makes the same key."""
    await plugin.answer(make_call("DEL", container="c_1.x-2"))

    assert [Release(key=attachment_key("net", "c_1.x-2", "eth0"))] == getattr(allocator, "asked", None)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("", "c", "eth0"), "'' is no name of a CNI network"),
        (("a/b", "c", "eth0"), "'a/b' is no name of a CNI network"),
        (("n" * 201, "c", "eth0"), "is no name of a CNI network"),
        (("n", "weave:expose", "eth0"), "'weave:expose' is no container id"),
        (("n", "-c", "eth0"), "'-c' is no container id"),
        (("n", "c" * 257, "eth0"), "is no container id"),
        (("n", "c", ""), "'' is no interface name"),
        (("n", "c", "a-name-of-16-byt"), "is no interface name"),
    ],
)
def test_names_that_no_call_could_have_are_refused(names: tuple[str, str, str], why: str) -> None:
    """The error says which of them, and repeats only its beginning."""
    with pytest.raises(ValueError, match=why) as caught:
        attachment_key(*names)

    assert len(str(caught.value)) < 150
