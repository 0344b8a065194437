"""The variables of a call: what is missing is named at once, and what the kernel would refuse is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.codes import CniError, Code
from cni.environ import Arguments, Verb, parse_args, parse_environment

Env = Callable[..., dict[str, str]]

NEEDED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
    "GC": ("CNI_PATH",),
    "STATUS": (),
    "VERSION": (),
}


@pytest.mark.parametrize("verb", Verb)
def test_all_missing_variables_are_named_at_once(verb: Verb) -> None:
    """One error names exactly the variables that the verb needs."""
    if not NEEDED[verb]:
        assert verb is parse_environment({"CNI_COMMAND": verb}).verb
        return
    with pytest.raises(CniError) as caught:
        parse_environment({"CNI_COMMAND": verb})

    assert caught.value.code is Code.BAD_ENVIRONMENT
    assert "; ".join(f"{name} is missing" for name in sorted(NEEDED[verb], key=_order)) == str(caught.value)


def _order(name: str) -> int:
    return ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_PATH").index(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CNI_COMMAND", "add"),
        ("CNI_COMMAND", "UNKNOWN"),
        ("CNI_CONTAINERID", "-c1"),
        ("CNI_CONTAINERID", "c/1"),
        ("CNI_CONTAINERID", "c1\n"),
        ("CNI_CONTAINERID", "ü"),
        ("CNI_CONTAINERID", "c" * 257),
        ("CNI_IFNAME", "."),
        ("CNI_IFNAME", ".."),
        ("CNI_IFNAME", "e/0"),
        ("CNI_IFNAME", "e:0"),
        ("CNI_IFNAME", "e 0"),
        ("CNI_IFNAME", "e" * 16),
        ("CNI_IFNAME", "ü" * 8),
        ("CNI_ARGS", "IP"),
    ],
)
def test_wrong_variables_are_named(env: Env, name: str, value: str) -> None:
    """A variable that the specification does not allow is error 4 and named."""
    with pytest.raises(CniError, match=name) as caught:
        parse_environment({**env("ADD"), name: value})

    assert caught.value.code is Code.BAD_ENVIRONMENT


def test_several_problems_are_one_error(env: Env) -> None:
    """A wrong container id, a wrong interface and a missing namespace are told together."""
    with pytest.raises(CniError, match=r"CNI_CONTAINERID.*CNI_IFNAME.*CNI_NETNS.*CNI_ARGS"):
        parse_environment(env("ADD", "/", CNI_IFNAME="/", CNI_NETNS="", CNI_ARGS="X"))


def test_a_deletion_needs_no_namespace(env: Env) -> None:
    """DEL takes an empty CNI_NETNS, and arguments that nobody can read."""
    found = parse_environment(env("DEL", CNI_NETNS="", CNI_ARGS="nonsense"))

    assert (found.container_id, found.ifname, found.args) == ("c1", "eth0", Arguments())


def test_the_hosts_namespace_is_refused(env: Env) -> None:
    """ADD into the namespace that the shim found to be its own is error 8, unless it is said to be meant."""
    own = {"WEAVEIPAM_NETNS": "host"}
    with pytest.raises(CniError) as caught:
        parse_environment({**env("ADD"), **own})

    assert caught.value.code is Code.BAD_NETNS
    assert parse_environment({**env("ADD"), **own, "CNI_NETNS_OVERRIDE": "1"}).container_id == "c1"
    assert parse_environment({**env("DEL"), **own}).container_id == "c1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Arguments()),
        ("IP=10.0.0.1", Arguments(("10.0.0.1",))),
        ("IP=10.0.0.1, fd00::1/64,", Arguments(("10.0.0.1", "fd00::1/64"))),
        ("K8S_POD_NAME=p;IgnoreUnknown=1", Arguments((), (("pod", "p"),))),
        ("FOO=1;IgnoreUnknown=true", Arguments()),
        ("IgnoreUnknown=0;K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=", Arguments()),
    ],
)
def test_arguments(text: str, expected: Arguments) -> None:
    """Keys come in any order; those that are not known are ignored if the caller says so."""
    assert expected == parse_args(text)


@pytest.mark.parametrize(
    "text",
    [
        "FOO=1",
        "FOO=1;IgnoreUnknown=0",
        "IgnoreUnknown=maybe",
        "IgnoreUnknown=1;",
        "IP",
        "IP=1=2",
        "=1",
        "K8S_POD_NAME=\udcff",
        f"K8S_POD_NAME={'p' * 254}",
    ],
)
def test_wrong_arguments(text: str) -> None:
    """Each part is exactly one key and one value, and labels are text that can be kept."""
    with pytest.raises(ValueError, match=r".+"):
        parse_args(text)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(
            ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS", "WEAVEIPAM_NETNS"]
        ),
        st.one_of(st.sampled_from([*Verb, "c1", "eth0", "host"]), st.text(max_size=20)),
    )
)
def test_any_variables_parse_or_are_refused(environ: Mapping[str, str]) -> None:
    """Whatever the variables, the outcome is an environment or one of our own errors."""
    try:
        found = parse_environment(environ)
    except CniError as error:
        assert error.code in (Code.BAD_ENVIRONMENT, Code.BAD_NETNS)  # noqa: PT017  # either outcome is right
    else:
        assert environ["CNI_COMMAND"] == found.verb
