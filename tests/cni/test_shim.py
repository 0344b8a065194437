"""The real program, with a daemon, without one, and with one that misbehaves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.framing import AGAIN, HEAD, INPUT_BYTES_MAX, decode_request, encode_reply
from cni.install import program_path
from cni.netconf import VERSIONS

Conf = Callable[..., bytes]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
SHORT = {"WEAVEIPAM_CNI_TIMEOUT_MS": "200"}

PARTS_OF = {
    "0.3.1": ("ADD", "DEL", "VERSION"),
    "0.4.0": ("ADD", "CHECK", "DEL", "VERSION"),
    "1.0.0": ("ADD", "CHECK", "DEL", "VERSION"),
    "1.1.0": ("STATUS", "ADD", "CHECK", "GC", "DEL", "VERSION"),
}
"""The verbs of each version, in the order in which an attachment lives."""


@asynccontextmanager
async def listening(host: Any, answer: Callable[[bytes], bytes | None]) -> Any:
    """A daemon that answers the bytes it gets with others; None: it says nothing for ever."""
    calls: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(await reader.read(65536))
        reply = answer(calls[-1])
        if reply is None:
            await reader.read()
        else:
            writer.write(reply)
        writer.close()

    host.socket.parent.mkdir(exist_ok=True)
    server = await asyncio.start_unix_server(serve, host.socket)
    try:
        yield calls
    finally:
        server.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_attachment_lives_in_every_version(host: Any, conf: Conf, version: str) -> None:
    """Every verb of a version, through the program and the socket, prints and exits as the plugin says."""
    await host.serve()
    extra: dict[str, Any] = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
    for verb in PARTS_OF[version]:
        status, printed = await host.run(verb, conf(version, **extra))

        assert status == 0, printed
        if verb == "ADD":
            extra["prevResult"] = printed
            assert (printed["cniVersion"], len(printed["ips"])) == (version, 2)
        elif verb == "VERSION":
            assert (printed["cniVersion"], printed["supportedVersions"]) == (version, list(VERSIONS))
        else:
            assert printed is None
    assert host.allocator.held == {}


async def test_an_error_is_printed_with_its_status(host: Any) -> None:
    """What the plugin refuses comes out as the specification's error, with exit status 1."""
    await host.serve()
    status, error = await host.run("ADD", CNI_CONTAINERID="", CNI_IFNAME="")

    assert (status, error["code"]) == (1, 4)
    assert error["msg"] == "CNI_CONTAINERID is missing; CNI_IFNAME is missing"


async def test_only_cni_variables_are_sent(host: Any) -> None:
    """The daemon sees the variables that start with CNI_, and the input, as they are."""
    async with listening(host, lambda _: encode_reply(7, b"text")) as calls:
        status, _ = await run_raw(host, "ADD", b"\xff\0{", CNI_ARGS="A=b;C=\udcff", OTHER="x")

    call = decode_request(calls[0])
    assert (status, call.stdin, call.environ["CNI_ARGS"]) == (7, b"\xff\0{", "A=b;C=\udcff")
    assert sorted(call.environ) == [
        "CNI_ARGS",
        "CNI_COMMAND",
        "CNI_CONTAINERID",
        "CNI_IFNAME",
        "CNI_NETNS",
        "CNI_PATH",
    ]


