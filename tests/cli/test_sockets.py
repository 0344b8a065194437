"""Where daemons listen."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from weaveipam.cli.sockets import listen_tcp, listen_unix, reachable, unlink_unix
from weaveipam.errors import ConfigError
from weaveipam.protocol.values import Endpoint


def test_a_unix_socket_is_made_with_its_directory(tmp_path: Path) -> None:
    """The directory is made, and the socket is for its owner only."""
    path = tmp_path / "a" / "b" / "api.sock"
    made = listen_unix(path)
    made.socket.close()

    assert path.is_socket()
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    """What nobody listens on is removed; where somebody does, nothing changes."""
    path = tmp_path / "api.sock"
    listen_unix(path).socket.close()

    with listen_unix(path).socket as live:
        live.listen()
        with pytest.raises(ConfigError, match="another program listens there"):
            listen_unix(path)
        assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_what_is_no_socket_is_left_alone(kind: str, tmp_path: Path) -> None:
    """A file, a directory or a link at the path is named, and stays."""
    path = tmp_path / "api.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")

    with pytest.raises(ConfigError, match="no socket is there"):
        listen_unix(path)

    assert path.exists() or path.is_symlink()


def test_only_the_own_socket_is_removed(tmp_path: Path) -> None:
    """A socket that another daemon has put in the place of ours stays."""
    path = tmp_path / "api.sock"
    ours = listen_unix(path)
    unlink_unix(path, ours.inode + 1)
    assert path.exists()

    unlink_unix(path, ours.inode)
    unlink_unix(path, ours.inode)
    ours.socket.close()
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tcp_is_bound_or_refused(host: str) -> None:
    """A free port is bound; one in use, and an address of another host, are refused by name."""
    with listen_tcp(Endpoint(host, 0)) as bound:
        port = bound.getsockname()[1]
        said = re.escape(f"cannot serve HTTP on {host}:{port}: Address already in use") + "$"
        with pytest.raises(ConfigError, match=said):
            listen_tcp(Endpoint(host, port))
    with pytest.raises(ConfigError, match="cannot serve HTTP"):
        listen_tcp(Endpoint("192.0.2.1", 1))


@pytest.mark.parametrize("bound", [Endpoint("10.1.2.3", 5), Endpoint("fd00::1", 5)])
def test_a_bound_address_is_where_peers_reach_it(bound: Endpoint) -> None:
    """Whoever is to be joined, a daemon that has bound one address is reached there."""
    assert bound == reachable(bound, [Endpoint("127.0.0.1", 1)])


def test_behind_a_wildcard_it_is_the_address_towards_the_peers() -> None:
    """The first peer of the same family that is given by address decides; names are not waited for."""
    join = [Endpoint("no-such-name.invalid", 1), Endpoint("::1", 1), Endpoint("127.0.0.9", 1)]

    assert Endpoint("127.0.0.1", 7) == reachable(Endpoint("0.0.0.0", 7), join)  # noqa: S104 - not bound here


def test_a_host_that_reaches_nobody_is_told_to_say_it() -> None:
    """Without a way to any peer the error names the flag that mends it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1", 1))
        except OSError:
            pass
        else:
            pytest.skip("this host has a way to every IPv6 address")

    with pytest.raises(ConfigError, match="--advertise HOST:PORT"):
        reachable(Endpoint("::", 7), [])
