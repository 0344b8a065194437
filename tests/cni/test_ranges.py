"""The ranges of a configuration, and that host-local agrees with what is made of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni.codes import CniError
from cni.framing import Call
from cni.plugin import Plugin
from cni.ranges import read_range_sets
from ring.address import Family, Range, parse_address
from weaveipam.protocol.requests import Allocate, Allocated, Answer, Release, Released, Request
from weaveipam.protocol.values import Allocation, Assigned

MakeCall = Callable[..., Call]
Conf = Callable[..., bytes]

HOST_LOCAL = Path("/usr/lib/cni/host-local")

ACCEPTED: list[dict[str, Any]] = [
    {"subnet": "10.1.2.0/24"},
    {"subnet": "10.1.2.0/30"},
    {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.10", "rangeEnd": "10.1.2.20"},
    {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.0", "gateway": "10.1.2.255"},
    {"subnet": "10.1.2.0/24", "rangeStart": "", "gateway": ""},
    {"subnet": "10.1.2.0/24", "gateway": "10.9.0.1"},
    {"subnet": "fd00::/64"},
    {"subnet": "fd00::/126", "rangeStart": "fd00::3"},
    {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]]},
    {"ranges": [[{"subnet": "10.1.2.0/30", "rangeStart": "10.1.2.2"}, {"subnet": "10.1.3.0/24"}]]},
    {"subnet": "10.1.2.0/24", "ranges": [[{"subnet": "fd00::/64", "gateway": "fd00::9"}]]},
    {"subnet": "10.1.2.0/24", "routes": [{"dst": "10.5.6.7/16"}, {"dst": "0.0.0.0/0", "gw": "10.1.2.9"}]},
    {
        "ranges": [
            [{"subnet": "10.1.2.0/24", "rangeEnd": "10.1.2.99"}],
            [{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.100"}],
        ]
    },
]
"""`ipam` blocks that host-local serves."""

REFUSED: list[dict[str, Any]] = [
    {"subnet": "10.1.2.5/24"},
    {"subnet": "10.1.2.0"},
    {"subnet": "10.1.2.0/31"},
    {"subnet": "fd00::/127"},
    {"subnet": "x"},
    {"subnet": "10.1.2.0/24", "rangeStart": "10.1.3.1"},
    {"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.8"},
    {"subnet": "10.1.2.0/24", "rangeEnd": "fd00::1"},
    {"ranges": [[]]},
    {"ranges": [[{}]]},
    {"ranges": [{"subnet": "10.1.2.0/24"}]},
    {"ranges": [[{"subnet": "10.1.2.0/24"}, {"subnet": "fd00::/64"}]]},
    {"ranges": [[{"subnet": "10.1.2.0/24"}, {"subnet": "10.1.2.0/25"}]]},
    {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.2.0/25"}]]},
    {"subnet": "10.1.2.0/24", "ranges": [[{"subnet": "10.1.0.0/16"}]]},
]
"""`ipam` blocks that host-local refuses."""


class FirstFit:
    """An allocator that owns every address there is and gives the first that a want allows."""

    def __init__(self) -> None:
        self.taken: set[tuple[Family, int]] = set()

    async def ask(self, request: Request) -> Answer:
        """The seam, as far as ADD goes."""
        if isinstance(request, Release):
            return Released(())
        assert isinstance(request, Allocate)
        assigned: list[Assigned] = []
        for want in request.wants:
            assert want.family is not None
            free = (
                start
                for one in want.within
                for start in range(one.start, one.stop)
                if (want.family, start) not in self.taken
            )
            start = next(free)
            self.taken.add((want.family, start))
            assigned.append(Assigned("p", want.family, Range(start, start + 1), want.family.bits, None))
        return Allocated(Allocation(request.key, "default", tuple(assigned), durable=False))


def test_defaults() -> None:
    """The gateway is the first address, the start too, the end is the last but for IPv4's broadcast."""
    ranges = {"ranges": [[{"subnet": "10.0.0.0/29"}], [{"subnet": "fd00::/126"}]]}
    (v4,), (v6,) = read_range_sets(ranges, {})
    v6_start = parse_address("fd00::")[1]

    assert (Range(0x0A000001, 0x0A000007), 0x0A000001, 29) == (v4.addresses, v4.gateway, v4.prefix_length)
    assert (Range(v6_start + 1, v6_start + 4), v6_start + 1, 126) == (
        v6.addresses,
        v6.gateway,
        v6.prefix_length,
    )
    assert (Range(0x0A000002, 0x0A000007),) == v4.free


