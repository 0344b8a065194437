"""
A daemon's HTTP API on its unix socket, for short programs: the standard library and nothing else.

Does not know what is asked, nor how answers are shown.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

from weaveipam.config.options import DEFAULT_SOCKET

TIMEOUT_S = 20.0
"""For an answer; an allocation waits up to 8 s for space, and the rest is for a busy host."""


class RefusedError(Exception):
    """The daemon answered with a problem; the message is `TYPE: DETAIL`."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem.get('type')}: {problem.get('detail')}")
        self.errors: list[str] = problem.get("errors", [])
        """What is wrong, one by one, where that may be much."""


class UnreachableError(Exception):
    """No daemon answers there; the message says what to do about it."""


class Client:
    """Asks one daemon."""

    def __init__(self, path: str) -> None:
        self._path = path

    @classmethod
    def of(cls, said: str | None, environ: Mapping[str, str]) -> Self:
        """The client for the socket that was said, else that of the environment, else the default one."""
        return cls(said or environ.get("WEAVEIPAM_SOCKET") or DEFAULT_SOCKET)

    def ask(self, method: str, target: str, body: object = None, waits_s: float = 0.0) -> Any:
        """
        The answer, JSON decoded.

        Args:
            method: Of HTTP.
            target: Path and query, quoted.
            body: Sent as JSON; None: none is sent.
            waits_s: How long the daemon may wait by itself, besides `TIMEOUT_S`.

        Raises:
            RefusedError: the daemon said no.
            UnreachableError: there is no daemon, or none that speaks sense.
        """
        connection = _UnixConnection(self._path, TIMEOUT_S + waits_s)
        try:
            payload = None if body is None else json.dumps(body).encode()
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            status, answer = response.status, json.loads(response.read())
            if status != http.client.OK and not isinstance(answer, dict):
                raise ValueError(f"HTTP status {status} without a problem document")  # noqa: TRY301 - as the others
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(self._advice(error)) from None
        finally:
            connection.close()
        if status == http.client.OK:
            return answer
        raise RefusedError(answer)

    def _advice(self, error: Exception) -> str:
        match error:
            case FileNotFoundError() | ConnectionRefusedError():
                why = "is `weaveipam agent` running, and is this its socket? Name another one with --socket"
            case PermissionError():
                why = "permission denied: ask as root, or as the user that runs the daemon"
            case TimeoutError():
                why = f"it did not answer within {TIMEOUT_S:g} s; its log may say why"
            case _:
                why = f"{type(error).__name__}: {error}"
        return f"no daemon answers at {self._path}: {why}"


def path_of(*parts: str) -> str:
    """The path of these parts, each quoted whole: a slash within one does not divide it."""
    return "".join(f"/{quote(part, safe='', errors='surrogateescape')}" for part in parts)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fsencode(self._path))
