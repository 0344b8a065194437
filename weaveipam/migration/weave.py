"""
What Weave Net has given out: from its store, or from what its daemon tells.

Four things are told apart: the store `weave-netdata.db`; the JSON of `GET /ip`, which has whole container
ids; the JSON of `weave report`, which tells the range and no addresses in use; the lines of `weave ps`.
Source: `db/boltdb.go`, `ipam/allocator.go`, `ipam/ring/ring.go`, `ipam/http.go`, `ipam/status.go` and the
script `weave` of weaveworks/weave.
Does not know the file system, nor how keys are named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ring.address import Family, Range, format_range, parse_address, parse_range
from weaveipam.migration import bolt, gob
from weaveipam.migration.entries import Attachment, Entry, Fault, Findings, FormatError, short
from weaveipam.migration.listing import PREFIX, read_address

STORE_VERSION = 1
"""The first byte of the store's `version`; another one is another format."""

_OWNED, _RING, _PEER = b"ownedAddresses", b"ring", b"peername"
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)
_STATUS_LINE = re.compile(rb"\d+ IPs \(\s*[\d.]+% of total\)")


def read_weave(content: bytes, name: str) -> Findings:
    """
    The addresses that one daemon of Weave Net has given out, and the range that it has them from.

    Args:
        content: Any of the four.
        name: Of the file, for messages.

    Raises:
        FormatError: none of the four, or one that is spoiled.
    """
    try:
        if b"\0" in content[: bolt.PAGE_BYTES_MIN]:
            return _read_store(content, name)
        if content.lstrip()[:1] == b"{":
            return _read_json(content, name)
        return _read_lines(content, name)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: {error}") from None


def _read_store(content: bytes, name: str) -> Findings:
    stored = bolt.read_bucket(content, b"top")
    version = stored.get(b"version", b"")
    if version[:1] != bytes([STORE_VERSION]):
        raise FormatError(f"its version is {version.hex() or 'missing'}, and only {STORE_VERSION} is known")
    values = {key: gob.decode(stored[key]) for key in (_OWNED, _RING, _PEER) if key in stored}
    entries = tuple(
        Entry(f"{name}: {short(str(ident))}", (Family.V4, _address(cidr)), _holder(str(ident)))
        for ident, each in _fields(values.get(_OWNED)).items()
        for cidr in _listed(_fields(each).get("Cidrs"))
    )
    return Findings(entries, (), _ring_facts(_fields(values.get(_RING)), values.get(_PEER, 0)))


def _address(cidr: object) -> int:
    return _whole(_fields(cidr).get("Addr", 0), Family.V4.size)


def _ring_facts(ring: Mapping[Any, Any], peer: object) -> dict[str, str]:
    """What the ring in the store tells; an empty one tells nothing."""
    start, stop = (_whole(ring.get(one, 0), Family.V4.size + 1) for one in ("Start", "End"))
    owners = [_whole(_fields(one).get("Peer", 0), 1 << 64) for one in _listed(ring.get("Entries"))]
    if start >= stop or not owners:
        return {}
    mac = _whole(peer, 1 << 64).to_bytes(8, "big")[2:].hex(":")
    return {"peer": mac, "peers": str(len(set(owners))), **_range_facts(Range(start, stop))}


def _range_facts(what: Range) -> dict[str, str]:
    text = format_range(Family.V4, what)
    return {"range": text, "pool_option": f"--pool pods={text}"}


def _read_json(content: bytes, name: str) -> Findings:
    """`GET /ip`, or `weave report`."""
    document = _fields(json.loads(content))
    if isinstance(document.get("IPAM"), dict):
        return Findings((), (), _report_facts(document["IPAM"]))
    if "owned" not in document:
        raise FormatError("expected what GET /ip or `weave report` answers: a field owned, or IPAM")
    found: list[tuple[str, Attachment | str, str]] = []
    for one in map(_fields, _listed(document["owned"])):
        ident = _text(one.get("containerid"))
        where, holder = f"{name}: {short(ident)}", _holder(ident)
        found += [(where, holder, _text(text)) for text in _listed(one.get("addrs"))]
    return _read_texts(found)


def _report_facts(ipam: Mapping[Any, Any]) -> dict[str, str]:
    family, what = parse_range(_text(ipam.get("Range")))
    if family is not Family.V4:
        raise FormatError("Weave Net has no IPv6")
    peers = {_text(_fields(one).get("Peer")) for one in _listed(ipam.get("Entries"))}
    return {"peers": str(len(peers)), **_range_facts(what)}


def _read_lines(content: bytes, name: str) -> Findings:
    """
    `weave ps`: an id, a hardware address, and maybe addresses in each line.

    As the ids are cut, they are no keys of attachments: the deletion of such a container does not find them.
    """
    if _STATUS_LINE.search(content):
        raise FormatError(
            "`weave status ipam` counts addresses and does not say which; take weave-netdata.db, or the "
            "answer of curl http://127.0.0.1:6784/ip"
        )
    found: list[tuple[str, Attachment | str, str]] = []
    for number, line in enumerate(content.decode(errors="backslashreplace").splitlines(), 1):
        fields = line.split()
        if fields and not (fields[1:] and _MAC.fullmatch(fields[1])):
            raise FormatError(
                f"line {number}: expected one of `weave ps`, with an id, a hardware address, and addresses; "
                "or else weave-netdata.db, or the answer of GET /ip"
            )
        found += [(f"{name}:{number}", PREFIX + fields[0], text) for text in fields[2:]]
    return _read_texts(found)


def _read_texts(found: Iterable[tuple[str, Attachment | str, str]]) -> Findings:
    entries: list[Entry] = []
    faults: list[Fault] = []
    for where, holder, text in found:
        try:
            entries.append(Entry(where, read_address(text), holder))
        except ValueError as error:
            faults.append(Fault(where, str(error)))
    return Findings(tuple(entries), tuple(faults))


def _holder(ident: str) -> Attachment | str:
    """
    Who an identifier stands for.

    Weave Net keeps the bridge's own address under `weave:expose`, and those that it found in use when it
    started under the address; all else are ids of containers, of which it does not know the interface.
    """
    try:
        parse_address(ident)
    except ValueError:
        return PREFIX + ident if ":" in ident else Attachment(ident)
    return PREFIX + ident


def _fields(value: object) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError(f"a {type(value).__name__} where names and values were expected")
    return value


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FormatError(f"a {type(value).__name__} where a list was expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError(f"a {type(value).__name__} where a text was expected")
    return value


def _whole(value: object, stop: int) -> int:
    if type(value) is not int or not 0 <= value < stop:
        raise FormatError(f"{short(str(value))} where a number below {stop} was expected")
    return value
