"""The settings of storage beyond the recorder's own disk, and the plan that the server gets of them.

A key is given as itself, as `env:NAME` (a variable of the environment) or as `file:/path` (its first line).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from perishield.model.errors import ConfigError
from perishield.model.storage import LOCAL, StoragePlan, StorageTarget, TargetKind, Tier

_MIB = 1 << 20
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_FIELDS = {
    "local": {"path"},
    "nas": {"path"},
    "s3": {"bucket", "endpoint", "region", "path_style", "prefix", "access_key", "secret_key", "ca_file"},
    "nvr_http": {"url", "prefix", "key", "ca_file"},
}
_NEEDED = {"local": ("path",), "nas": ("path",), "s3": ("bucket",), "nvr_http": ("url", "key")}
_SPECIFIC = {name for names in _FIELDS.values() for name in names}

Days = Annotated[float, Field(gt=0, le=36500)]


class StorageTargetSettings(BaseModel):
    """One `[[storage.targets]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["local", "nas", "s3", "nvr_http"]
    tier: Literal["hot", "warm", "cold"]
    path: str = ""
    url: str = ""
    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = True
    prefix: str = ""
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    key: SecretStr = SecretStr("")
    ca_file: str = ""
    cameras: tuple[str, ...] = ()
    verify: Literal["read", "answer"] = "read"
    timeout_s: float = Field(default=60, ge=1, le=3600)
    max_mib_per_s: float = Field(default=0, ge=0)

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not _NAME.fullmatch(name) or name == LOCAL:
            raise ValueError(f"a name has lower-case letters, digits, dash and underscore, and is not {LOCAL!r}")
        return name

    @field_validator("endpoint", "url")
    @classmethod
    def _addressed(cls, address: str) -> str:
        if address and not re.fullmatch(r"https?://[^/@\s?#]+(/[^@\s?#]*)?", address):
            raise ValueError("is an address like https://host:port, without user, password and query")
        return address

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        told = {name for name in self.model_fields_set & _SPECIFIC if name not in _FIELDS[self.kind]}
        if told:
            raise ValueError(f"kind {self.kind!r} takes no {min(told)!r}")
        for name in _NEEDED[self.kind]:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f"kind {self.kind!r} needs {name!r}")
        if self.kind in ("local", "nas") and not self.path.startswith("/"):
            raise ValueError("'path' begins at the root: /mnt/...")
        if bool(self.access_key.get_secret_value()) != bool(self.secret_key.get_secret_value()):
            raise ValueError("'access_key' and 'secret_key' go together")
        if not self.path_style and self.kind == "s3" and not self.endpoint and "." in self.bucket:
            raise ValueError("a bucket with dots in its name needs path_style = true")
        return self


class StorageSettings(BaseModel):
    """The section `[storage]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    targets: tuple[StorageTargetSettings, ...] = ()
    hot_days: Days = 7.0
    warm_days: Days = 30.0
    cold_days: Days = 90.0
    copies: int = Field(default=0, ge=0, le=100)
    window: str = ""
    max_mib_per_s: float = Field(default=0.0, ge=0)
    cache_mib: int = Field(default=64, ge=1, le=16384)
    upload_key: str = Field(default="", repr=False)
    upload_mib: int = Field(default=1024, ge=1, le=65536)

    @field_validator("window")
    @classmethod
    def _span(cls, window: str) -> str:
        if window and not _WINDOW.fullmatch(window):
            raise ValueError("is a span of the day like 01:00-05:30, or empty")
        return window

    @field_validator("targets")
    @classmethod
    def _distinct(cls, targets: tuple[StorageTargetSettings, ...]) -> tuple[StorageTargetSettings, ...]:
        names = [target.name for target in targets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two targets are called {name!r}")
        return targets

    def check_against(self, recordings_days: float) -> None:
        """Raise ValueError where the recorder would delete footage before it can be moved."""
        moves = any(target.tier != "hot" for target in self.targets)
        if moves and recordings_days < self.hot_days + 1:
            raise ValueError(
                f"storage.hot_days = {self.hot_days:g}: the recorder deletes after [ingest] recordings_days ="
                f" {recordings_days:g} days, before footage could be moved; set that to {self.hot_days + 1:g} or more"
            )


def storage_plan(settings: StorageSettings) -> StoragePlan:
    """Plain data with the keys read. Raises ConfigError for a variable or file that is missing."""
    window = None
    if found := _WINDOW.fullmatch(settings.window):
        first, second, third, fourth = map(int, found.groups())
        window = (first * 60 + second, third * 60 + fourth)
    return StoragePlan(
        targets=tuple(_target(target) for target in settings.targets),
        hot_days=settings.hot_days,
        warm_days=settings.warm_days,
        cold_days=settings.cold_days,
        copies=settings.copies,
        window=window,
        max_bytes_s=int(settings.max_mib_per_s * _MIB),
        cache_bytes=settings.cache_mib * _MIB,
        upload_key=secret_of(SecretStr(settings.upload_key), "[storage] upload_key"),
        upload_bytes=settings.upload_mib * _MIB,
    )


def _target(settings: StorageTargetSettings) -> StorageTarget:
    place = f"[[storage.targets]] {settings.name!r}"
    return StorageTarget(
        name=settings.name,
        kind=TargetKind(settings.kind),
        tier=Tier(settings.tier),
        path=settings.path,
        url=settings.url,
        bucket=settings.bucket,
        endpoint=settings.endpoint,
        region=settings.region,
        path_style=settings.path_style,
        prefix=settings.prefix,
        access_key=secret_of(settings.access_key, f"{place}: access_key"),
        secret_key=secret_of(settings.secret_key, f"{place}: secret_key"),
        key=secret_of(settings.key, f"{place}: key"),
        ca_file=settings.ca_file,
        cameras=settings.cameras,
        verify=settings.verify,
        timeout_s=settings.timeout_s,
        max_bytes_s=int(settings.max_mib_per_s * _MIB),
    )


def secret_of(given: SecretStr, place: str, key: str = "storage") -> str:
    """What was given, or what the variable or file holds that it names. Raises ConfigError."""
    value = given.get_secret_value()
    if value.startswith("env:"):
        name = value.removeprefix("env:")
        found = os.environ.get(name, "")
        if not found:
            raise ConfigError(f"{place}: environment variable {name} is not set", key=key)
        return found
    if value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{place}: {path} cannot be read: {error}", key=key) from error
        if not lines or not lines[0].strip():
            raise ConfigError(f"{place}: {path} is empty", key=key)
        return lines[0].strip()
    return value
