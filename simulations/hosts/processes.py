"""
Real daemons as child processes: start, wait until ready, ask over HTTP, kill, start again.

Everything of one daemon lies in one directory: its data, its sockets and its log.  Ends only processes that
it started.  Does not know how the daemons' packets travel.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.hosts.closable import Closable
from simulations.hosts.place import Place, within

READY_TIMEOUT_S = 20.0
"""From the start of a process until `/readyz` says yes: start-up takes about one second on a slow machine."""

_POLL_S = 0.05
_LOG_TAIL_LINES = 25


class DaemonError(Exception):
    """A daemon did not do what was waited for; the message ends with the last lines of its log."""


class HttpError(Exception):
    """A daemon refused a request."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"HTTP {status}: {problem}")
        self.status = status
        self.problem = problem
        """The body: a problem document (RFC 9457) as a dict, or text."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def http_request(
    path: Path, method: str, target: str, body: Mapping[str, Any] | None = None, timeout_s: float = 15.0
) -> Any:
    """
    What a daemon answers over its unix socket: JSON decoded, other bodies as text.

    Raises:
        HttpError: the daemon answered with a status of 400 or more.
        OSError: there is no daemon at this socket.
    """
    connection = _UnixConnection(path, timeout_s)
    try:
        payload = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, target, payload, headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    is_json = "json" in response.headers.get_content_type()
    answer = json.loads(content) if is_json and content else content.decode()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise HttpError(response.status, answer)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonPlan:
    """How to start one daemon."""

    name: str
    directory: Path
    """Its own; made if missing.  At most 90 bytes long, since the path of a unix socket holds 107."""
    place: Place
    join: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    consensus: int = 0
    """How many daemons form the cluster together, if they are not named; 0: they are, or it only joins."""
    pools: tuple[str, ...] = ()
    """Each as `NAME=RANGE[,RANGE...]`."""
    preset: str = "test"
    keyring: Path | None = None
    """The file of its keys; None: packets are not sealed."""
    config: Path | None = None
    """A file that says what is not said here."""

    def command(self) -> list[str]:
        """The argument list."""
        options = {
            "--name": self.name,
            "--data-dir": str(self.directory / "data"),
            "--socket": str(self.directory / "api.sock"),
            "--bind": self.place.bind,
            "--advertise": self.place.advertise,
            "--preset": self.preset,
            "--log-format": "json",
        }
        if self.seeds:
            options["--init"] = "seeds=" + ",".join(self.seeds)
        if self.consensus:
            options["--init"] = f"consensus={self.consensus}"
        if self.keyring is not None:
            options["--keyring"] = str(self.keyring)
        if self.config is not None:
            options["--config"] = str(self.config)
        command = [sys.executable, "-m", "weaveipam", "agent"]
        for option, value in options.items():
            command += [option, value]
        for endpoint in self.join:
            command += ["--join", endpoint]
        for pool in self.pools:
            command += ["--pool", pool]
        return command


class Daemon(Closable):
    """One daemon; its process is ended by `close`, or at the end of a `with`."""

    def __init__(self, plan: DaemonPlan) -> None:
        self.plan = plan
        self.name = plan.name
        self.socket = plan.directory / "api.sock"
        self.cni_socket = plan.directory / "cni.sock"
        self.log = plan.directory / "agent.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process; None if there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Starts the process and returns at once; its output is appended to the log."""
        assert self.pid is None, f"{self.name} runs already"
        self.plan.directory.mkdir(parents=True, exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("WEAVEIPAM_")}
        with self.log.open("ab") as log:
            # A session of its own: a Ctrl-C in the terminal is ours to handle, in good order.
            self._process = within(
                self.plan.place.namespace,
                lambda: subprocess.Popen(
                    self.plan.command(),
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                ),
            )

    def ask(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the daemon answers; errors as of `http_request`."""
        return http_request(self.socket, method, target, body)

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """
        Waits until the daemon says that it can allocate.

        Raises:
            DaemonError: it ended, or was not ready in time; says what it said last.
        """
        self.wait(lambda: self.ask("GET", "/readyz") is not None, "ready", timeout_s)

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        """
        Waits until `holds()` is true; refusals and a socket that is not there yet count as false.

        Raises:
            DaemonError: the process ended, or the time was up.
        """
        deadline = time.monotonic() + timeout_s
        last: object = "false"
        while True:
            self.demand_running()
            try:
                if holds():
                    return
            except (HttpError, OSError) as error:
                last = error
            if time.monotonic() > deadline:
                raise self._failure(f"not {what} after {timeout_s:g} s ({last})")
            time.sleep(_POLL_S)

    def demand_running(self) -> None:
        """
        Nothing, as long as the process runs.

        Raises:
            DaemonError: it has ended, or never began.
        """
        if self._process is None:
            raise self._failure("was not started")
        status = self._process.poll()
        if status is not None:
            raise self._failure(f"has ended with status {status}")

    def kill(self) -> None:
        """`kill -9`, and waits until the process is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def ask_to_end(self) -> None:
        """Sends SIGTERM if the process runs, and does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def terminate(self, timeout_s: float = 10.0) -> int:
        """
        The exit status after a SIGTERM.

        Raises:
            DaemonError: it did not end in time; it is killed then.
        """
        assert self._process is not None
        self.ask_to_end()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failure(f"did not end within {timeout_s:g} s of SIGTERM") from None

    def wait_end(self, timeout_s: float = 10.0) -> int:
        """
        The exit status of a process that ends by itself.

        Raises:
            DaemonError: it did not end in time; it goes on.
        """
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end by itself within {timeout_s:g} s") from None

    def close(self) -> None:
        """Ends the process if it runs, for good if it must; harmless when repeated."""
        if self.pid is not None:
            try:
                self.terminate()
            except DaemonError as error:
                print(error, file=sys.stderr)

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _failure(self, what: str) -> DaemonError:
        return DaemonError(f"{self.name} {what}; the end of {self.log}:\n{self.log_tail()}")
