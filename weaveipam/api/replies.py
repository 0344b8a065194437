"""
Answers as HTTP responses, and what the URLs of requests may carry.

Does not know which request an answer is for.
"""

from __future__ import annotations

import functools
import json

from aiohttp import web

from weaveipam.api.documents import answer_document
from weaveipam.api.schema import InvalidError
from weaveipam.protocol.requests import Answer, Refusal

RETRY_AFTER_S = 1
"""Told to clients with a 503: forming, syncing and overload pass in about that time."""
WAIT_S = 8.0
"""How long a change waits for all members if the request does not say."""
WAIT_S_MAX = 86_400.0

_PROBLEM_JSON = "application/problem+json"
as_json = functools.partial(web.json_response, dumps=functools.partial(json.dumps, sort_keys=True))


def reply(answer: Answer) -> web.Response:
    """The response that says an answer."""
    document = answer_document(answer)
    if isinstance(answer, Refusal):
        assert isinstance(document, dict)
        return problem_reply(document)
    return as_json(document)


def problem_reply(document: dict[str, object], headers: dict[str, str] | None = None) -> web.Response:
    """The response with a problem document."""
    status = document["status"]
    assert isinstance(status, int)
    if status == web.HTTPServiceUnavailable.status_code:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
    return as_json(document, status=status, headers=headers, content_type=_PROBLEM_JSON)


def seconds(text: str | None) -> float:
    """
    How long a request may wait, from its parameter `wait`.

    Raises:
        InvalidError: no number, or out of bounds.
    """
    try:
        wait_s = WAIT_S if text is None else float(text)
    except ValueError:
        raise InvalidError("wait: expected a number of seconds") from None
    if not 0 <= wait_s <= WAIT_S_MAX:
        raise InvalidError(f"wait: expected 0 to {WAIT_S_MAX:g} seconds")
    return wait_s


def parameters(request: web.Request, *known: str) -> dict[str, str]:
    """
    The parameters in the URL; each is one of those known, and is given once.

    Raises:
        InvalidError: names the one that is not.
    """
    asked: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            there_are = f"there are {', '.join(known)}" if known else "there is none here"
            raise InvalidError(f"{name}: unknown parameter; {there_are}")
        if name in asked:
            raise InvalidError(f"{name}: given twice")
        asked[name] = value
    return asked
