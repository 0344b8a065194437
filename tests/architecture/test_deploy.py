"""What deploy/ says is what the program understands: units, image and manifest against the real commands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulations.hosts.place import Place
from simulations.hosts.processes import Daemon, DaemonPlan

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "weaveipam.service"
PROGRAM = "/opt/weaveipam/bin/weaveipam"
CONFIG = "/etc/weaveipam/config.toml"

if not DEPLOY.exists():  # the tests alone, beside an installed wheel
    pytest.skip("deploy/ is not here", allow_module_level=True)

needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def run(arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """A program's exit status and output."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def weaveipam(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The command line of the environment that runs the tests."""
    return run([sys.executable, "-m", "weaveipam", *arguments])


def settings(name: str) -> list[str]:
    """Every value that the unit gives a setting, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def manifests() -> dict[str, Any]:
    """The manifest's objects by kind; there is one of each."""
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text())}


def pod() -> dict[str, Any]:
    """The pod that runs on each node."""
    spec: dict[str, Any] = manifests()["DaemonSet"]["spec"]["template"]["spec"]
    return spec


def containers() -> list[dict[str, Any]]:
    """Its containers, those that run first in front."""
    return [*pod()["initContainers"], *pod()["containers"]]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that exists: what it starts is not installed here."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    return copy


@pytest.mark.slow
@needs_systemd_analyze
def test_systemd_accepts_the_unit(unit: Path) -> None:
    """Every setting of the unit is one that systemd knows, with a value that it takes."""
    outcome = run(["systemd-analyze", "verify", "--man=no", unit])

    complaints = [line for line in outcome.stderr.splitlines() if unit.name in line]
    assert (0, []) == (outcome.returncode, complaints)


@pytest.mark.slow
@needs_systemd_analyze
def test_unit_exposes_little(unit: Path) -> None:
    """The score that systemd gives for what the service could do to the host is at most 2 of 10."""
    outcome = run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit])

    assert outcome.returncode == 0, outcome.stdout


def test_unit_keeps_what_must_survive() -> None:
    """The sockets' directory, where deletions wait while the daemon is down, outlives the service."""
    assert ["weaveipam"] == settings("RuntimeDirectory") == settings("StateDirectory")
    assert settings("RuntimeDirectoryPreserve") == ["yes"]
    assert settings("Type") == ["notify"]


@pytest.mark.slow
def test_unit_starts_an_agent_that_exists(tmp_path: Path) -> None:
    """The agent takes the arguments that the unit gives it."""
    (tmp_path / "config.toml").write_text('[[pool]]\nname = "pods"\nranges = ["10.32.0.0/12"]\n')
    (line,) = settings("ExecStart")
    program, *arguments = shlex.split(line.replace(CONFIG, str(tmp_path / "config.toml")))

    outcome = weaveipam([*arguments, "--check-config"])

    assert program == PROGRAM
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize("node", ["node-1", "node-4"])
def test_manifest_starts_an_agent_that_exists(tmp_path: Path, node: str) -> None:
    """The agent takes the manifest's arguments and configuration, on a seed and on any other node."""
    config = tmp_path / "config.toml"
    config.write_text(manifests()["ConfigMap"]["data"]["config.toml"])
    values = {"NODE_NAME": node, "NODE_ADDRESS": "192.0.2.14"}
    (agent,) = pod()["containers"]
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], argument).replace(CONFIG, str(config))
        for argument in agent["args"]
    ]

    outcome = weaveipam([*arguments, "--check-config"])

    assert {one["name"] for one in agent["env"]} == set(values)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.slow
def test_manifest_installs_the_cni_program(tmp_path: Path) -> None:
    """The command that runs first puts a program and a configuration into the mounted directories."""
    (install,) = pod()["initContainers"]
    mounted = {mount["mountPath"]: tmp_path / mount["name"] for mount in install["volumeMounts"]}
    arguments = []
    for argument in install["args"]:
        option, equals, path = argument.partition("=")
        arguments.append(f"{option}={mounted[path]}" if equals else argument)

    outcome = weaveipam(arguments)

    assert outcome.returncode == 0, outcome.stderr
    assert all(list(directory.iterdir()) for directory in mounted.values())


def test_manifest_is_consistent() -> None:
    """Selectors, volumes, probes and ports name what is there."""
    labels = manifests()["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    http = tomllib.loads(manifests()["ConfigMap"]["data"]["config.toml"])["http"]
    (agent,) = pod()["containers"]
    gossip = {(port["port"], port["protocol"]) for port in manifests()["Service"]["spec"]["ports"]}

    assert labels == manifests()["Service"]["spec"]["selector"]
    assert labels == manifests()["DaemonSet"]["spec"]["selector"]["matchLabels"]
    assert {mount["name"] for one in containers() for mount in one["volumeMounts"]} == {
        volume["name"] for volume in pod()["volumes"]
    }
    assert gossip == {(port["containerPort"], port["protocol"]) for port in agent["ports"]}
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        get = agent[probe]["httpGet"]
        assert (http, path) == (f"{get['host']}:{get['port']}", get["path"])


def test_manifest_gives_no_power() -> None:
    """No container has a capability, may gain one, or may write to its image."""
    for one in containers():
        context = one["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True


class PowerlessPlan(DaemonPlan):
    """A daemon started as the unit and the manifest start it: root, without any capability."""

    def command(self) -> list[str]:
        """The argument list."""
        return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *super().command()]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take capabilities from root")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_agent_needs_no_power(tmp_path: Path) -> None:
    """A daemon without a single capability forms its ring, allocates and ends in good order."""
    place = Place("127.0.0.1:0", "127.0.0.1:6783", None)
    plan = PowerlessPlan(
        name="only", directory=tmp_path, place=place, seeds=("only",), pools=("pods=10.32.0.0/24",)
    )
    with Daemon(plan) as daemon:
        daemon.start()
        daemon.wait_ready()
        granted = daemon.ask("POST", "/v1/allocations", {"key": "one"})
        status = Path(f"/proc/{daemon.pid}/status").read_text()

        assert len(re.findall(r"^Cap(?:Prm|Eff|Bnd):\s*0+$", status, re.MULTILINE)) == 3
        assert len(granted["addresses"]) == 1
        assert daemon.terminate() == 0


def copied() -> Iterator[str]:
    """What the Dockerfile takes from the checkout."""
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            yield from line.split()[1:-1]


def test_image_is_built_from_what_is_there() -> None:
    """Each source of the Dockerfile exists, and nothing keeps it from the builder."""
    admitted = re.findall(r"^!(.*)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)

    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert sorted(copied()) == sorted(admitted)


def test_image_has_the_whole_project() -> None:
    """The Dockerfile copies every package of the wheel, and every file that its metadata names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert {*wheel, project["project"]["readme"], *project["project"]["license-files"]} <= set(copied())
