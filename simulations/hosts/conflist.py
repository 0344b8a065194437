"""
A small CNI runtime: runs the plugins of a network configuration list in their order, as libcni does.

Source: the CNI specification 1.1.0, sections 2 to 4.  Knows the list, a plugin's environment, how a result is
handed on, and the results of the attachments it made.  Does not know what any plugin does.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.hosts.place import within

DEBIAN_PLUGINS = Path("/usr/lib/cni")
"""Where Debian's `containernetworking-plugins` puts the standard plugins."""

PLUGIN_TIMEOUT_S = 30.0
"""No plugin of the list takes longer: ours waits for 10 s at most, the others do not wait."""


class PluginError(Exception):
    """A plugin answered with an error; `code` is the specification's (section 5), 999 for no answer."""

    def __init__(self, plugin: str, verb: str, code: int, message: str) -> None:
        super().__init__(f"{plugin} {verb}: code {code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Attachment:
    """One interface of one container."""

    container_id: str
    netns: str
    """A path; may be empty for a DEL."""
    ifname: str = "eth0"
    args: str = ""
    """`CNI_ARGS`: `K=V;K=V`."""


def call_plugin(
    program: Path, verb: str, attachment: Attachment | None, config: Mapping[str, Any], paths: Sequence[Path]
) -> dict[str, Any]:
    """
    What one plugin answers; empty if it prints nothing.

    Raises:
        PluginError: the plugin reports an error, or does not answer as the specification asks.
    """
    environ = {"PATH": os.environ.get("PATH", os.defpath), "CNI_COMMAND": verb}
    environ["CNI_PATH"] = ":".join(map(str, paths))
    if attachment is not None:
        environ |= {
            "CNI_CONTAINERID": attachment.container_id,
            "CNI_NETNS": attachment.netns,
            "CNI_IFNAME": attachment.ifname,
            "CNI_ARGS": attachment.args,
        }
    done = subprocess.run(  # the exit status is read below
        [program],
        check=False,
        env=environ,
        input=json.dumps(config).encode(),
        capture_output=True,
        timeout=PLUGIN_TIMEOUT_S,
    )
    try:
        reply = json.loads(done.stdout) if done.stdout.strip() else {}
    except ValueError:
        reply = {"code": 999, "msg": f"no JSON: {done.stdout[:200]!r}"}
    if done.returncode != 0 or "code" in reply:
        text = "; ".join(str(reply[key]) for key in ("msg", "details") if reply.get(key))
        stderr = done.stderr.decode(errors="replace").strip()
        raise PluginError(program.name, verb, int(reply.get("code", 999)), text or stderr)
    return dict(reply)


class ConflistRunner:
    """Runs one configuration list on one host, and remembers the result of each attachment."""

    def __init__(self, conflist: Path, paths: Sequence[Path], namespace: str | None = None) -> None:
        """
        Reads the list.

        Args:
            conflist: The file, as it lies in `/etc/cni/net.d`.
            paths: Where plugins are looked for, in order.
            namespace: The network namespace of the host, where plugins run; None: that of this process.

        Raises:
            OSError, ValueError, KeyError: the file cannot be read, or is no list.
        """
        document: dict[str, Any] = json.loads(conflist.read_text())
        self.name: str = document["name"]
        self.version: str = document["cniVersion"]
        self._plugins: list[dict[str, Any]] = document["plugins"]
        self._paths = tuple(paths)
        self._namespace = namespace
        self._results: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, attachment: Attachment) -> dict[str, Any]:
        """
        The final result, each plugin having been given that of the one before it.

        Raises:
            PluginError: one refused; the list was taken down again, as the specification asks of a runtime.
        """
        result: dict[str, Any] = {}
        try:
            for plugin in self._plugins:
                result = self._call("ADD", plugin, attachment, result)
        except PluginError:
            with suppress(PluginError):  # the first error is the one to tell
                self.delete(attachment)
            raise
        self._results[attachment.container_id, attachment.ifname] = result
        return result

    def check(self, attachment: Attachment) -> None:
        """
        Asks each plugin whether the attachment is still as its ADD left it.

        Raises:
            PluginError: it is not, says the first that finds so.
        """
        result = self._results[attachment.container_id, attachment.ifname]
        for plugin in self._plugins:
            self._call("CHECK", plugin, attachment, result)

    def delete(self, attachment: Attachment) -> None:
        """
        Takes the attachment down, the last plugin first.

        Raises:
            PluginError: one refused; those before it in the list were not asked.
        """
        name = attachment.container_id, attachment.ifname
        for plugin in reversed(self._plugins):
            self._call("DEL", plugin, attachment, self._results.get(name, {}))
        self._results.pop(name, None)

    def _call(
        self, verb: str, plugin: dict[str, Any], attachment: Attachment, result: dict[str, Any]
    ) -> dict[str, Any]:
        config = {**plugin, "name": self.name, "cniVersion": self.version}
        config.pop(
            "capabilities", None
        )  # a runtime's business; it answers with runtimeConfig, which we have none of
        if result:
            config["prevResult"] = result
        program = find_plugin(plugin["type"], self._paths)
        return within(self._namespace, lambda: call_plugin(program, verb, attachment, config, self._paths))


def find_plugin(kind: str, paths: Sequence[Path]) -> Path:
    """
    The program of a plugin type.

    Raises:
        PluginError: it is in none of the directories.
    """
    for directory in paths:
        if (directory / kind).is_file():
            return directory / kind
    raise PluginError(kind, "", 999, f"not in {', '.join(map(str, paths))}")


def addresses_of(result: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses in an ADD result (any version from 0.3.0), without their prefix lengths."""
    return tuple(str(ip["address"]).partition("/")[0] for ip in result.get("ips", ()))
