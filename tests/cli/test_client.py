"""The client of the command line, against sockets that are no daemon."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from weaveipam.cli.client import Client, UnreachableError, path_of


@pytest.fixture
def answering(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A unix socket that answers one connection with the bytes of the parameter, and closes."""
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(request.param)

        thread = threading.Thread(target=answer)
        thread.start()
        yield path
        thread.join()


@pytest.mark.parametrize(
    "answering",
    [
        b"",
        b"\x00\xff garbage",
        b"HTTP/1.1 200 OK\r\n\r\nnot JSON",
        b"HTTP/1.1 500 Oops\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\n\r\n[1]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
    ],
    indirect=True,
)
def test_what_speaks_no_sense_is_no_daemon(answering: Path) -> None:
    """Whatever is answered that is no document is an error that names the socket."""
    with pytest.raises(UnreachableError, match=str(answering)):
        Client(str(answering)).ask("GET", "/v1/status")


def test_the_socket_is_that_of_the_flag_before_that_of_the_environment(tmp_path: Path) -> None:
    """Flag, environment, default: the first that says something."""
    environ = {"WEAVEIPAM_SOCKET": str(tmp_path / "environment")}
    for said, expected in ((str(tmp_path / "flag"), "flag"), (None, "environment")):
        with pytest.raises(UnreachableError, match=f"{tmp_path}/{expected}: "):
            Client.of(said, environ).ask("GET", "/")


@pytest.mark.parametrize(
    ("part", "path"),
    [("a/b", "/v1/a%2Fb"), ("..", "/v1/.."), ("?#%", "/v1/%3F%23%25"), ("\udcff", "/v1/%FF")],
)
def test_a_part_of_a_path_stays_one_part(part: str, path: str) -> None:
    """Whatever is in a key, it does not divide or end the path."""
    assert path == path_of("v1", part)