def test_a_gateway_inside_is_left_out() -> None:
    """A gateway in the middle splits what may be given, and itself is never given."""
    ((span,),) = read_range_sets({"subnet": "10.0.0.0/29", "gateway": "10.0.0.3"}, {})

    assert (Range(0x0A000001, 0x0A000003), Range(0x0A000004, 0x0A000007)) == span.free
    assert [False, True] == [span.gives(Family.V4, one) for one in (0x0A000003, 0x0A000004)]


def test_order_of_sets() -> None:
    """What the runtime adds comes first, then the single range, then the list."""
    ipam = {"subnet": "10.0.0.0/24", "ranges": [[{"subnet": "10.0.1.0/24"}]]}
    sets = read_range_sets(ipam, {"ipRanges": [[{"subnet": "10.0.2.0/24"}]]})

    assert [0x0A000201, 0x0A000001, 0x0A000101] == [one.addresses.start for (one,) in sets]


@pytest.mark.parametrize(
    "ipam",
    [
        {"rangeStart": "10.0.0.1"},
        {"subnet": "10.0.0.0/24", "gateway": "fd00::1"},
        {"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.1", "rangeEnd": "10.0.0.1"},
        {"ranges": [[{"subnet": f"10.0.{one}.0/24"}] for one in range(65)]},
        {"ranges": [[{"subnet": f"10.0.{one}.0/24"} for one in range(65)]]},
        {"ranges": "x"},
        {"ranges": [[1]]},
    ],
)
def test_what_could_not_work_is_refused(ipam: dict[str, Any]) -> None:
    """A range without subnet, with nothing but its gateway, or one of far too many is refused."""
    with pytest.raises(CniError):
        read_range_sets(ipam, {})


@pytest.mark.parametrize("ipam", REFUSED)
def test_what_host_local_refuses_is_refused(ipam: dict[str, Any]) -> None:
    """Ranges that make no sense are error 7."""
    with pytest.raises(CniError):
        read_range_sets(ipam, {})


def host_local(
    directory: Path, ipam: dict[str, Any], env: dict[str, str], **more: Any
) -> dict[str, Any] | None:
    """The result of the real program; None if it refuses."""
    document = {
        "cniVersion": "1.0.0",
        "name": "net",
        "type": "bridge",
        "ipam": {"type": "host-local", "dataDir": str(directory), **ipam},
        **more,
    }
    done = subprocess.run(
        [HOST_LOCAL], env=env, input=json.dumps(document).encode(), capture_output=True, check=False
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result if done.returncode == 0 else None


@pytest.mark.skipif(not HOST_LOCAL.exists(), reason=f"{HOST_LOCAL} is not installed")
@pytest.mark.parametrize("ipam", [*ACCEPTED, *REFUSED])
async def test_agrees_with_host_local(
    tmp_path: Path, make_call: MakeCall, conf: Conf, env: Callable[..., dict[str, str]], ipam: dict[str, Any]
) -> None:
    """For two containers the result is that of the real host-local, but for its empty `dns`."""
    plugin = Plugin(FirstFit().ask)
    for container in ("c1", "c2"):
        theirs = host_local(tmp_path, ipam, env("ADD", container))
        stdin = conf(ipam={"type": "weaveipam", **ipam})
        if theirs is None and container == "c2":
            return  # host-local has run out; the double would too, with StopIteration
        ours = await plugin.answer(make_call("ADD", stdin, container))

        assert (theirs is None) == (ours.status != 0)
        if theirs is None:
            return
        theirs.pop("dns")
        assert theirs == json.loads(ours.stdout)


@pytest.mark.skipif(not HOST_LOCAL.exists(), reason=f"{HOST_LOCAL} is not installed")
@pytest.mark.parametrize(
    ("ips", "args"),
    [
        (["10.1.2.50/16"], ""),
        ([], "IP=10.1.2.50"),
        (["10.1.2.50", "fd00::50"], "IP=10.1.2.50"),
        (["10.1.2.50", "10.1.2.51"], ""),
        (["10.1.2.1"], ""),
        (["192.0.2.1"], ""),
    ],
)
async def test_agrees_with_host_local_on_wishes(
    tmp_path: Path,
    make_call: MakeCall,
    conf: Conf,
    env: Callable[..., dict[str, str]],
    ips: list[str],
    args: str,
) -> None:
    """Addresses asked for are given, or refused, as the real host-local does."""
    ipam = {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]]}
    wishes = {"runtimeConfig": {"ips": ips}}
    theirs = host_local(tmp_path, ipam, env("ADD", CNI_ARGS=args), **wishes)
    stdin = conf(ipam={"type": "weaveipam", **ipam}, **wishes)
    ours = await Plugin(FirstFit().ask).answer(make_call("ADD", stdin, CNI_ARGS=args))

    assert (theirs is None) == (ours.status != 0)
    if theirs is not None:
        assert theirs["ips"] == json.loads(ours.stdout)["ips"]
