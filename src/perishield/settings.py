"""One tree of settings, from `perishield.toml` and the environment (`PERISHIELD_SERVER__PORT=9000`).

Every key is documented in the annotated default file beside this module; a test keeps the two together. Lean processes
get theirs as plain data from the supervisor and never import this.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from perishield.model.device_reach import check_allowed
from perishield.model.errors import ConfigError
from perishield.settings_people import AccountsSettings, OidcSettings
from perishield.settings_storage import StorageSettings, StorageTargetSettings, secret_of

DEFAULT_FILE = Path(__file__).with_name("perishield.toml")
ENVIRONMENT = "PERISHIELD_"

Role = Literal["ingest", "vision", "server"]
ROLES: tuple[Role, ...] = get_args(Role)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Data(_Section):
    dir: Path = Path("data")


class Node(_Section):
    roles: tuple[Role, ...] = ROLES

    @field_validator("roles")
    @classmethod
    def _some_role(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        if not roles:
            raise ValueError("name at least one role")
        return roles


class Server(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8480, ge=0, le=65535)
    public_url: str = ""
    token_minutes: int = Field(default=720, ge=5, le=43200)
    requests_per_s: float = Field(default=100, ge=0, le=100_000)
    cors_origins: tuple[str, ...] = ()

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
                raise ValueError("each is an origin like https://portal.example.org, without a path; * is not one")
        return origins


class Ingest(_Section):
    segment_s: float = Field(default=10.0, ge=1, le=3600)
    chunk_s: float = Field(default=1.0, ge=0.1, le=1.0)
    low_delay_chunk_s: float = Field(default=0.2, ge=0.02, le=1.0)
    chunk_kib: int = Field(default=256, ge=4, le=4096)
    pool_minutes: float = Field(default=30, gt=0, le=10080)
    recordings_days: float = Field(default=7, gt=0, le=3650)
    recordings_gib: float = Field(default=0, ge=0)
    min_free_mib: int = Field(default=1024, ge=0)
    when_full: Literal["overwrite", "stop"] = "overwrite"
    queue_mib: int = Field(default=32, ge=2, le=4096)
    sync_s: float = Field(default=0.2, ge=0.05, le=30)
    file_root: Path | None = None


class Vision(_Section):
    detector: str = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    decoder: str = Field(default="", pattern=r"^[a-z0-9]*$")
    decoders: int = Field(default=0, ge=0, le=64)
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = "auto"
    gpu_mem_mib: int = Field(default=2048, ge=128, le=1_048_576)
    pieces: int = Field(default=2, ge=0, le=16)

    def threads_on(self, cores: int) -> int:
        """How many threads infer on a machine with so many cores."""
        return self.threads or min(cores, max(2, cores - 1))


class Alarms(_Section):
    clip_pre_s: float = Field(default=5, ge=0, le=300)
    clip_post_s: float = Field(default=5, ge=0, le=300)
    group_s: float = Field(default=60, ge=0, le=3600)
    group_longest_s: float = Field(default=900, ge=0, le=86400)
    neighbours: tuple[tuple[str, ...], ...] = Field(default=(), max_length=1000)
    near_m: float = Field(default=5, ge=0, le=10_000)
    keep_days: float = Field(default=183, gt=0, le=36_500)
    site_name: str = Field(default="", max_length=200)
    masked_video: bool = True


class Security(_Section):
    device_addresses: tuple[str, ...] = Field(default=(), max_length=1000)

    @field_validator("device_addresses")
    @classmethod
    def _doors(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            try:
                check_allowed(entry)
            except ValueError as error:
                raise ValueError(f"{entry!r} is no address, network or address:port ({error})") from None
        return entries


class Tracks(_Section):
    keep_days: float = Field(default=30, gt=0, le=3650)


class Playback(_Section):
    export_hours: float = Field(default=72, gt=0, le=87600)
    export_gib: float = Field(default=50, gt=0)
    masked_minutes: float = Field(default=60, ge=0, le=10_080)
    sprites_mib: int = Field(default=512, ge=1)
    picture_decoder: str = Field(default="", pattern=r"^[a-z0-9]*$")


class Live(_Section):
    rtsp_port: int = Field(default=8554, ge=0, le=65535)
    most_viewers: int = Field(default=64, ge=1, le=1000)
    webrtc_peers: int = Field(default=16, ge=0, le=256)
    ice_servers: tuple[str, ...] = ()
    transcode_h265: bool = False
    masked: bool = False

    @field_validator("ice_servers")
    @classmethod
    def _addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            if not re.fullmatch(r"stun:[^@\s]+|turn:[^:\s]+:[^\s]*@[^@\s]+", server):
                # Never the text itself: it may hold a password.
                raise ValueError("each is stun:host:port or turn:user:password@host:port")
        return servers


class Database(_Section):
    url: str = ""
    secret_keys: SecretStr = SecretStr("")

    def keys(self) -> str:
        """What seals secrets, as `store.sealing.Keyring` takes it; empty: a file. Raises ConfigError."""
        return secret_of(self.secret_keys, "[database] secret_keys", "database")


class Logging(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Demo(_Section):
    enabled: bool = True
    rtsp_port: int = Field(default=8655, ge=0, le=65535)


class Settings(BaseSettings):
    """The whole tree. Use `load`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        env_prefix=ENVIRONMENT,
        env_nested_delimiter="__",
    )

    data: Data = Data()
    node: Node = Node()
    server: Server = Server()
    ingest: Ingest = Ingest()
    vision: Vision = Vision()
    alarms: Alarms = Alarms()
    tracks: Tracks = Tracks()
    playback: Playback = Playback()
    live: Live = Live()
    database: Database = Database()
    log: Logging = Logging()
    demo: Demo = Demo()
    security: Security = Security()
    storage: StorageSettings = StorageSettings()
    accounts: AccountsSettings = AccountsSettings()
    oidc: OidcSettings = OidcSettings()

    @model_validator(mode="after")
    def _in_keeping(self) -> Self:
        self.storage.check_against(self.ingest.recordings_days)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings

    @property
    def media_dir(self) -> Path:
        return self.data.dir / "media"

    @property
    def models_dir(self) -> Path:
        return self.data.dir / "models"

    @property
    def run_dir(self) -> Path:
        return self.data.dir / "run"


