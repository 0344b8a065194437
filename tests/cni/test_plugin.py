"""The six verbs in every version, against an allocator in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.framing import Call
from cni.netconf import VERSIONS
from cni.plugin import Plugin
from weaveipam.protocol.requests import Allocate, Collect, Reason, Refusal

MakeCall = Callable[..., Call]
Conf = Callable[..., bytes]

PARTS_OF = {
    "0.3.1": ("ADD", "DEL"),
    "0.4.0": ("ADD", "CHECK", "DEL"),
    "1.0.0": ("ADD", "CHECK", "DEL"),
    "1.1.0": ("ADD", "STATUS", "CHECK", "GC", "DEL"),
}
"""The verbs of each version, in the order in which an attachment lives."""


async def served(plugin: Plugin, call: Call) -> Any:
    """The JSON that a call which must succeed prints, or None for nothing."""
    reply = await plugin.answer(call)
    assert reply.status == 0, reply.stdout
    return json.loads(reply.stdout) if reply.stdout else None


async def refused(plugin: Plugin, call: Call) -> Any:
    """The error that a call which must fail prints."""
    reply = await plugin.answer(call)
    assert reply.status == 1
    error = json.loads(reply.stdout)
    assert {"cniVersion", "code", "msg"} <= set(error) <= {"cniVersion", "code", "msg", "details"}
    assert all(error.values())
    return error


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_attachment_lives_in_every_version(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, version: str
) -> None:
    """Each verb of a version succeeds on what the verbs before it made, and DEL leaves nothing."""
    extra: dict[str, Any] = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
    for verb in PARTS_OF[version]:
        printed = await served(plugin, make_call(verb, conf(version, **extra)))
        if verb == "ADD":
            extra["prevResult"] = printed
            ips = [ip["address"] for ip in printed["ips"]]
            assert (printed["cniVersion"], ips) == (version, ["10.1.0.2/16", "fd01::2/64"])
        else:
            assert printed is None

    assert allocator.held == {}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("verb", ["CHECK", "GC", "STATUS"])
async def test_verbs_that_a_version_lacks_are_refused(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, version: str, verb: str
) -> None:
    """A verb younger than the configuration's version is an incompatible version, and asks nothing."""
    if verb in PARTS_OF[version]:
        return
    error = await refused(plugin, make_call(verb, conf(version)))

    assert (error["code"], error["cniVersion"], allocator.asked) == (1, version, [])


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.3.0", "1.2.0", "2", "", None, 1, ["1.0.0"]])
@pytest.mark.parametrize("verb", ["ADD", "CHECK", "GC", "STATUS"])
async def test_other_versions_are_refused(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, version: Any, verb: str
) -> None:
    """A version that is not supported is error 1, and asks nothing."""
    error = await refused(plugin, make_call(verb, conf(version)))

    assert (error["code"], allocator.asked) == (1, [])


async def test_an_absent_version_is_an_old_one(plugin: Plugin, make_call: MakeCall) -> None:
    """Without cniVersion the configuration is of 0.1.0 or 0.2.0, neither of which is supported."""
    error = await refused(plugin, make_call("ADD", b'{"name": "net", "ipam": {"type": "weaveipam"}}'))

    assert (error["code"], error["cniVersion"]) == (1, "1.0.0")


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b"\xff\xfe{", b"[" * 100_000, b"9" * 10_000, b"null"])
@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL", "GC", "STATUS"])
async def test_what_is_no_configuration_cannot_be_decoded(
    plugin: Plugin, make_call: MakeCall, stdin: bytes, verb: str
) -> None:
    """Input that is not one JSON object is error 6 for every verb that needs it."""
    assert (await refused(plugin, make_call(verb, stdin)))["code"] == 6


@pytest.mark.parametrize("stdin", [b"", b"{", b'{"cniVersion": "1.0.0"}'])
async def test_version_needs_no_input(plugin: Plugin, make_call: MakeCall, stdin: bytes) -> None:
    """VERSION answers in the caller's version if there is one, else in the newest."""
    printed = await served(plugin, make_call("VERSION", stdin))

    expected = "1.0.0" if b"1.0.0" in stdin else "1.1.0"
    assert printed == {"cniVersion": expected, "supportedVersions": list(VERSIONS)}


async def test_a_repeated_add_gets_the_same(plugin: Plugin, allocator: Any, make_call: MakeCall) -> None:
    """ADD is idempotent for one (network, container, interface), and distinct ones are distinct."""
    first = await served(plugin, make_call("ADD"))
    again = await served(plugin, make_call("ADD"))
    others = [
        await served(plugin, make_call("ADD", container="c2")),
        await served(plugin, make_call("ADD", CNI_IFNAME="eth1")),
    ]

    assert first == again
    assert len({one["ips"][0]["address"] for one in [first, *others]}) == 3
    assert sorted(allocator.held) == ["cni/net/c1/eth0", "cni/net/c1/eth1", "cni/net/c2/eth0"]


