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
