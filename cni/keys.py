"""
The keys of attachments, for those who know of them from elsewhere than a runtime's call.

Does not know what keys hold.
"""

from __future__ import annotations

from cni.environ import CONTAINER_ID_MAX, IDENTIFIER, is_ifname
from cni.netconf import NAME_CHARACTERS_MAX, VERSIONS, Network

SHOWN_CHARACTERS_MAX = 80
"""Of a wrong name, in a message."""


def attachment_key(network: str, container_id: str, ifname: str) -> str:
    """
    The key by which the plugin knows an attachment.

    Raises:
        ValueError: no call could be about it, since the plugin would refuse one of the three names.
    """
    if not IDENTIFIER.fullmatch(network) or len(network) > NAME_CHARACTERS_MAX:
        raise ValueError(f"{_short(network)} is no name of a CNI network")
    if not IDENTIFIER.fullmatch(container_id) or len(container_id) > CONTAINER_ID_MAX:
        raise ValueError(f"{_short(container_id)} is no container id")
    if not is_ifname(ifname):
        raise ValueError(f"{_short(ifname)} is no interface name")
    return Network(network, VERSIONS[-1], {}).key(container_id, ifname)


def _short(text: str) -> str:
    return ascii(text[:SHOWN_CHARACTERS_MAX])