async def test_a_deletion_comes_twice(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf
) -> None:
    """The second DEL, with an empty CNI_NETNS and no prevResult, succeeds, as one for nothing does."""
    result = await served(plugin, make_call("ADD"))

    await served(plugin, make_call("DEL", conf(prevResult=result)))
    await served(plugin, make_call("DEL", CNI_NETNS=""))
    await served(plugin, make_call("DEL", container="never-seen"))
    assert allocator.held == {}


async def test_a_late_deletion_frees_nothing_of_a_new_container(
    plugin: Plugin, allocator: Any, make_call: MakeCall
) -> None:
    """DEL of an old container, repeated after its address went to a new one, leaves that one alone."""
    old = await served(plugin, make_call("ADD"))
    await served(plugin, make_call("DEL"))
    new = await served(plugin, make_call("ADD", container="c2"))
    await served(plugin, make_call("DEL"))

    assert old["ips"] == new["ips"]
    assert list(allocator.held) == ["cni/net/c2/eth0"]


@pytest.mark.parametrize(
    "stdin",
    [
        b'{"name": "net"}',
        b'{"name": "net", "cniVersion": "9.9.9", "ipam": {"ranges": [[{"subnet": "nonsense"}]]}}',
        b'{"name": "net", "cniVersion": "1.0.0", "ipam": {"pools": ["gone"]}, "prevResult": 1}',
    ],
)
async def test_a_deletion_needs_only_the_name(
    plugin: Plugin, allocator: Any, make_call: MakeCall, stdin: bytes
) -> None:
    """DEL works with a configuration that no longer makes sense."""
    await served(plugin, make_call("ADD"))

    await served(plugin, make_call("DEL", stdin, CNI_ARGS="nonsense"))
    assert allocator.held == {}


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
async def test_a_network_has_a_name(plugin: Plugin, make_call: MakeCall, verb: str) -> None:
    """A missing name, or one with other characters than a container id's, is error 7."""
    for name in ("", '"name": "a/b",', '"name": "",', '"name": 1,', f'"name": "{"n" * 201}",'):
        stdin = f'{{{name} "cniVersion": "1.1.0"}}'.encode()

        assert (await refused(plugin, make_call(verb, stdin)))["code"] == 7


async def test_check_compares_with_the_result(plugin: Plugin, make_call: MakeCall, conf: Conf) -> None:
    """CHECK fails when nothing is held, when something else is, and when there is no result to compare."""
    previous = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/16"}]}
    nothing_held = await refused(plugin, make_call("CHECK", conf(prevResult=previous)))
    await served(plugin, make_call("ADD"))
    different = await refused(plugin, make_call("CHECK", conf(prevResult=previous)))
    missing = await refused(plugin, make_call("CHECK"))

    assert [one["code"] for one in (nothing_held, different, missing)] == [104, 105, 7]
    assert "fd01::2" in different["msg"]


async def test_check_changes_nothing(plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf) -> None:
    """CHECK passes on the final result of a chain, which has interfaces and others' addresses too."""
    result = await served(plugin, make_call("ADD"))
    result["interfaces"] = [{"name": "eth0"}]
    result["ips"] = [{"address": "192.0.2.1/24"}, *({**ip, "interface": 0} for ip in result["ips"])]
    held = dict(allocator.held)
    await served(plugin, make_call("CHECK", conf(prevResult=result)))

    assert held == allocator.held


@pytest.mark.parametrize("name", ["cni.dev/valid-attachments", "cni.dev/attachments"])
async def test_garbage_is_what_is_not_listed(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, name: str
) -> None:
    """GC gives back what its network holds beyond the list, under either name, and nothing of others'."""
    for container in ("c1", "c2", "c3"):
        await served(plugin, make_call("ADD", container=container))
    await served(plugin, make_call("ADD", conf(name="net2")))
    keep = [{"containerID": "c2", "ifname": "eth0"}, {"containerID": "c3", "ifname": "eth1"}]

    await served(plugin, make_call("GC", conf("1.1.0", **{name: keep})))
    assert sorted(allocator.held) == ["cni/net/c2/eth0", "cni/net2/c1/eth0"]

    await served(plugin, make_call("GC", conf("1.1.0", **{name: []})))
    assert sorted(allocator.held) == ["cni/net2/c1/eth0"]


async def test_the_specified_list_wins(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf
) -> None:
    """When both names are there, the one of the specification is believed."""
    await served(plugin, make_call("ADD"))
    valid = [{"containerID": "c1", "ifname": "eth0"}]
    both = {"cni.dev/valid-attachments": valid, "cni.dev/attachments": []}
    await served(plugin, make_call("GC", conf("1.1.0", **both)))

    assert list(allocator.held) == ["cni/net/c1/eth0"]


@pytest.mark.parametrize(
    "valid", [None, {}, [1], [{}], [{"containerID": "c1"}], [{"containerID": 1, "ifname": "e"}]]
)
async def test_nothing_is_collected_on_bad_evidence(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, valid: Any
) -> None:
    """Without a list, or with an entry that cannot be understood, GC is refused and asks nothing."""
    error = await refused(plugin, make_call("GC", conf("1.1.0", **{"cni.dev/valid-attachments": valid})))

    assert (error["code"], allocator.asked) == (7, [])


