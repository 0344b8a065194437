"""
What clients send, as requests of the node: bodies, paths and parameters, checked field by field.

docs/reference/http.md is the description for users; `documents` is the other direction.
Does not know HTTP or sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ring.address import Family, Range, format_address, parse_address, parse_range
from weaveipam.protocol.requests import (
    NOBODY,
    Allocate,
    Lookup,
    Release,
    RemovePeers,
    ResolveConflict,
    Subject,
    Want,
)
from weaveipam.protocol.values import DEFAULT_NETWORK, TTL_MAX_S

NAME_CHARACTERS_MAX = 63
"""Of a pool or a network; a DNS label's."""
KEY_BYTES_MAX = 512
"""Of a key in UTF-8, as the allocator takes it."""
ADDRESS_CHARACTERS_MAX = 45
"""Of IPv6 with its last 32 bits written as IPv4."""
KEY_LINE_CHARACTERS_MAX = 256
"""Of a key for packets as text, with a comment behind it."""
ADDRESSES_MAX = 16
"""Of one key, as many as the allocator takes."""
RANGE_CHARACTERS_MAX = 2 * ADDRESS_CHARACTERS_MAX + 1
"""Of a first and a last address."""
OWNER_CHARACTERS_MAX = 253
"""Of a daemon's name; a DNS name's."""
LABELS_MAX = 64
LABEL_CHARACTERS_MAX = 253
"""Of a label's name, and of its value."""


POOLS_MAX = 64
"""That one request names."""
SELECTOR_CHARACTERS_MAX = 4096
_ALLOCATE = (
    "key",
    "network",
    "pool",
    "pools",
    "selector",
    "fallback",
    "kind",
    "family",
    "address",
    "addresses",
    "index",
    "prefix_length",
    "name",
    "subject",
    "durable",
    "labels",
    "ttl",
)


class InvalidError(ValueError):
    """The client's: a document or a parameter that no answer can be given to; names the field."""


