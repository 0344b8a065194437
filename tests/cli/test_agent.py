"""Real daemons as processes, asked through the real command line."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from weaveipam.cli.client import Client, RefusedError, UnreachableError

HOME = Path(__file__).parents[2]
START_S = 15.0
"""A start takes about one second; this is for a machine that does ten other things."""

pytestmark = pytest.mark.slow


class Agent:
    """One daemon in a directory of its own, on a loopback address."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "run" / "api.sock"
        self.data = directory / "data"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *more: str) -> list[str]:
        """What starts it."""
        base = ["agent", "--name", "n1", "--bind", "127.0.0.1:0", "--preset", "test", "--log-format", "json"]
        places = ["--data-dir", str(self.data), "--socket", str(self.socket)]
        return [sys.executable, "-m", "weaveipam", *base, *places, "--pool", "p=10.32.0.0/24", *more]

    def launch(self, *more: str, before: Sequence[str] = (), **environ: str) -> None:
        """Starts it, and hears from then on what it tells systemd."""
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self.directory / f"notify-{time.monotonic_ns()}"))
        self._notify.settimeout(START_S)
        environ["NOTIFY_SOCKET"] = self._notify.getsockname()
        with (self.directory / "log").open("ab") as log:
            command = [*before, *self.command(*more)]
            self.process = subprocess.Popen(command, cwd=HOME, env=environ, stderr=log)

    def hear(self, line: str) -> list[str]:
        """Waits until it tells systemd this; all that it told until then."""
        heard: list[str] = []
        while line not in heard:
            try:
                heard.append(self._notify.recv(1024).decode())
            except TimeoutError:
                pytest.fail(f"did not say {line} but {heard}:\n{self.log()}")
        return heard

    def start(self, *more: str) -> None:
        """Starts it and waits until it is ready."""
        self.launch(*more)
        self.hear("READY=1")

    def api(self, method: str, path: str, body: object = None) -> Any:
        """The daemon's answer, without the command line."""
        return Client(str(self.socket)).ask(method, path, body)

    def kill(self) -> None:
        """Ends it in whatever state it is; harmless when repeated."""
        if self.process is not None:
            self._notify.close()
            self.process.kill()
            self.process.wait()

    def wait(self, holds: Callable[[], bool]) -> None:
        """Asks again and again until it holds; each time starts a program, which takes long enough."""
        deadline = time.monotonic() + START_S
        while not holds():
            assert time.monotonic() < deadline, self.log()

    def fails(self, *more: str) -> tuple[int, str]:
        """Exit status and standard error of a start that must not succeed."""
        ran = subprocess.run(
            self.command(*more),
            cwd=HOME,
            env={},
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )
        return ran.returncode, ran.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, asking this daemon."""
        command = [sys.executable, "-m", "weaveipam", "--socket", str(self.socket), *arguments]
        return subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False, timeout=30)

    def ask(self, *arguments: str) -> Any:
        """The document of a command that must succeed."""
        ran = self.run(*arguments, "-o", "json")
        assert (0, "") == (ran.returncode, ran.stderr)
        return json.loads(ran.stdout)

    def end(self, number: signal.Signals) -> int:
        """The exit status after a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(START_S)

    def log(self) -> str:
        """Everything it has said."""
        return (self.directory / "log").read_text()

    def events(self) -> list[str]:
        """The events of its log, in order."""
        return [json.loads(line)["event"] for line in self.log().splitlines()]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """A daemon that is not started yet."""
    made = Agent(tmp_path)
    yield made
    made.kill()


def addresses(document: Any) -> list[str]:
    """The addresses of one allocation."""
    return [one["address"] for one in document["addresses"]]


def test_an_address_is_given_and_given_back(agent: Agent) -> None:
    """The whole life of an allocation, by every command that has to do with it."""
    agent.start()

    given = agent.ask("allocate", "--key", "web", "--pool", "p")
    assert given == agent.ask("allocate", "--key", "web")
    assert [given] == agent.ask("allocations")
    assert [given] == agent.ask("allocations", "--pool", "p")
    claimed = agent.ask("claim", "--key", "a/b c", "10.32.0.77")
    assert ["10.32.0.77"] == addresses(claimed)
    assert claimed == agent.ask("lookup", "10.32.0.77")["allocation"]
    assert "n1" == agent.ask("lookup", "a/b c")["owner"]
    block = agent.ask("allocate", "--key", "block", "--prefix-length", "28", "--durable")
    assert "/28" in block["addresses"][0]["range"]
    assert [claimed] == agent.ask("release", "--address", "10.32.0.77")["released"]
    assert [] == agent.ask("release", "--key", "a/b c")["released"]
    assert [17, 254] == [agent.ask("pools")[0][field] for field in ("used", "owned")]
    assert ["n1"] == [one["name"] for one in agent.ask("members")]
    assert [("10.32.0.0/24", "n1")] == [
        (one["range"], one["owner"]) for one in agent.ask("ring", "--family", "4")
    ]