def load(path: Path | None = None) -> Settings:
    """Settings from `path`, else `$PERISHIELD_CONFIG`, else ./perishield.toml where there is one.

    Raises ConfigError that names the file or variable, the key and what was expected.
    """
    named = path or (Path(os.environ["PERISHIELD_CONFIG"]) if os.environ.get("PERISHIELD_CONFIG") else None)
    file = named or Path("perishield.toml")
    tree: dict[str, Any] = {}
    if named is not None or file.exists():
        tree = _read(file)
    _check_environment()
    try:
        return Settings(**tree)
    except ValidationError as error:
        raise _explain(error, file.name, tree) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: no such file; copy the annotated default that `perishield config` prints",
            code="config_unreadable",
        ) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}", code="config_unreadable") from error


def _check_environment() -> None:
    """A misspelt section in a variable's name would otherwise be overlooked in silence."""
    for name in os.environ:
        if name.startswith(ENVIRONMENT) and "__" in name:
            section = name.removeprefix(ENVIRONMENT).split("__")[0].lower()
            if section not in Settings.model_fields:
                raise ConfigError(
                    f"environment variable {name}: there is no section {section!r}"
                    f"{_guess(section, list(Settings.model_fields))}",
                    code="config_unknown_key",
                    key=section,
                )


def _explain(error: ValidationError, file: str, tree: dict[str, Any]) -> ConfigError:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    variable = ENVIRONMENT + "__".join(path).upper()
    place = f"{file}: key {key!r}" if key else file
    if variable in os.environ:
        place = f"environment variable {variable}"
    if first["type"] == "extra_forbidden":
        known = list(Settings.model_fields)
        if len(path) > 1:
            section: Any = Settings.model_fields[path[0]].annotation
            known = list(section.model_fields)
            if path[:2] == ["storage", "targets"]:
                known = list(StorageTargetSettings.model_fields)
        return ConfigError(
            f"{place} is unknown{_guess(path[-1], known)}; `perishield config` prints every key",
            code="config_unknown_key",
            key=key,
        )
    return ConfigError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}", code="config_invalid", key=key)


def _guess(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"
