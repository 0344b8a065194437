"""The configuration as a whole."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.allocation.settings import AllocationSettings
from weaveipam.config.config import Config, load, parse_endpoint
from weaveipam.errors import ConfigError
from weaveipam.gossip.settings import GossipSettings
from weaveipam.protocol.values import Endpoint


def config(**flags: object) -> Config:
    """The configuration that these flags make, on a host called `host`."""
    return load(flags, {}, None, host_name="host")


def problems(**flags: object) -> list[str]:
    """What is wrong with these flags."""
    with pytest.raises(ConfigError) as refused:
        config(**flags)
    return str(refused.value).splitlines()


def test_what_is_checked_besides_is_listed_with_the_rest() -> None:
    """Also where other things are wrong."""
    with pytest.raises(ConfigError) as refused:
        load({"preset": "x"}, {}, None, host_name="host", check=lambda found: [f"{found.name} is no host"])
    assert ["--preset: expected", "host is no host"] == [
        line.partition(" lan")[0] for line in str(refused.value).splitlines()
    ]


def test_nothing_needs_to_be_said() -> None:
    """Every option has the documented default."""
    assert Config(
        name="host",
        data_dir=Path("/var/lib/weaveipam"),
        socket=Path("/run/weaveipam/api.sock"),
        bind=Endpoint("0.0.0.0", 6783),  # noqa: S104 - the documented default
        advertise=None,
        join=(),
        seeds=("host",),
        consensus=0,
        pools=(),
        labels=(("kubernetes.io/hostname", "host"),),
        preset="lan",
        sync_wait_s=None,
        keyring=None,
        http=None,
        http_public=False,
        log_format="json",
        log_level="info",
        uvloop=True,
    ) == load({}, {}, None, host_name="host")
    assert "console" == load({}, {}, None, host_name="host", on_terminal=True).log_format


@pytest.mark.parametrize(
    ("flags", "consensus"),
    [
        ({"join": ("b:1",), "init": "consensus=3"}, 3),
        ({"init": "consensus=1"}, 1),
        ({"join": ("b:1",), "init": "seeds=n1,n2"}, 0),
    ],
)
def test_how_many_agree_follows_from_init(flags: dict[str, object], consensus: int) -> None:
    """Who is told how many form the cluster has no list of seeds, and the node is told the number."""
    made = config(name="n1", **flags)

    assert consensus == made.settings(Endpoint("h", 1)).consensus
    assert bool(made.seeds) == (consensus == 0)


@pytest.mark.parametrize(
    ("flags", "seeds"),
    [
        ({}, ("n1",)),
        ({"join": ("b:1",)}, ()),
        ({"join": ("b:1",), "init": "observe"}, ()),
        ({"init": "seeds=n1"}, ("n1",)),
        ({"join": ("b:1",), "init": "seeds=n2, n1"}, ("n1", "n2")),
        ({"join": ("b:1",), "init": "seeds=n2,n3"}, ("n2", "n3")),
    ],
)
def test_who_forms_follows_from_init_and_join(flags: dict[str, object], seeds: tuple[str, ...]) -> None:
    """Alone without anybody to join, only joining with, else whom init names, sorted."""
    assert seeds == config(name="n1", **flags).seeds


def test_the_node_gets_its_part() -> None:
    """Endpoint, joins, seeds, pools, labels and the preset's timings reach the node's settings."""
    made = config(
        name="n1", join=("b:1", "b:1"), pool=("p=10.0.0.0/24",), preset="test", label=("zone=a", "gpu=")
    )
    settings = made.settings(Endpoint("10.9.9.9", 1))

    assert Endpoint("10.9.9.9", 1) == settings.endpoint
    assert (Endpoint("b", 1),) == settings.join
    assert ["p"] == [pool.name for pool in settings.pools]
    assert GossipSettings.preset("test") == settings.gossip
    labels = (("gpu", ""), ("kubernetes.io/hostname", "n1"), ("zone", "a"))
    assert replace(AllocationSettings.preset("test"), node_labels=labels) == settings.allocation


def test_labels_of_the_node_are_labels() -> None:
    """What Kubernetes would not take as a label is refused; a long name is none, and leaves itself out."""
    assert ["--label: expected KEY=VALUE, not 'zone'"] == problems(label=("zone",))[:1]
    assert ["a_"] == [one.partition("'")[2][:2] for one in problems(label=("a_=b",))]
    assert () == config(name="n" * 200).labels


def test_the_wait_before_serving_alone_is_its_own() -> None:
    """It goes over the preset's, and may be none; what is no such time is refused."""
    waits = [config(sync_wait=one).settings(Endpoint("10.9.9.9", 1)) for one in ("90", "0.5", "0")]

    assert [90.0, 0.5, 0.0] == [one.allocation.sync_wait_s for one in waits]
    assert ["--sync-wait: expected a number of seconds, not -1"] == problems(sync_wait="-1")
    assert ["--sync-wait: expected a number of seconds, not inf"] == problems(sync_wait="inf")
    assert ["--sync-wait: expected a number, not 'long'"] == problems(sync_wait="long")