async def run_raw(host: Any, verb: str, stdin: bytes, **more: str) -> tuple[int, bytes]:
    """The exit status and output of the program."""
    process = await asyncio.create_subprocess_exec(
        host.program,
        env={
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": "c1",
            "CNI_NETNS": "/x",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/x",
            "WEAVEIPAM_CNI_SOCKET": str(host.socket),
            **more,
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, output


@pytest.mark.parametrize(
    ("verb", "code"), [("ADD", 11), ("CHECK", 11), ("GC", 11), ("STATUS", 50), ("WHAT", 4)]
)
async def test_without_a_daemon(host: Any, conf: Conf, verb: str, code: int) -> None:
    """A daemon that is away is an error in the caller's version, which says what to do."""
    status, error = await host.run(verb, conf("0.4.0"), **SHORT)

    assert (status, error["code"], error["cniVersion"], bool(error["details"])) == (1, code, "0.4.0", True)


async def test_versions_without_a_daemon(host: Any, conf: Conf) -> None:
    """VERSION prints the same with and without a daemon."""
    alone = [await host.run("VERSION", stdin) for stdin in (conf("0.3.1"), b"", b"{}")]
    await host.serve()

    assert alone == [await host.run("VERSION", stdin) for stdin in (conf("0.3.1"), b"", b"{}")]


async def test_status_without_a_daemon_is_told_at_once(host: Any, conf: Conf) -> None:
    """STATUS does not wait for a daemon; it is asked every few seconds."""
    async with asyncio.timeout(2):
        assert (await host.run("STATUS", conf("1.1.0")))[1]["code"] == 50


async def test_deletions_without_a_daemon_are_recorded_and_carried_out(host: Any, conf: Conf) -> None:
    """DEL succeeds with the daemon away, is in the spool as it would have been sent, and comes true later."""
    await host.serve()
    for container in ("c1", "c2", "c3"):
        await host.run("ADD", container=container)
    await host.stop()
    results = [await host.run("DEL", conf(), container) for container in ("c1", "c2")]
    names = host.drafts()
    calls = [decode_request((host.spool / name).read_bytes()) for name in names]

    assert results == [(0, None), (0, None)]
    assert [("DEL", "c1"), ("DEL", "c2")] == [
        (call.environ["CNI_COMMAND"], call.environ["CNI_CONTAINERID"]) for call in calls
    ]
    assert all(call.stdin == conf() for call in calls)
    assert [(host.spool / name).stat().st_mode & 0o7777 for name in names] == [0o600, 0o600]

    await host.serve()
    await host.run("STATUS", conf("1.1.0"))
    assert (list(host.allocator.held), host.drafts()) == (["cni/net/c3/eth0"], [])


async def test_the_spool_is_made_with_all_above_it(host: Any, conf: Conf, tmp_path: Path) -> None:
    """The first deletion before any daemon ever ran makes the directories, the spool its owner's alone."""
    path = tmp_path / "a" / "b" / "cni.sock"
    ipam = {"type": "weaveipam", "socket": str(path)}

    assert await host.run("DEL", conf(ipam=ipam)) == (0, None)
    assert len(list((path.parent / "spool").glob("*.del"))) == 1
    assert (path.parent / "spool").stat().st_mode & 0o7777 == 0o700


async def test_a_deletion_that_cannot_be_recorded_fails(host: Any) -> None:
    """When there is no way to keep a deletion it does not succeed."""
    host.socket.parent.mkdir()
    host.spool.write_text("in the way")
    status, error = await host.run("DEL")

    assert (status, error["code"], "spool" in error["msg"]) == (1, 11, True)


@pytest.mark.slow
async def test_a_daemon_that_never_answers(host: Any) -> None:
    """When time is up an ADD is error 11 and a DEL is recorded; nobody waits longer."""
    async with listening(host, lambda _: None), asyncio.timeout(5):
        added = await host.run("ADD", **SHORT)
        deleted = await host.run("DEL", **SHORT)

    assert (added[0], added[1]["code"], deleted) == (1, 11, (0, None))
    assert len(host.drafts()) == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"wip1",
        HEAD.pack(b"wip2", 0, 0),
        HEAD.pack(b"wip1", AGAIN + 1, 0),
        HEAD.pack(b"wip1", 0, 2**32 - 1),
        HEAD.pack(b"wip1", 0, 5) + b"cut",
        encode_reply(AGAIN, b""),
    ],
)
async def test_a_daemon_that_breaks_off(host: Any, reply: bytes) -> None:
    """Half a reply, or one that makes no sense, counts as none."""
    async with listening(host, lambda _: reply) as calls:
        added = await host.run("ADD", **SHORT)
        attempts = len(calls)
        deleted = await host.run("DEL", **SHORT)

    assert (added[0], added[1]["code"], deleted) == (1, 11, (0, None))
    assert attempts > 1
    assert (len(calls), len(host.drafts())) == (attempts + 1, 1)


async def test_a_busy_daemon_is_asked_again(host: Any) -> None:
    """A call that is told to come again does so, until it is served."""
    replies = [encode_reply(AGAIN, b""), b"", encode_reply(0, b"{}")]
    async with listening(host, lambda _: replies.pop(0)):
        assert await host.run("ADD") == (0, {})


async def test_an_add_waits_for_the_daemon_to_start(host: Any, until: Until) -> None:
    """ADD goes on trying to connect, so that a restart of the daemon costs time and no error."""
    running = asyncio.ensure_future(host.run("ADD"))
    host.socket.parent.mkdir()
    async with listening(host, lambda _: b"") as attempts:
        await until(lambda: len(attempts) > 0)
    host.socket.unlink(missing_ok=True)
    await host.serve()

    assert (await running)[0] == 0


@pytest.mark.slow
async def test_many_at_once(host: Any) -> None:
    """Calls for different containers at one time get different addresses."""
    await host.serve(connections_max=8)
    results = await asyncio.gather(*(host.run("ADD", container=f"c{number}") for number in range(24)))

    assert {status for status, _ in results} == {0}
    assert len({result["ips"][0]["address"] for _, result in results}) == 24