def test_what_is_given_for_a_time_ends(agent: Agent) -> None:
    """The answer and the list say when; a second later nobody has it, unless it was renewed."""
    agent.start()
    agent.ask("claim", "--key", "long", "--ttl", "1m", "10.32.0.9")
    given = agent.ask("allocate", "--key", "short", "--ttl", "1s")
    assert (1, 1.0) == (given["ttl"], given["expires_in"])
    assert given["expires_at"].endswith("Z")
    until = time.monotonic() + 20
    while len(agent.ask("allocations")) > 1 and time.monotonic() < until:
        assert 60 == agent.ask("allocate", "--key", "long")["expires_in"]

    (left,) = agent.ask("allocations")
    assert ("long", 60) == (left["key"], left["ttl"])
    assert 50 < left["expires_in"] < 60
    assert "lease-expired" in agent.events()
    wide = agent.run("allocations", "-o", "wide").stdout
    assert left["expires_at"][:14] in wide
    assert "EXPIRES_AT" in wide


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("claim", "--key", "k", "10.32.0.1"), "in-use: "),
        (("claim", "--key", "k", "10.33.0.1"), "invalid: "),
        (("claim", "--key", "k", "10.32.0"), "invalid: address: "),
        (("claim", "--key", "taker", "10.32.0.2"), "conflict: "),
        (("allocate", "--key", "k", "--pool", "q"), "no-such-pool: "),
        (("allocate", "--key", "k", "--family", "6"), "invalid: "),
        (("allocate", "--key", "k", "--prefix-length", "8"), "exhausted: "),
        (("allocations", "--pool", "q"), "no-such-pool: "),
        (("lookup", "nobody"), "not-found: "),
        (("lookup", "10.99.0.1"), "not-found: "),
        (("ring", "--network", "blue"), "not-found: "),
    ],
)
def test_what_is_refused_is_status_1_and_one_line(
    shared: Agent, arguments: tuple[str, ...], reason: str
) -> None:
    """A refusal prints its stable reason and a sentence on one line of stderr, and nothing else."""
    ran = shared.run(*arguments)

    assert (1, "", 1) == (ran.returncode, ran.stdout, len(ran.stderr.splitlines()))
    assert ran.stderr.startswith(f"weaveipam: {reason}")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """One daemon for all refusals, which change nothing; `taker` has 10.32.0.1."""
    made = Agent(tmp_path_factory.mktemp("shared"))
    made.start()
    assert ["10.32.0.1"] == addresses(made.ask("claim", "--key", "taker", "10.32.0.1"))
    yield made
    made.kill()


def test_a_killed_daemon_keeps_every_acknowledged_allocation(agent: Agent) -> None:
    """After kill -9 the same life comes back with all that was answered; stale sockets are no trouble."""
    agent.start()
    life = agent.api("GET", "/v1/status")["incarnation"]
    given = [agent.api("POST", "/v1/allocations", {"key": f"k{number}"}) for number in range(5)]
    agent.api("DELETE", "/v1/allocations/k0")
    agent.kill()
    assert agent.socket.exists()

    agent.start()

    assert life == agent.api("GET", "/v1/status")["incarnation"]
    assert given[1:] == agent.api("GET", "/v1/allocations")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["--uvloop", "--no-uvloop"])
def test_a_daemon_ends_in_good_order(agent: Agent, number: signal.Signals, loop: str) -> None:
    """A signal ends it with status 0, its sockets are gone, and nothing went wrong on the way."""
    agent.start(loop)

    assert 0 == agent.end(number)
    assert ["data", "name", "spool"] == sorted(
        {re.split("[-.]", one.name)[0] for one in agent.socket.parent.iterdir()}
    )
    assert "stopping" == agent.events()[-1]
    assert not {"internal-error"} & set(agent.events())


@pytest.mark.parametrize("loop", ["--uvloop", "--no-uvloop"])
def test_clients_that_wait_are_told_when_the_daemon_ends(agent: Agent, loop: str) -> None:
    """A request that waits for the cluster to form is refused at once when the daemon is told to end."""
    agent.launch(loop, "--join", "127.0.0.1:9", "--init", "observe")
    agent.wait(lambda: agent.run("status").returncode == 0)
    command = [sys.executable, "-m", "weaveipam", "--socket", str(agent.socket), "allocate", "--key", "k"]
    client = subprocess.Popen(command, cwd=HOME, stderr=subprocess.PIPE, text=True)
    agent.wait(lambda: "waiting requests  1" in agent.run("status").stdout)
    idle = socket.socket(socket.AF_UNIX)
    idle.connect(str(agent.socket))
    started = time.monotonic()

    status = agent.end(signal.SIGTERM)

    idle.close()
    assert 0 == status
    assert time.monotonic() - started < 6  # an allocation would wait for 8
    assert "not-ready: the daemon has stopped" in client.communicate(timeout=START_S)[1]
    assert 1 == client.returncode


