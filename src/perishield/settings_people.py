"""The settings of how people come in, and the plan that the server gets of them."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from perishield.model.people import AccountsPlan, OidcPlan
from perishield.settings_storage import secret_of


class AccountsSettings(BaseModel):
    """[accounts]"""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    registration: bool = False
    default_role: str = Field(default="viewer", pattern=r"^[a-z0-9]{1,16}$")
    access_minutes: float = Field(default=15, ge=1, le=60)
    longest_days: float = Field(default=30, ge=1, le=365)


class OidcSettings(BaseModel):
    """[oidc]"""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    issuer: str = ""
    client_id: str = ""
    client_secret: str = Field(default="", repr=False)
    name: str = Field(default="Single sign-on", max_length=100)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = Field(default="groups", max_length=100)
    roles: dict[str, str] = {}
    default_role: str = Field(default="", pattern=r"^[a-z0-9]{0,16}$")

    @field_validator("issuer")
    @classmethod
    def _address(cls, issuer: str) -> str:
        if issuer and not re.fullmatch(r"https://[^@\s?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?[^@\s?#]*", issuer):
            raise ValueError("is an address like https://id.example.org/realms/site")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("must contain 'openid'")
        return scopes


def accounts_plan(
    accounts: AccountsSettings, oidc: OidcSettings, *, idle_minutes: float, requests_per_s: float, cors: tuple[str, ...]
) -> AccountsPlan:
    """What the server process gets. Raises ConfigError where a secret cannot be found."""
    return AccountsPlan(
        registration=accounts.registration,
        default_role=accounts.default_role,
        access_minutes=accounts.access_minutes,
        idle_minutes=idle_minutes,
        longest_days=accounts.longest_days,
        requests_per_s=requests_per_s,
        cors_origins=cors,
        oidc=OidcPlan(
            issuer=oidc.issuer,
            client_id=oidc.client_id,
            client_secret=secret_of(SecretStr(oidc.client_secret), "[oidc] client_secret", "oidc"),
            name=oidc.name,
            scopes=oidc.scopes,
            groups_claim=oidc.groups_claim,
            roles=dict(oidc.roles),
            default_role=oidc.default_role,
        ),
    )
