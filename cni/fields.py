"""
Values out of a network configuration, checked; errors say where in the document they stand.

A key whose value is null, or an empty string or list, counts as absent, as in Go's decoder.
Does not know what any key means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from cni.codes import CniError, Code
from ring.address import Family, Range, parse_address

_LENGTHS = tuple(map(str, range(Family.V6.bits + 1)))
"""Prefix lengths as text."""

Document = Mapping[str, Any]
"""An object of JSON, with anything in it."""


def wrong(where: str, expected: str) -> NoReturn:
    """
    Never returns.

    Raises:
        CniError: code 7; what stands at `where` is not what was expected.
    """
    raise CniError(Code.BAD_CONFIG, f"{where}: {expected}", "correct the network configuration")


def an_object(document: Document, key: str, where: str) -> Document:
    """The object under a key, an empty one if it is absent."""
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong(where, "expected an object")
    return value


def a_list(document: Document, key: str, where: str) -> list[Any]:
    """The list under a key, an empty one if it is absent."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        wrong(where, "expected a list")
    return value


def objects(document: Document, key: str, where: str) -> list[Document]:
    """The list of objects under a key, an empty one if it is absent."""
    value = a_list(document, key, where)
    if not all(isinstance(one, dict) for one in value):
        wrong(where, "expected a list of objects")
    return value


def a_text(document: Document, key: str, where: str) -> str:
    """The string under a key, an empty one if it is absent."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        wrong(where, "expected a string")
    return value


def texts(document: Document, key: str, where: str) -> tuple[str, ...]:
    """The list of strings under a key, an empty one if it is absent."""
    value = a_list(document, key, where)
    if not all(isinstance(one, str) and one for one in value):
        wrong(where, "expected a list of strings, none of them empty")
    return tuple(value)


def address_of(text: str, where: str) -> tuple[Family, int]:
    """The family and value of an address as text."""
    try:
        return parse_address(text)
    except ValueError as error:
        wrong(where, str(error))


def an_address(document: Document, key: str, where: str) -> tuple[Family, int] | None:
    """The address under a key, None if it is absent."""
    text = a_text(document, key, where)
    return address_of(text, where) if text else None


def interface_of(text: str, where: str) -> tuple[Family, int, int]:
    """The family, address and prefix length of `ADDRESS/LENGTH`, whose host bits may be set."""
    head, _, length = text.partition("/")
    family, address = address_of(head, where)
    if length not in _LENGTHS[: family.bits + 1]:
        wrong(where, f"{text!r} is not ADDRESS/LENGTH, length 0 to {family.bits}")
    return family, address, int(length)


def subnet_of(text: str, where: str) -> tuple[Family, Range, int]:
    """The family, addresses and prefix length of a CIDR without host bits."""
    family, address, length = interface_of(text, where)
    size = 1 << (family.bits - length)
    if address % size:
        wrong(where, f"{text!r} has host bits set")
    return family, Range(address, address + size), length