@pytest.mark.parametrize("preset", ["lan", "wan", "test"])
def test_every_preset_makes_settings(preset: str) -> None:
    """No preset that can be chosen is unknown to gossip or allocation."""
    assert config(preset=preset).settings(Endpoint("h", 1)).gossip == GossipSettings.preset(preset)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"init": "consensus=3"}, "--init: needs --join too, the address of another one of them"),
        ({"init": "consensus", "join": ("x:1",)}, "--init: consensus= takes how many daemons"),
        ({"init": "consensus=0", "join": ("x:1",)}, "form the cluster, 1 to 100, not '0'"),
        ({"init": "consensus=101", "join": ("x:1",)}, "form the cluster, 1 to 100, not '101'"),
        ({"init": "consensus=-3", "join": ("x:1",)}, "form the cluster, 1 to 100, not '-3'"),
        ({"init": "consensus=\u0663", "join": ("x:1",)}, "consensus= takes how many daemons"),
        ({"init": "consensus=a,b,c", "join": ("x:1",)}, "form the cluster, 1 to 100, not 'a,b,c'"),
        ({"init": "seeds=a,b,a", "join": ("x:1",)}, "--init: names a twice"),
        ({"init": "seeds=a,,b", "join": ("x:1",)}, "--init: a name is 1 to 253"),
        ({"init": "seeds"}, "--init: a name is 1 to 253"),
        ({"init": "alone"}, "--init: expected consensus=N, seeds=A,B,C or observe"),
        ({"init": "observe"}, "--init: needs --join too, the address of a member"),
        ({"init": "seeds=host,b,c"}, "--init: needs --join too, the address of b or c"),
        ({"init": "seeds=b"}, "--init: needs --join too, the address of b"),
        ({"name": "a/b"}, "--name: a name is"),
        ({"name": ""}, "--name: a name is"),
        ({"bind": "::1:6783"}, "in brackets, as in [::1]:6783"),
        ({"bind": "host"}, "--bind: expected HOST:PORT"),
        ({"bind": "h:65536"}, "--bind: a port is 0 to 65535"),
        ({"join": ("h:0",)}, "--join: a port is 1 to 65535"),
        ({"advertise": "0.0.0.0:1"}, "--advertise: 0.0.0.0 is no address"),
        ({"advertise": "[0::0]:1", "bind": "[::]:1"}, "--advertise: 0::0 is no address"),
        ({"advertise": "[fd00::1]:1"}, "--advertise: [fd00::1]:1 is not IPv4, as --bind 0.0.0.0:6783 is"),
        (
            {"bind": "[::1]:1", "join": ("10.0.0.1:1",)},
            "--join: 10.0.0.1:1 is not IPv6, as --bind [::1]:1 is",
        ),
        ({"http_public": True}, "--http-public: says how --http is served"),
        ({"bind": "127.0.0.1:80", "http": "127.0.0.1:80"}, "--http: 127.0.0.1:80 is taken by --bind"),
        ({"bind": "0.0.0.0:80", "http": "127.0.0.1:80"}, "--http: 127.0.0.1:80 is taken by --bind"),
        ({"preset": "lab"}, "--preset: expected lan, wan or test"),
        ({"log_format": "xml"}, "--log-format: expected json or console"),
        ({"log_level": "trace"}, "--log-level: expected debug, info, warning or error"),
        ({"data_dir": ""}, "--data-dir: expected a path"),
        ({"socket": "/run/cni.sock"}, "--socket: /run/cni.sock is the name of the CNI socket"),
        ({"socket": "/" + "s" * 107}, "--socket: the path of a unix socket has at most 107 bytes, not 108"),
        (
            {"pool": ("p=10.0.0.1/24",)},
            "--pool p: '10.0.0.1/24' has host bits set; did you mean 10.0.0.0/24?",
        ),
    ],
    ids=lambda one: repr(one)[:60],
)
def test_what_cannot_work_is_refused_with_its_reason(flags: dict[str, object], sentence: str) -> None:
    """Each single fault gives exactly one sentence, which names the flag."""
    found = problems(**flags)

    assert 1 == len(found)
    assert sentence in found[0]


