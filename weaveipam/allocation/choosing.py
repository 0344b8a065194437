"""
Which pools may serve a request, and in which order they are tried.

Pools that a request names serve whoever names them.  Where it names none those do that select who asks: by
the labels of the node, of the namespace and of the pod.
Does not know what is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from weaveipam.allocation.pools import Pools
from weaveipam.protocol.requests import Allocate, Reason, Refusal, Subject, Want
from weaveipam.protocol.selectors import Selector, parse_selector
from weaveipam.protocol.values import Pool

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""By which Kubernetes' namespaces are selected by name; every namespace has it here."""
POD_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
POD_NAME_LABEL = "io.kubernetes.pod.name"
"""By which Cilium's pools select pods of a namespace, or one of them; every pod has them here."""

_parsed = lru_cache(4096)(parse_selector)


def candidates(
    request: Allocate, want: Want, pools: Pools, node_labels: Mapping[str, str] | None
) -> tuple[str, ...] | Refusal:
    """
    The names of the pools that may serve a want, in the order in which they are tried; or why none may.

    Args:
        request: Of which it is a want.
        want: One of them.
        pools: All there are.
        node_labels: Of this node; None: whoever a pool selects, as who asks has been chosen for before.
    """
    names = pools.names(request.network)
    for name in want.pools:
        if name not in names:
            detail = f"network {request.network} has no pool {name}; its pools are: {_listed(names)}"
            return Refusal(Reason.NO_SUCH_POOL, detail)
    if want.pools and not want.fallback:
        return want.pools
    chosen: tuple[str, ...] | Refusal
    if want.selector and not want.pools:
        chosen = _labelled(request.network, want.selector, pools)
    elif node_labels is None or _names_addresses(want):
        chosen = names
    else:
        chosen = _selecting(request, pools, node_labels)
    if want.pools:
        others = () if isinstance(chosen, Refusal) else chosen
        return (*want.pools, *(name for name in others if name not in want.pools))
    return chosen


def _names_addresses(want: Want) -> bool:
    """Whether a want says so exactly what it wants that it names the pool as well."""
    return len(want.within) == 1 and want.within[0].size == 1


def _labelled(network: str, text: str, pools: Pools) -> tuple[str, ...] | Refusal:
    try:
        selector = _parsed(text)
    except ValueError as error:
        return Refusal(Reason.INVALID, f"selector: {error}")
    found = tuple(name for name in pools.names(network) if selector.matches(dict(pools[name].labels)))
    if found:
        return found
    labels = (f"{name} ({_shown(pools[name].labels)})" for name in pools.names(network))
    detail = f"no pool of network {network} has labels {selector}; there are: {_listed(labels)}"
    return Refusal(Reason.NO_SUCH_POOL, detail)


def _selecting(request: Allocate, pools: Pools, node_labels: Mapping[str, str]) -> tuple[str, ...] | Refusal:
    """Those that select who asks; the ones that do not serve everybody come first."""
    told = _told(request.subject, node_labels)
    reasons: dict[str, str] = {}
    found: list[tuple[bool, str]] = []
    for name in pools.names(request.network):
        pool = pools[name]
        why = _why_not(pool, told)
        if why:
            reasons[name] = why
        else:
            found.append((not any(_selectors(pool)), name))
    if found:
        return tuple(name for _, name in sorted(found))
    whys = (f"{name} {why}" for name, why in reasons.items())
    detail = (
        f"no pool of network {request.network} serves this request: {_listed(whys)}; name one, or add one"
    )
    return Refusal(Reason.NO_SUCH_POOL, detail)


def _selectors(pool: Pool) -> tuple[str, str, str]:
    return pool.node_selector, pool.namespace_selector, pool.pod_selector


def _told(subject: Subject, node_labels: Mapping[str, str]) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """What is known of node, namespace and pod, in the order of a pool's selectors."""
    namespace = dict(subject.namespace_labels)
    pod = dict(subject.labels)
    if subject.namespace:
        namespace.setdefault(NAMESPACE_LABEL, subject.namespace)
        pod.setdefault(POD_NAMESPACE_LABEL, subject.namespace)
    if subject.name:
        pod.setdefault(POD_NAME_LABEL, subject.name)
    return (("node", node_labels), ("namespace", namespace), ("pod", pod))


def _why_not(pool: Pool, told: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    """Why a pool does not select who asks, as the end of a sentence; empty if it does."""
    if pool.manual:
        return "must be named"
    for text, (what, labels) in zip(_selectors(pool), told, strict=True):
        if text and not _selects(text, labels):
            known = {one.key: labels[one.key] for one in _parsed(text).requirements if one.key in labels}
            return f"wants a {what} with {text} (this one has {_shown(sorted(known.items()))})"
    return ""


def _selects(text: str, labels: Mapping[str, str]) -> bool:
    """What no daemon here can read selects nobody: a later release's grammar, perhaps."""
    selector: Selector
    try:
        selector = _parsed(text)
    except ValueError:
        return False
    return selector.matches(labels)


def _shown(labels: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels) or "none"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
