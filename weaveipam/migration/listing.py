"""
A plain list of addresses in use: one a line, maybe with the key that has it.

Does not know where it came from.
"""

from __future__ import annotations

from ring.address import Family, format_address, parse_address
from weaveipam.migration.entries import Entry, Fault, Findings, short

PREFIX = "imported/"
"""What the keys of addresses start with that have none of their own."""

_FIELDS_MAX = 2
_LENGTHS = tuple(map(str, range(Family.V6.bits + 1)))


def read_list(text: bytes, name: str) -> Findings:
    """
    The addresses of a list; what stands behind a `#` and empty lines are left out.

    A line is `ADDRESS` or `ADDRESS KEY`, with blanks or tabs between; a prefix length behind the address is
    left out.  Lines of one key add up.

    Args:
        text: In UTF-8.
        name: Of the file, for messages.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        where = f"{name}:{number}"
        try:
            fields = line.decode().partition("#")[0].split()
            if fields:
                entries.append(_entry(where, fields))
        except UnicodeDecodeError as error:
            faults.append(Fault(where, f"byte {error.start} of the line is not UTF-8"))
        except ValueError as error:
            faults.append(Fault(where, str(error)))
    return Findings(tuple(entries), tuple(faults))


def _entry(where: str, fields: list[str]) -> Entry:
    if len(fields) > _FIELDS_MAX:
        raise ValueError(f"expected an address and maybe a key, found {len(fields)} words")
    address = read_address(fields[0])
    return Entry(where, address, fields[1] if fields[1:] else PREFIX + format_address(*address))


def read_address(text: str) -> tuple[Family, int]:
    """
    An address, whether or not a prefix length stands behind it.

    Raises:
        ValueError: it is none; repeats no more of it than fits a sentence.
    """
    head, slash, length = text.partition("/")
    try:
        family, address = parse_address(head)
    except ValueError:
        raise ValueError(f"{short(text)} is no address") from None
    if slash and length not in _LENGTHS[: family.bits + 1]:
        raise ValueError(f"{short(text)} has no prefix length behind the slash")
    return family, address