@pytest.mark.parametrize("loop", ["--uvloop", "--no-uvloop"])
def test_a_client_that_hangs_up_waits_no_more(agent: Agent, loop: str) -> None:
    """The request of a client that was killed while it waited is gone from the daemon, too."""
    agent.launch(loop, "--join", "127.0.0.1:9", "--init", "observe")
    agent.wait(lambda: agent.run("status").returncode == 0)
    command = [sys.executable, "-m", "weaveipam", "--socket", str(agent.socket), "allocate", "--key", "k"]
    client = subprocess.Popen(command, cwd=HOME)
    agent.wait(lambda: "waiting requests  1" in agent.run("status").stdout)
    client.kill()
    client.wait()

    started = time.monotonic()
    agent.wait(lambda: "waiting requests  0" in agent.run("status").stdout)

    assert time.monotonic() - started < 6  # it would wait for 8


def test_a_lost_store_is_a_new_life(agent: Agent) -> None:
    """A damaged store is set aside and said loudly; the daemon comes back as a later life with nothing."""
    agent.start()
    before = agent.api("GET", "/v1/status")["incarnation"]
    agent.api("POST", "/v1/allocations", {"key": "k"})
    agent.kill()
    store = agent.data / "weaveipam.db"
    store.write_bytes(b"\0" * store.stat().st_size)

    agent.start()

    assert agent.api("GET", "/v1/status")["incarnation"] > before
    assert [] == agent.api("GET", "/v1/allocations")
    lines = [json.loads(line) for line in agent.log().splitlines()]
    loud = [line["event"] for line in lines if line["level"] == "error"]
    assert ["store-set-aside", "new-incarnation"] == loud
    assert (agent.data / "weaveipam.db.corrupt-1").exists()


def test_a_disk_that_refuses_ends_the_daemon(agent: Agent) -> None:
    """When a write fails the client is refused, and the daemon ends with status 1 and a sentence."""
    limited = ["sh", "-c", 'ulimit -f 300; exec "$@"', "sh"]  # no file over 150 KiB: stands for a full disk
    agent.launch(before=limited)
    agent.hear("READY=1")
    refusals = []
    for number in range(250):
        try:
            agent.api("POST", "/v1/allocations", {"key": f"k{number}"})
        except (RefusedError, UnreachableError) as error:
            refusals.append(str(error))
            break
    assert agent.process is not None

    assert 1 == agent.process.wait(START_S)
    assert ["not-ready: the daemon has failed before it could answer"] == refusals
    assert "weaveipam: cannot write to the store" in agent.log()
    assert "Traceback" not in agent.log()


def test_two_daemons_never_share_data_or_name(agent: Agent, tmp_path: Path) -> None:
    """A second daemon on the data directory, under the name, or at the socket is refused in one line."""
    agent.start()
    other = tmp_path / "other"

    same_data = agent.fails("--name", "n2", "--socket", str(other / "api.sock"))
    same_name = agent.fails("--data-dir", str(other))
    same_socket = agent.fails("--name", "n2", "--data-dir", str(other))

    for status, sentence in (same_data, same_name, same_socket):
        assert (1, 1) == (status, sum(line.startswith("weaveipam: ") for line in sentence.splitlines()))
        assert "Traceback" not in sentence
    assert "data directory" in same_data[1]
    assert "under the name 'n1'" in same_name[1]
    assert "another program listens" in same_socket[1]
    assert agent.api("GET", "/v1/status")["ready"]


def test_a_data_directory_belongs_to_one_name(agent: Agent) -> None:
    """A daemon is not started under another name on the data that it has."""
    agent.start()
    agent.end(signal.SIGTERM)

    status, sentence = agent.fails("--name", "n2")

    assert 1 == status
    assert "say --name n1" in sentence


