"""What the API tells whoever has logged in."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class UserOut(TypedDict):
    """`actions`: what the role allows, at some camera at least; `everywhere`: at all of them. `totp_enrolment`: nothing
    before a second factor."""

    id: str
    username: str
    full_name: str
    role: str
    actions: list[str]
    everywhere: list[str]
    all_cameras: bool
    totp_enrolment: bool


class SessionOut(TypedDict):
    """`refresh_token` is missing where a cookie holds it. `session_s`: seconds for which it can be renewed unused."""

    access_token: str
    refresh_token: NotRequired[str]
    token_type: str
    expires_in: int
    session_s: int
    user: UserOut
