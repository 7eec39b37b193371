"""Settings: the annotated default is complete, and mistakes are named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from perishield.model.errors import ConfigError
from perishield.settings import DEFAULT_FILE, Settings, load


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERISHIELD_CONFIG", raising=False)


def keys(model: type[BaseModel], prefix: str = "") -> list[tuple[str, Any]]:
    """Every leaf of the tree with its default."""
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += keys(kind, f"{name}.")
        else:
            found.append((prefix + name, field.default))
    return found


def test_the_default_file_names_every_key_with_its_default_and_a_comment() -> None:
    text = DEFAULT_FILE.read_text()
    lines = text.splitlines()
    tree = tomllib.loads(text)
    for path, declared in keys(Settings):
        default = declared.get_secret_value() if isinstance(declared, SecretStr) else declared
        section, name = path.split(".")
        if default is None:
            assert re.search(rf"(?m)^# {name} = ", text), f"{path} is not described"
            continue
        value = tree[section][name]
        assert (
            Path(value) if isinstance(default, Path) else tuple(value) if isinstance(default, tuple) else value
        ) == (default), path
        start = lines.index(f"[{section}]")
        at = next(i for i in range(start, len(lines)) if lines[i].startswith(f"{name} = "))
        commented = next(lines[i] for i in range(at - 1, start, -1) if not re.match(r"^[a-z_]+ = ", lines[i]))
        assert commented.startswith("# "), f"{path} has no comment"


def test_the_default_file_loads_as_the_defaults() -> None:
    assert load(DEFAULT_FILE) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "perishield.toml").write_text("[server]\nport = 9000\n[alarms]\nclip_pre_s = 2\n")
    monkeypatch.setenv("PERISHIELD_SERVER__PORT", "9001")
    settings = load()
    assert settings.server.port == 9001
    assert settings.alarms.clip_pre_s == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[vison]\n", r"'vison' is unknown; did you mean 'vision'"),
        ("[vision]\ndetecter = 'motion'\n", r"'vision.detecter' is unknown; did you mean 'detector'"),
        ("[server]\nport = 'eight'\n", r"'server.port': input should be a valid integer"),
        ("[server]\nport = 70000\n", r"'server.port'"),
        ("[node]\nroles = []\n", r"'node.roles'.*at least one role"),
        ("[node]\nroles = ['cook']\n", r"'node.roles.0'"),
        ("[server\n", r"cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        load(file)
    assert "site.toml" in str(error.value)


@pytest.mark.parametrize("name", ["PERISHIELD_SEVER__PORT", "PERISHIELD_SERVER__PROT"])
def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match=rf"{name}.*(did you mean)"):
        load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(("set_to", "cores", "threads"), [(0, 1, 1), (0, 2, 2), (0, 4, 3), (0, 16, 15), (3, 2, 3)])
def test_inference_leaves_a_core_alone_where_there_are_more_than_two(set_to: int, cores: int, threads: int) -> None:
    assert Settings.model_validate({"vision": {"threads": set_to}}).vision.threads_on(cores) == threads