def test_an_address_that_is_taken_is_refused(agent: Agent) -> None:
    """A port in use, or an address of another host, ends the start with one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, sentence = agent.fails("--bind", f"127.0.0.1:{taken.getsockname()[1]}")
        http = agent.fails("--http", f"127.0.0.1:{taken.getsockname()[1]}")

    assert (1, 1) == (status, http[0])
    assert "cannot listen on 127.0.0.1" in sentence
    assert "cannot serve HTTP on 127.0.0.1" in http[1]
    assert "cluster-joined" not in http[1], "who cannot serve joins nothing"
    assert 1 == agent.fails("--bind", "192.0.2.1:1")[0]


def test_a_spool_that_is_no_directory_is_named(agent: Agent) -> None:
    """What is in the way of a directory is said by its path."""
    agent.socket.parent.mkdir(parents=True, exist_ok=True)
    spool = agent.socket.with_name("spool")
    spool.touch()
    status, sentence = agent.fails()

    assert 1 == status
    assert f"File exists ({spool})" in sentence


def test_tcp_needs_the_token_of_the_data_directory(agent: Agent) -> None:
    """HTTP on TCP answers who has the token, and with --http-public tells anybody its health."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    agent.start("--http", f"127.0.0.1:{port}", "--http-public")
    token = (agent.data / "http.token").read_text().strip()

    def status(path: str, **headers: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - http, above
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert 0o600 == (agent.data / "http.token").stat().st_mode & 0o777
    assert [200, 401] == [status("/readyz"), status("/v1/status")]
    assert 200 == status("/v1/status", Authorization=f"Bearer {token}")


def test_sockets_are_for_their_owner_only(agent: Agent) -> None:
    """Both sockets have mode 0600, and the data directory 0700."""
    agent.start()

    modes = [
        one.stat().st_mode & 0o777 for one in (agent.socket, agent.socket.with_name("cni.sock"), agent.data)
    ]
    assert [0o600, 0o600, 0o700] == modes


def test_a_terminal_that_lacks_a_letter_is_shown_its_number(agent: Agent) -> None:
    """Whatever the locale, each answer can be printed."""
    agent.start()
    command = [sys.executable, "-m", "weaveipam", "--socket", str(agent.socket), "allocate", "--key", "ü"]
    ran = subprocess.run(
        command,
        cwd=HOME,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (0, "") == (ran.returncode, ran.stderr)
    assert "\\xfc" in ran.stdout


def test_systemd_is_told(agent: Agent) -> None:
    """The service manager hears READY when the daemon serves, signs of life, and STOPPING at its end."""
    agent.launch(WATCHDOG_USEC="300000")
    agent.hear("READY=1")
    assert agent.api("GET", "/readyz")["ready"]
    agent.hear("WATCHDOG=1")
    agent.end(signal.SIGTERM)

    assert "READY=1" not in agent.hear("STOPPING=1")


@pytest.mark.parametrize("init", ["seeds=a,b,c", "consensus=3"])
def test_three_daemons_form_a_cluster(init: str, tmp_path: Path) -> None:
    """Daemons told of each other form one ring, and none gives an address that another has given."""
    names = ("a", "b", "c")
    agents = [Agent(tmp_path / name) for name in names]
    endpoints = [f"127.0.0.1:{port}" for port in _free_ports(len(names))]
    try:
        for made, name, bind in zip(agents, names, endpoints, strict=True):
            made.directory.mkdir()
            joins = [part for one in endpoints if one != bind for part in ("--join", one)]
            made.launch("--name", name, "--bind", bind, "--init", init, *joins)
        for made in agents:
            made.hear("READY=1")
        given = [
            address
            for number in range(4)
            for made in agents
            for address in addresses(made.api("POST", "/v1/allocations", {"key": f"k{number}"}))
        ]
    finally:
        for made in agents:
            made.kill()

    assert 12 == len(set(given))


def test_what_is_wrong_is_listed(tmp_path: Path) -> None:
    """Nothing, while all is well; then a check names who is not there, and ends with status 4."""
    one, two = (Agent(tmp_path / name) for name in "ab")
    ports = _free_ports(2)
    try:
        for made, name, port, other in ((one, "a", ports[0], ports[1]), (two, "b", ports[1], ports[0])):
            made.directory.mkdir()
            where = ("--bind", f"127.0.0.1:{port}", "--join", f"127.0.0.1:{other}")
            made.launch("--name", name, "--init", "seeds=a,b", *where)
        for made in (one, two):
            made.hear("READY=1")
        assert {"contested": [], "foreign": [], "lent": [], "twice": []} == one.ask("conflicts")
        assert "conflicts  none\n" == one.run("conflicts").stdout
        assert (0, "problems  none\n") == ((ran := one.run("check")).returncode, ran.stdout)
        refused = one.run("conflicts", "resolve", "10.32.0.8/29", "--owner", "b")
        assert (1, "weaveipam: not-found: ") == (refused.returncode, refused.stderr[:22])
        two.kill()
        one.wait(lambda: one.run("check").returncode == 4)
        assert ["owner-away"] == [
            problem["kind"] for problem in json.loads(one.run("check", "-o", "json").stdout)
        ]
    finally:
        one.kill()
        two.kill()


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in servers]
    for one in servers:
        one.close()
    return ports
