"""
What an operator can say, and which of flag, environment and file is believed.

`OPTIONS` is the one list of what there is; the command line makes its flags from it.
Does not know what the values mean, nor which go together; `config` does.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

DEFAULT_SOCKET = "/run/weaveipam/api.sock"
"""Of the API, for those who serve it and those who ask."""

CNI_SOCKET_NAME = "cni.sock"
"""Of the second socket, beside the API's."""

Kind: TypeAlias = Literal["text", "texts", "number", "switch", "pools"]
"""`texts` and `pools` may be said several times; see `_normal` for how each source says it."""


class Option(NamedTuple):
    """One thing that can be said."""

    key: str
    """Its name in the file."""
    kind: Kind
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"WEAVEIPAM_{self.key.upper()}"


OPTIONS = (
    Option("name", "text", "NAME", "Unique in the cluster. Default: the host name."),
    Option("data_dir", "text", "DIR", "Where state is kept. Default: /var/lib/weaveipam."),
    Option("socket", "text", "PATH", f"Of the API. Default: {DEFAULT_SOCKET}."),
    Option("bind", "text", "HOST:PORT", "For peers, UDP and TCP. Default: 0.0.0.0:6783."),
    Option("advertise", "text", "HOST:PORT", "Where peers reach it. Default: what it binds to."),
    Option("join", "texts", "HOST:PORT", "A peer to join; repeatable. Names are resolved again and again."),
    Option(
        "init",
        "text",
        "INIT",
        "seeds=A,B,C: form a cluster with these; consensus=N: with any N; observe: only ever join one.",
    ),
    Option("pool", "pools", "NAME=RANGE[,RANGE...]", "A pool of addresses; repeatable."),
    Option("label", "texts", "KEY=VALUE", "Of this node, by which pools select it; repeatable."),
    Option("preset", "text", "lan|wan|test", "Timings between peers. Default: lan."),
    Option("sync_wait", "number", "SECONDS", "How long a restart waits for members. Default: by the preset."),
    Option("keyring", "text", "FILE", "Keys that packets are sealed with. Default: none, packets are open."),
    Option("http", "text", "HOST:PORT", "Serve the HTTP API here too. Default: off."),
    Option("http_public", "switch", "", "Serve health and metrics there without a token."),
    Option("log_format", "text", "json|console", "Default: console on a terminal, else json."),
    Option("log_level", "text", "debug|info|warning|error", "Default: info."),
    Option("uvloop", "switch", "", "Use the faster event loop. Default: yes, if installed."),
)
"""All of them, in the order of the reference."""

_KEYS = tuple(option.key for option in OPTIONS)
_VARIABLES = (*(option.variable for option in OPTIONS), "WEAVEIPAM_CONFIG")
"""The last one is read by the command line."""
_OF_CNI = "WEAVEIPAM_CNI_"
"""How the variables of the CNI program begin."""

_OF_KUBERNETES = re.compile(
    r"WEAVEIPAM_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)"
)
"""What a Kubernetes service called weaveipam-something puts into every pod of its namespace."""


Source: TypeAlias = Literal["flag", "environment", "file", "default"]


class Said(NamedTuple):
    """What the strongest source says about one option."""

    where: str
    """For messages: `--bind`, `$WEAVEIPAM_BIND`, `config.toml: bind`."""
    value: Any
    """By the option's kind: a string, a list of strings, a boolean, a list of tables."""
    source: Source = "default"


def gather(
    flags: Mapping[str, object], environ: Mapping[str, str], file: Path | None, problems: list[str]
) -> dict[str, Said]:
    """
    What was said, by option key; flags go over environment over file.

    Args:
        flags: By option key; None and empty tuples were not said.
        environ: The whole environment.
        file: TOML; None: there is none.
        problems: One sentence is added for each unknown name and each value of a wrong type.
    """
    table = {} if file is None else _read(file, problems)
    problems += [f"{file}: {_unknown(key, _KEYS)}" for key in table if key not in _KEYS]
    problems += [f"environment: {_unknown(name, _VARIABLES)}" for name in sorted(environ) if _stray(name)]
    said: dict[str, Said] = {}
    for option in OPTIONS:
        sources = (
            Said(option.flag, flags.get(option.key), "flag"),
            Said(f"${option.variable}", environ.get(option.variable), "environment"),
            Said(f"{file}: {option.key}", table.get(option.key), "file"),
        )
        strongest = next((one for one in sources if one.value is not None and one.value != ()), None)
        if strongest is not None:
            try:
                said[option.key] = strongest._replace(value=_normal(option, strongest.value))
            except ValueError as error:
                problems.append(f"{strongest.where}: {error}")
    return said


def check_keys(table: Mapping[str, object], known: Sequence[str]) -> list[str]:
    """One sentence for each key of a table that is not known."""
    return [_unknown(key, known) for key in table if key not in known]


def _stray(variable: str) -> bool:
    """Whether a variable can only be meant for us, and is none of ours."""
    others = variable.startswith(_OF_CNI) or _OF_KUBERNETES.fullmatch(variable)
    return variable.startswith("WEAVEIPAM_") and variable not in _VARIABLES and not others


def _read(file: Path, problems: list[str]) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{file}: {error.strerror}")
    except (ValueError, RecursionError) as error:  # no TOML, or no UTF-8
        problems.append(f"{file}: {error}")
    return {}


def _unknown(name: str, known: Sequence[str]) -> str:
    """The sentence about a name that does not exist."""
    meant = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(known)}"
    return f"there is no {name!r}; {hint}"


def _normal(option: Option, value: object) -> object:
    """One form of a value, whichever source says it; ValueError when it is of a wrong type."""
    match option.kind, value:
        case "text", str():
            return value
        case "texts", str():
            return [one for one in re.split(r"[\s,]+", value) if one]
        case "texts", list() | tuple() if all(isinstance(one, str) for one in value):
            return list(value)
        case "number", _:
            return _number(value)
        case "switch", bool():
            return value
        case "switch", str() if value.lower() in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return value.lower() in {"1", "true", "yes", "on"}
        case "pools", str():
            return [_pool_table(one) for one in value.split()]
        case "pools", tuple():
            return [_pool_table(str(one)) for one in value]
        case "pools", list() if all(isinstance(one, dict) for one in value):
            return value
    expected = {"text": "a string", "texts": "a list of strings", "switch": "true or false"}
    raise ValueError(f"expected {expected.get(option.kind, '[[pool]] tables')}, not {value!r}")


def _number(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return float(value)
    raise ValueError(f"expected a number, not {value!r}")


def _pool_table(text: str) -> dict[str, object]:
    """`NAME=RANGE[,RANGE...]` as the table that a file would have."""
    name, equals, ranges = text.partition("=")
    if not equals:
        raise ValueError(f"expected NAME=RANGE[,RANGE...], not {text!r}")
    return {"name": name, "ranges": ranges.split(",")}
