"""
The directory of a network that host-local keeps: one file for each address in use.

A file is named by its address and holds the container's id and, unless an old release wrote it, on a second
line the interface's name.  Colons of IPv6 addresses may be written as underscores.  `lock` and
`last_reserved_ip.N` are host-local's own notes.
Source: the plugin's store, `plugins/ipam/host-local/backend/disk`, of containernetworking/plugins.
Does not know the file system.
"""

from __future__ import annotations

from collections.abc import Iterable

from ring.address import parse_address
from weaveipam.migration.entries import Attachment, Entry, Fault, Findings, short

FILE_BYTES_MAX = 4096
"""More than a container's id and an interface's name can have."""

_LINES = (1, 2)


def is_note(name: str) -> bool:
    """Whether a file is one of host-local's own notes, and of no address."""
    return name in {"lock", "last_reserved_ip"} or name.startswith("last_reserved_ip.")


def read_directory(files: Iterable[tuple[str, str, bytes]]) -> Findings:
    """
    The addresses of a directory.

    Args:
        files: Of each its name, where it is for messages, and the first `FILE_BYTES_MAX` + 1 bytes of it.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    for name, where, content in sorted(files):
        if is_note(name):
            continue
        try:
            entries.append(_entry(name, where, content))
        except ValueError as error:
            faults.append(Fault(where, str(error)))
    return Findings(tuple(entries), tuple(faults))


def _entry(name: str, where: str, content: bytes) -> Entry:
    try:
        address = parse_address(name.replace("_", ":"))
    except ValueError:
        raise ValueError(f"the file's name, {short(name)}, is no address") from None
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"more than {FILE_BYTES_MAX} bytes; host-local writes an id and an interface's name")
    try:
        lines = [line.strip() for line in content.decode("ascii").split("\n")]
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not ASCII") from None
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) not in _LINES or not lines[0]:
        raise ValueError(f"expected a container's id and an interface's name, found {len(lines)} lines")
    return Entry(where, address, Attachment(*lines))