def parse_json(body: bytes) -> object:
    """
    The value of a JSON text.

    Raises:
        InvalidError: not UTF-8, not JSON, NaN or infinity, a field twice, or nested too deeply.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constants)
    except RecursionError:
        raise InvalidError("the body is nested too deeply") from None
    except InvalidError:
        raise
    except ValueError as error:  # also bytes that are no UTF-8, and integers of thousands of digits
        raise InvalidError(f"the body is not JSON: {error}") from None


def allocate_request(document: object) -> Allocate:
    """
    The request in a body of `POST /v1/allocations`.

    Raises:
        InvalidError: names the field that is unknown, missing, of a wrong type, or contradicts another.
    """
    fields = _fields(document, _ALLOCATE, required=("key",))
    return Allocate(
        key=_key(fields["key"]),
        network=network_name(fields.get("network")),
        wants=_wants(fields),
        durable=_boolean("durable", fields.get("durable")),
        labels=_labels("labels", fields.get("labels")),
        name="" if fields.get("name") is None else _text("name", fields["name"], KEY_BYTES_MAX),
        subject=_subject(fields.get("subject")),
        ttl_s=_ttl_s(fields.get("ttl")),
    )


def release_request(key: str | None, address: str | None, network: str | None) -> Release:
    """
    The request to give back what a key or an address (exactly one of the two) holds.

    Raises:
        InvalidError: both, neither, or not an address.
    """
    if (key is None) == (address is None):
        raise InvalidError("key, address: exactly one of the two names what is given back")
    if key is not None:
        return Release(key=_key(key), network=network_name(network))
    return Release(address=_address("address", address), network=network_name(network))


def lookup_request(subject: str, network: str | None) -> Lookup:
    """
    The request to look up a key or an address; what reads as an address is one.

    Raises:
        InvalidError: an empty or overlong key.
    """
    try:
        return Lookup(address=parse_address(subject), network=network_name(network))
    except ValueError:
        return Lookup(key=_key(subject), network=network_name(network))


def resolve_request(document: object) -> ResolveConflict:
    """
    The request in a body of `POST /v1/conflicts/resolve`.

    Raises:
        InvalidError: names the field that is unknown, missing or of a wrong type.
    """
    fields = _fields(document, ("range", "owner", "network"), required=("range", "owner"))
    text = _text("range", fields["range"], RANGE_CHARACTERS_MAX)
    try:
        family, what = parse_range(text)
    except ValueError as error:
        raise InvalidError(f"range: {error}") from None
    owner = _text("owner", fields["owner"], OWNER_CHARACTERS_MAX)
    return ResolveConflict(family, what, owner, network_name(fields.get("network")))


def key_line(document: object) -> str:
    """
    The key in a body of `POST /v1/keyring/keys`.

    Raises:
        InvalidError: names the field, and does not repeat it.
    """
    key = _fields(document, ("key",), required=("key",))["key"]
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LINE_CHARACTERS_MAX:
        raise InvalidError(f"key: expected a string of 1 to {KEY_LINE_CHARACTERS_MAX} characters")
    return key


def key_id(document: object) -> str:
    """
    The id in a body of `PUT /v1/keyring/used`.

    Raises:
        InvalidError: names the field that is unknown, missing or of a wrong type.
    """
    return _text("id", _fields(document, ("id",), required=("id",))["id"], NAME_CHARACTERS_MAX)


def remove_request(name: str, document: object) -> RemovePeers:
    """
    The request of `POST /v1/peers/{name}/remove`.

    Raises:
        InvalidError: names the field that is unknown or of a wrong type.
    """
    fields = _fields(document, ("also", "force", "survivors"), required=())
    survivors = fields.get("survivors")
    return RemovePeers(
        tuple(sorted({_text("name", name, NAME_CHARACTERS_MAX), *_names("also", fields.get("also", []))})),
        _boolean("force", fields.get("force", False)),
        None if survivors is None else _names("survivors", survivors),
    )


def _names(field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidError(f"{field}: expected a list of names")
    return tuple(sorted({_text(field, one, NAME_CHARACTERS_MAX) for one in value}))


def network_name(value: object) -> str:
    """The network named; the default one for None.  Raises InvalidError for anything but a name."""
    return DEFAULT_NETWORK if value is None else _text("network", value, NAME_CHARACTERS_MAX)


def pool_name(value: object) -> str | None:
    """The pool named; None for None.  Raises InvalidError for anything but a name."""
    return None if value is None else _text("pool", value, NAME_CHARACTERS_MAX)


def family_of(text: str | None) -> Family | None:
    """The family of "4" or "6"; None for None.  Raises InvalidError for anything else."""
    if text not in {None, "4", "6"}:
        raise InvalidError(f"family: expected 4 or 6, not {_short(text)}")
    return None if text is None else Family(int(text))


def _wants(fields: Mapping[str, object]) -> tuple[Want, ...]:
    """One want, or one of each family for `dual`."""
    length, index = _length(fields.get("prefix_length")), _index(fields.get("index"))
    plain = replace(_chosen(fields), prefix_length=length, index=index)
    wanted, address = fields.get("family"), fields.get("address")
    if index is not None and (address is not None or length is not None):
        raise InvalidError("index: goes with neither address nor prefix_length")
    if fields.get("addresses") is not None:
        if [name for name in ("address", "family", "prefix_length", "index") if fields.get(name) is not None]:
            raise InvalidError("addresses: goes with neither address, family, prefix_length nor index")
        return _all_of(fields["addresses"], plain)
    if wanted == "dual":
        if address is not None or length is not None:
            raise InvalidError("family: dual goes with neither address nor prefix_length")
        return replace(plain, family=Family.V4), replace(plain, family=Family.V6)
    if wanted is not None and (type(wanted) is not int or wanted not in set(Family)):
        raise InvalidError(f'family: expected 4, 6, "dual" or null, not {_short(wanted)}')
    want = replace(plain, family=None if wanted is None else Family(wanted))
    return (want if address is None else _exactly(_address("address", address), want),)


def _chosen(fields: Mapping[str, object]) -> Want:
    """A want of which only is known which pools may serve it."""
    pool, pools = pool_name(fields.get("pool")), fields.get("pools")
    selector = fields.get("selector")
    if pools is None:
        pools = [] if pool is None else [pool]
    elif pool is not None:
        raise InvalidError("pools: goes without pool")
    if not isinstance(pools, list) or len(pools) > POOLS_MAX:
        raise InvalidError(f"pools: expected a list of at most {POOLS_MAX} names")
    if selector is not None and pools:
        raise InvalidError("selector: goes with neither pool nor pools")
    return Want(
        pools=tuple(_text("pools", one, NAME_CHARACTERS_MAX) for one in pools),
        selector="" if selector is None else _text("selector", selector, SELECTOR_CHARACTERS_MAX),
        fallback=_boolean("fallback", fields.get("fallback")),
        kind="" if fields.get("kind") is None else _text("kind", fields["kind"], NAME_CHARACTERS_MAX),
    )


def _index(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise InvalidError(f"index: expected an integer from 0 on, not {_short(value)}")


def _ttl_s(value: object) -> int | None:
    if value is None or (type(value) is int and 1 <= value <= TTL_MAX_S):
        return value
    raise InvalidError(f"ttl: expected whole seconds, 1 to {TTL_MAX_S}, not {_short(value)}")


def _subject(value: object) -> Subject:
    if value is None:
        return NOBODY
    fields = _fields(value, ("namespace", "name", "labels", "namespace_labels"), required=(), where="subject")
    said = {
        name: _text(f"subject.{name}", fields[name], LABEL_CHARACTERS_MAX)
        for name in ("namespace", "name")
        if fields.get(name) is not None
    }
    labels = {name: _labels(f"subject.{name}", fields.get(name)) for name in ("labels", "namespace_labels")}
    return Subject(**said, **labels)  # type: ignore[arg-type]  # two of text, two of labels


def _all_of(value: object, plain: Want) -> tuple[Want, ...]:
    """One want for each of several particular addresses."""
    if not isinstance(value, list) or not 0 < len(value) <= ADDRESSES_MAX:
        raise InvalidError(f"addresses: expected a list of 1 to {ADDRESSES_MAX} addresses")
    found = [_address("addresses", one) for one in value]
    if len(set(found)) < len(found):
        raise InvalidError("addresses: one is there twice")
    return tuple(_exactly(one, plain) for one in found)


def _exactly(block: tuple[Family, int], want: Want) -> Want:
    """A want for one particular address, or for the block of its length that starts there."""
    found, address = block
    length = want.prefix_length
    if want.family not in {None, found}:
        raise InvalidError(f"family: the address is an IPv{found} address")
    if length is not None and length > found.bits:
        raise InvalidError(f"prefix_length: expected 0 to {found.bits}, not {length}")
    size = 1 << (found.bits - length) if length is not None else 1
    if address % size:
        meant = format_address(found, address - address % size)
        raise InvalidError(f"address: no /{length} starts there; the one around it starts at {meant}")
    return replace(want, family=found, within=(Range(address, address + size),))


def _fields(
    document: object, known: Sequence[str], required: Sequence[str], where: str = "the body"
) -> dict[str, object]:
    if not isinstance(document, dict):
        raise InvalidError(f"{where}: expected an object, not {_short(document)}")
    for name in document:
        if name not in known:
            raise InvalidError(f"{_short(name)}: unknown field; there are {', '.join(known)}")
    for name in required:
        if name not in document:
            raise InvalidError(f"{name}: missing")
    return document


def _text(field: str, value: object, characters_max: int) -> str:
    if not isinstance(value, str):
        raise InvalidError(f"{field}: expected a string, not {_short(value)}")
    if not 0 < len(value) <= characters_max:
        raise InvalidError(f"{field}: expected 1 to {characters_max} characters, not {len(value)}")
    if any(ord(one) < ord(" ") or "\x7f" <= one <= "\x9f" or "\ud800" <= one <= "\udfff" for one in value):
        raise InvalidError(f"{field}: control characters and lone surrogates are not allowed")
    return value


def _key(value: object) -> str:
    key = _text("key", value, KEY_BYTES_MAX)
    if len(key.encode()) > KEY_BYTES_MAX:
        raise InvalidError(f"key: expected at most {KEY_BYTES_MAX} bytes of UTF-8, not {len(key.encode())}")
    return key


def _boolean(field: str, value: object) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidError(f"{field}: expected true or false, not {_short(value)}")
    return value


def _length(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= Family.V6.bits:
        raise InvalidError(
            f"prefix_length: expected an integer of 0 to {Family.V6.bits}, not {_short(value)}"
        )
    return value


def _address(field: str, value: object) -> tuple[Family, int]:
    try:
        return parse_address(_text(field, value, ADDRESS_CHARACTERS_MAX))
    except InvalidError:
        raise
    except ValueError as error:
        raise InvalidError(f"{field}: {error}") from None


def _labels(field: str, value: object) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or len(value) > LABELS_MAX:
        raise InvalidError(f"{field}: expected an object of at most {LABELS_MAX} strings")
    pairs = ((_text(field, name, LABEL_CHARACTERS_MAX), text) for name, text in value.items())
    return tuple(
        sorted(
            (name, "" if text == "" else _text(f"{field}.{name}", text, LABEL_CHARACTERS_MAX))
            for name, text in pairs
        )
    )


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidError(f"{_short(name)}: given twice")
        fields[name] = value
    return fields


def _no_constants(name: str) -> object:
    raise InvalidError(f"the body is not JSON: {name} is no JSON number")


def _short(value: object) -> str:
    """A value as JSON, cut to fit a sentence."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - a sentence's worth