@pytest.mark.parametrize(
    "config",
    [
        '{"ipam": {"socket": "%s"}}',
        '{"ipam"\n:\t{ "socket"  :  "%s" } }',
        '{"socket": "/outer", "ipam": {"socket": "%s"}, "socket": "/outer"}',
        '{"a": "socket", "b": "\\"socket\\": \\"/x\\"", "ipam": {"type": "socket", "socket": "%s"}}',
        '{"socket": "%s"}',
    ],
)
async def test_the_configuration_names_the_socket(host: Any, config: str) -> None:
    """The value of `socket`, from `ipam` on if that is there, comes before the environment's."""
    await host.serve()
    for path in (str(host.socket), str(host.socket).replace("/", "\\/")):
        status, output = await run_raw(
            host, "VERSION", (config % path).encode(), WEAVEIPAM_CNI_SOCKET="/gone"
        )
        assert (status, b"supportedVersions" in output) == (0, True)
        status, output = await run_raw(
            host, "ADD", (config % path).encode(), WEAVEIPAM_CNI_SOCKET="/gone", **SHORT
        )
        assert json.loads(output)["code"] == 1


@pytest.mark.parametrize("path", ["/" + "x" * 107, "/a\\u0041", "/a\\nb"])
async def test_a_socket_that_cannot_be(host: Any, path: str) -> None:
    """A path that is too long, or that only a JSON parser could read, is error 7 and not some other path."""
    status, output = await run_raw(host, "DEL", f'{{"ipam": {{"socket": "{path}"}}}}'.encode())

    assert (status, json.loads(output)["code"]) == (1, 7)


async def test_the_hosts_own_namespace_is_refused(host: Any) -> None:
    """ADD into the namespace that the program itself runs in is error 8, unless it is meant."""
    await host.serve()
    own = {"CNI_NETNS": "/proc/self/ns/net"}

    assert (await host.run("ADD", **own))[1]["code"] == 8
    assert (await host.run("ADD", CNI_NETNS_OVERRIDE="1", **own))[0] == 0
    assert (await host.run("DEL", **own))[0] == 0


async def test_large_configurations(host: Any, conf: Conf) -> None:
    """A configuration of up to 1 MiB passes; a longer one is error 5."""
    await host.serve()
    base = len(conf(pad=""))
    most = conf(pad="x" * (INPUT_BYTES_MAX - base))
    status, printed = await host.run("ADD", most)

    assert (len(most), status, len(printed["ips"])) == (INPUT_BYTES_MAX, 0, 2)
    status, error = await host.run("ADD", most + b" ")
    assert (status, error["code"]) == (1, 5)


def test_large_variables(program: Path) -> None:
    """CNI variables beyond the frame's room are error 4."""
    env = {"CNI_COMMAND": "ADD", "CNI_ARGS": "x" * (64 << 10)}
    done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert json.loads(done.stdout)["code"] == 4


def test_no_command_tells_what_this_is(program: Path) -> None:
    """Without CNI_COMMAND the program says on stderr what it is and which versions it speaks."""
    for env in ({}, {"CNI_COMMAND": ""}):
        done = subprocess.run([program], env=env, check=True, capture_output=True)

        assert (done.stdout, b"0.3.1, 0.4.0, 1.0.0, 1.1.0" in done.stderr) == (b"", True)


def test_closed_descriptors(program: Path) -> None:
    """Without standard input an ADD is error 5; VERSION needs none."""
    for verb, expected in (("ADD", b'"code":5'), ("VERSION", b"supportedVersions")):
        script = f"CNI_COMMAND={verb} WEAVEIPAM_CNI_SOCKET=/gone {program} <&- 2>&-"
        done = subprocess.run(["sh", "-c", script], check=False, capture_output=True)
        assert expected in done.stdout


def test_a_full_output_is_no_success(program: Path) -> None:
    """A result that cannot be written is not reported as success, and no signal kills the program."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([program], env={"CNI_COMMAND": "VERSION"}, input=b"", stdout=writer, check=False)
    os.close(writer)

    assert done.returncode == 1


INPUTS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [
                b'"socket"',
                b'"ipam"',
                b'"cniVersion"',
                b":",
                b'"',
                b"\\",
                b'"/nowhere/cni.sock"',
                b"{",
                b" ",
                b'"1.0.0"',
            ]
        ),
    ),
    max_size=12,
).map(b"".join)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(INPUTS)
def test_any_input_is_survived(stdin: bytes) -> None:
    """Whatever is on standard input, the program ends by itself and prints one JSON object."""
    done = subprocess.run(
        [program_path()],
        env={"CNI_COMMAND": "STATUS", "WEAVEIPAM_CNI_SOCKET": "/nowhere/cni.sock"},
        input=stdin,
        check=False,
        capture_output=True,
    )

    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] in (7, 50)