async def test_status_is_readiness(plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf) -> None:
    """STATUS is 50 with the reason while the daemon is not ready."""
    allocator.ready = False
    error = await refused(plugin, make_call("STATUS", conf("1.1.0")))

    assert (error["code"], "waiting for seeds" in error["msg"]) == (50, True)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.EXHAUSTED, 100),
        (Reason.IN_USE, 101),
        (Reason.NOT_OWNER, 102),
        (Reason.CONFLICT, 103),
        (Reason.NOT_FOUND, 104),
        (Reason.NO_SUCH_POOL, 7),
        (Reason.INVALID, 7),
        (Reason.NOT_READY, 11),
        (Reason.OVERLOADED, 11),
    ],
)
async def test_every_refusal_has_a_code(
    plugin: Plugin, allocator: Any, make_call: MakeCall, reason: Reason, code: int
) -> None:
    """A refusal's sentence is the message, its reason the code, and the details say what to do."""
    allocator.answers = [Refusal(reason, "because")]
    error = await refused(plugin, make_call("ADD"))

    assert (error["code"], error["msg"], bool(error["details"])) == (code, "because", True)


async def test_only_try_later_may_be_repeated(plugin: Plugin, allocator: Any, make_call: MakeCall) -> None:
    """A reply says whether the same call may succeed later."""
    allocator.answers = [Refusal(Reason.NOT_READY, "soon"), Refusal(Reason.EXHAUSTED, "full")]
    later, full = await plugin.answer(make_call("ADD")), await plugin.answer(make_call("ADD"))

    assert (later.again, full.again) == (True, False)


async def test_dual_stack_is_all_or_nothing(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf
) -> None:
    """Both families are asked for in one request, and one that cannot be had leaves nothing behind."""
    both = {"type": "weaveipam", "pools": ["blue"], "family": "dual"}
    wanted = ["10.1.0.9", "192.0.2.1"]
    error = await refused(plugin, make_call("ADD", conf(ipam=both, runtimeConfig={"ips": wanted})))

    assert (error["code"], allocator.held, len(allocator.asked)) == (7, {}, 1)


async def test_the_pod_is_remembered(plugin: Plugin, allocator: Any, make_call: MakeCall) -> None:
    """What Kubernetes' runtimes tell of the pod becomes labels, whatever the order of the arguments."""
    args = "K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;FOO=bar;K8S_POD_NAME=web-0"
    await served(plugin, make_call("ADD", CNI_ARGS=args))

    labels = (("namespace", "ns"), ("pod", "web-0"), ("uid", "u-1"))
    assert labels == allocator.held["cni/net/c1/eth0"].labels


async def test_an_exact_address(plugin: Plugin, allocator: Any, make_call: MakeCall) -> None:
    """`IP=` is the address that is given, and refused while somebody else has it."""
    first = await served(plugin, make_call("ADD", CNI_ARGS="IP=10.1.0.77"))
    error = await refused(plugin, make_call("ADD", container="c2", CNI_ARGS="IP=10.1.0.77"))

    assert [{"address": "10.1.0.77/16", "gateway": "10.1.0.1"}] == first["ips"]
    assert (error["code"], list(allocator.held)) == (101, ["cni/net/c1/eth0"])


async def test_a_pool_that_is_not_there(plugin: Plugin, make_call: MakeCall, conf: Conf) -> None:
    """A pool's name that is wrong is the configuration's fault."""
    error = await refused(plugin, make_call("ADD", conf(ipam={"type": "weaveipam", "pools": ["green"]})))

    assert (error["code"], "green" in error["msg"]) == (7, True)


async def test_a_gateway_is_never_given(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf
) -> None:
    """A gateway named beside a pool that does not set it aside is refused, and nothing is kept."""
    ipam = {"type": "weaveipam", "pools": ["red"], "gateway": "10.2.0.0"}
    error = await refused(plugin, make_call("ADD", conf(ipam=ipam)))

    assert (error["code"], allocator.held) == (7, {})


async def test_an_unreadable_resolv_conf_takes_nothing(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf, tmp_path: Path
) -> None:
    """What the result needs is read before anything is allocated: a live container keeps its address."""
    await served(plugin, make_call("ADD"))
    ipam = {"type": "weaveipam", "resolvConf": str(tmp_path / "gone")}
    error = await refused(plugin, make_call("ADD", conf(ipam=ipam)))

    assert (error["code"], list(allocator.held)) == (7, ["cni/net/c1/eth0"])
    assert [Allocate] == [type(one) for one in allocator.asked]


async def test_the_key_is_scoped_by_network(
    plugin: Plugin, allocator: Any, make_call: MakeCall, conf: Conf
) -> None:
    """GC asks only for keys of its own network, also if another's name starts with its name."""
    await served(plugin, make_call("GC", conf("1.1.0", **{"cni.dev/valid-attachments": []})))

    assert [Collect("cni/net/", ())] == allocator.asked
