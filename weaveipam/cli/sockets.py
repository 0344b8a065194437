"""
Where a daemon listens for its clients, and what address of the host its peers can reach.

Does not know who is served, nor what.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from weaveipam.errors import ConfigError
from weaveipam.protocol.values import Endpoint

_ELSEWHERE = ("192.0.2.1", "2001:db8::1")
"""Addresses of nobody (RFC 5737, RFC 3849), to ask which of ours would be used; nothing is sent to them."""


class UnixListener(NamedTuple):
    """A bound unix socket, and which file it is."""

    socket: socket.socket
    inode: int


def listen_unix(path: Path) -> UnixListener:
    """
    A bound unix socket that only its owner may use (mode 0600); its directory is made if missing.

    What an earlier daemon left there is removed, unless somebody listens on it.

    Raises:
        ConfigError: somebody does, something else is there, or the host refuses.
    """
    listening = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _remove_stale(path)
        # Linux gives the file the mode of the socket: at no moment may others connect.
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(str(path))
        path.chmod(0o600)
        return UnixListener(listening, path.stat().st_ino)
    except OSError as error:
        listening.close()
        raise ConfigError(f"cannot listen on {path}: {error.strerror}") from error
    except ConfigError:
        listening.close()
        raise


def unlink_unix(path: Path, inode: int) -> None:
    """Removes the file of a unix socket, unless another one has taken its place."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def listen_tcp(endpoint: Endpoint) -> socket.socket:
    """
    A bound TCP socket.

    Raises:
        ConfigError: the address is in use, or is none of this host.
    """
    try:
        family = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(endpoint, family=family)
    except (OSError, ValueError) as error:
        why = _reason(error)
        raise ConfigError(f"cannot serve HTTP on {endpoint}: {why}") from error


def reachable(bound: Endpoint, join: Iterable[Endpoint]) -> Endpoint:
    """
    Where peers reach a daemon that has bound this endpoint.

    For a wildcard, that is the address from which this host would send to the first of the peers to join that
    is given by address, else to anywhere.

    Raises:
        ConfigError: this host could not send there.
    """
    wildcard = ipaddress.ip_address(bound.host)
    if not wildcard.is_unspecified:
        return bound
    family = socket.AF_INET if isinstance(wildcard, ipaddress.IPv4Address) else socket.AF_INET6
    targets = (one.host for one in join if _is_of(family, one.host))
    target = next(targets, _ELSEWHERE[family == socket.AF_INET6])
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((target, bound.port))  # of UDP: nothing is sent, the kernel chooses a source
        except OSError as error:
            raise ConfigError(
                f"cannot find out which address of this host peers reach ({error.strerror}): "
                "say it with --advertise HOST:PORT"
            ) from error
        return Endpoint(asking.getsockname()[0], bound.port)


def _reason(error: OSError | ValueError) -> str:
    """Why an address was refused; what Python adds about its own call is left out."""
    if isinstance(error, socket.gaierror) or not isinstance(error, OSError) or error.errno is None:
        return str(error.strerror if isinstance(error, OSError) else error)
    return os.strerror(error.errno)


def _is_of(family: socket.AddressFamily, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except OSError:
        return False
    return True


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        if path.exists() or path.is_symlink():
            raise ConfigError(f"cannot listen on {path}: something that is no socket is there")
        return
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        error = asking.connect_ex(str(path))
    if error in {0, errno.EAGAIN}:
        raise ConfigError(f"cannot listen on {path}: another program listens there")
    if error != errno.ECONNREFUSED:
        raise OSError(error, os.strerror(error), str(path))
    path.unlink()
