"""Optimistic locking, one way for all: a resource's revision is its entity tag (RFC 9110, sections 8.8.3 and 13.1.1).

Whoever changes something names what they have seen in `If-Match`, or as `revision` in the body; if it is another by
now, the answer is 412 with the code `stale`, and the revision that it has.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from perishield.api.problems import ProblemError

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=64,
        description='The `ETag` of what was looked at, like `"3"`; `*`: whatever it is by now',
    ),
]
_TAG = re.compile(r'"([0-9]{1,18})"')


def tag(revision: int) -> str:
    """
    >>> tag(3)
    '"3"'
    """
    return f'"{revision}"'


def expected(match: str | None, told: int | None = None) -> int | None:
    """The revision that a change wants to find: of `If-Match`, else of its body; None: any.

    Raises ProblemError (422).
    """
    given = (match or "").strip()
    if not given:
        return told
    if given == "*":
        return None
    found = _TAG.fullmatch(given)
    if found is None:
        raise ProblemError(422, 'If-Match: is an ETag, like "3", or *', field="If-Match")
    if told is not None and told != int(found.group(1)):
        raise ProblemError(422, "revision: differs from that of If-Match", field="revision")
    return int(found.group(1))


def stale(kind: str, name: str, revision: int) -> ProblemError:
    """Somebody else was faster; `revision`: what it is by now."""
    return ProblemError(
        412, f"{kind} {name!r}: somebody else has changed it; load it again", code="stale", revision=revision
    )