@pytest.mark.parametrize("other", ["[::2]:1", "b:1"])
def test_one_peer_that_can_be_reached_is_enough(other: str) -> None:
    """Peers may be named by addresses of both families, and by names that may have either."""
    assert 2 == len(config(bind="[::1]:1", join=("10.0.0.1:1", other)).join)


def test_a_host_name_that_is_no_name_is_said() -> None:
    """A host name that peers would not take is refused, unless a name is given."""
    with pytest.raises(ConfigError, match="--name"):
        load({}, {}, None, host_name="my host")
    assert "n1" == load({"name": "n1"}, {}, None, host_name="my host").name


def test_everything_wrong_is_listed_at_once(tmp_path: Path) -> None:
    """Faults of all sources come in one error, a line each, in whatever combination."""
    file = tmp_path / "c.toml"
    file.write_text(
        'log_level = "loud"\nnmae = "x"\n[[pool]]\nname = "p"\nranges = ["10.0.0.0/24"]\n'
        '[[pool]]\nname = "q"\nranges = ["10.0.0.128/25"]\n'
    )

    with pytest.raises(ConfigError) as refused:
        load({"preset": "lab"}, {"WEAVEIPAM_BIND": "x", "WEAVEIPAM_BYND": "y"}, file, host_name="h")

    lines = str(refused.value).splitlines()
    expected = ("nmae", "WEAVEIPAM_BYND", "$WEAVEIPAM_BIND", "--preset", "log_level: ", "pools p")
    assert [] == [one for one in expected if not any(one in line for line in lines)]
    assert len(expected) == len(lines)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("10.0.0.1:6783", Endpoint("10.0.0.1", 6783)),
        ("[::1]:1", Endpoint("::1", 1)),
        (" host.example:65535 ", Endpoint("host.example", 65535)),
    ],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: Endpoint) -> None:
    """Endpoints are read as they are printed."""
    assert endpoint == parse_endpoint(text)
    assert text.strip() == str(endpoint)


@given(st.text(max_size=30) | st.from_regex(r"[\[\]:.0-9a-f]*", fullmatch=True))
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    """No text makes anything but an endpoint that can be sent to, or a ValueError."""
    try:
        found = parse_endpoint(text)
    except ValueError:
        return
    assert found.host
    assert 1 <= found.port <= 65535


@given(st.binary(max_size=60))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No bytes in the file make anything but a configuration or a ConfigError."""
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert isinstance(load({}, {}, file, host_name="h"), Config)
