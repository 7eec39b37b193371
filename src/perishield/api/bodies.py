"""What the API takes in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from perishield.api.passwords import LONGEST, SHORTEST

_MOST_REVISION = 2**31
_CAMERA_ID = r"^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$"

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
]
Id = Annotated[str, StringConstraints(pattern=_CAMERA_ID)]
Username = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
]
NewPassword = Annotated[str, StringConstraints(min_length=SHORTEST, max_length=LONGEST), Field(repr=False)]
Revision = Annotated[int, Field(strict=True, ge=0, le=_MOST_REVISION)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
PointBody = tuple[Share, Share]


class LoginBody(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "admin", "password": "a long passphrase"}]})

    username: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]
    password: Annotated[str, StringConstraints(max_length=LONGEST)] = Field(repr=False)
    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=32)] = Field(default="", repr=False)
    """Of the second factor, or a recovery code; where none is sent and one is needed: 401 `totp_required`."""
    cookie: bool = False
    """Keep the refresh token in a cookie that scripts cannot read, as the console does."""


class SetupBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "from the printed link", "username": "admin", "password": "a long passphrase"}]
        }
    )

    token: Annotated[str, StringConstraints(max_length=200)] = Field(repr=False)
    username: Username
    password: NewPassword
    cookie: bool = False
