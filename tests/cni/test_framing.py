"""Requests and replies as bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.framing import (
    ENVIRON_BYTES_MAX,
    HEAD,
    INPUT_BYTES_MAX,
    Call,
    FramingError,
    decode_request,
    encode_reply,
    encode_request,
    request_size,
)

NAMES = st.from_regex(r"CNI_[A-Z]{1,8}", fullmatch=True)
VALUES = st.binary(max_size=30).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


@pytest.mark.slow
@given(st.builds(Call, st.dictionaries(NAMES, VALUES), st.binary(max_size=100)))
def test_a_call_survives(call: Call) -> None:
    """Variables of any bytes but NUL, and any input, come out as they went in."""
    request = encode_request(call)

    assert call == decode_request(request)
    assert len(request) == request_size(request[: HEAD.size])


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_decode_or_are_refused(noise: bytes, environ_bytes: int) -> None:
    """Random bytes, alone or behind a plausible head, are a call or a FramingError."""
    plausible = HEAD.pack(b"wip1", min(environ_bytes, len(noise)), max(0, len(noise) - environ_bytes)) + noise
    for request in (noise, plausible):
        try:
            call = decode_request(request)
        except FramingError:
            continue
        assert request.endswith(call.stdin)


@pytest.mark.parametrize(
    "head",
    [
        HEAD.pack(b"wip2", 0, 0),
        HEAD.pack(b"wip1", ENVIRON_BYTES_MAX + 1, 0),
        HEAD.pack(b"wip1", 0, INPUT_BYTES_MAX + 1),
        HEAD.pack(b"wip1", 2**32 - 1, 2**32 - 1),
    ],
)
def test_a_wrong_head_is_refused_at_once(head: bytes) -> None:
    """Another magic and sizes beyond the limits are refused before anything is kept."""
    with pytest.raises(FramingError):
        request_size(head)


def test_the_form_is_fixed(make_call: Callable[..., Call]) -> None:
    """The bytes are those that deployed programs and spools use."""
    request = encode_request(Call({"CNI_COMMAND": "DEL", "CNI_ARGS": ""}, b"{}"))

    assert request == b"wip1\0\0\0\x1a\0\0\0\x02CNI_COMMAND=DEL\0CNI_ARGS=\0{}"
    assert encode_reply(256, b"ab") == b"wip1\0\0\x01\0\0\0\0\x02ab"
    assert make_call("ADD") == decode_request(encode_request(make_call("ADD")))
