"""Storage settings: what is told becomes a plan, mistakes are named, keys never show."""

from __future__ import annotations

from pathlib import Path

import pytest

from perishield.model.errors import ConfigError
from perishield.model.storage import TargetKind, Tier
from perishield.settings import load
from perishield.settings_storage import storage_plan

GOOD = """
[ingest]
recordings_days = 9
[storage]
hot_days = 7
copies = 1
window = "22:30-05:00"
max_mib_per_s = 2
upload_key = "file:{folder}/upload"
[[storage.targets]]
name = "nas"
kind = "nas"
tier = "warm"
path = "/mnt/nas"
[[storage.targets]]
name = "cloud"
kind = "s3"
tier = "cold"
bucket = "footage"
endpoint = "https://oss-cn-hangzhou.aliyuncs.com"
path_style = false
access_key = "env:TEST_ACCESS"
secret_key = "env:TEST_SECRET"
cameras = ["gate"]
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERISHIELD_CONFIG", raising=False)


def write(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text.replace("{folder}", str(folder)))
    return path


def test_settings_become_a_plan_with_the_keys_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "upload").write_text("between-nodes\n")
    monkeypatch.setenv("TEST_ACCESS", "AKID")
    monkeypatch.setenv("TEST_SECRET", "hush-hush")
    settings = load(write(tmp_path, GOOD))
    plan = storage_plan(settings.storage)
    assert plan.window == (22 * 60 + 30, 5 * 60)
    assert plan.max_bytes_s == 2 << 20
    assert plan.upload_key == "between-nodes"
    nas, cloud = plan.targets
    assert (nas.kind, nas.tier, nas.place) == (TargetKind.NAS, Tier.WARM, "/mnt/nas")
    assert (cloud.access_key, cloud.secret_key, cloud.path_style) == ("AKID", "hush-hush", False)
    assert cloud.cameras == ("gate",)


def test_keys_show_in_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "upload").write_text("between-nodes\n")
    monkeypatch.setenv("TEST_ACCESS", "AKID")
    monkeypatch.setenv("TEST_SECRET", "hush-hush")
    settings = load(write(tmp_path, GOOD.replace("env:TEST_SECRET", "written-down")))
    for text in (repr(settings), str(settings), repr(storage_plan(settings.storage))):
        assert "hush-hush" not in text
        assert "written-down" not in text
        assert "between-nodes" not in text


TARGET = "[[storage.targets]]\nname = 'a'\ntier = 'hot'\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{TARGET}kind = 's3'\n", "'s3' needs 'bucket'"),
        (f"{TARGET}kind = 'nas'\n", "'nas' needs 'path'"),
        (f"{TARGET}kind = 'nas'\npath = 'mnt'\n", "begins at the root"),
        (f"{TARGET}kind = 'nas'\npath = '/mnt'\nbucket = 'x'\n", "'nas' takes no 'bucket'"),
        (f"{TARGET}kind = 'nvr_http'\nurl = 'https://n'\n", "needs 'key'"),
        (f"{TARGET}kind = 'nvr_http'\nurl = 'https://u:p@n'\nkey='k'\n", "without user, password"),
        (f"{TARGET}kind = 's3'\nbucket = 'b'\naccess_key = 'k'\n", "go together"),
        (f"{TARGET}kind = 's3'\nbucket = 'b'\nacces_key = 'k'\n", "did you mean 'access_key'"),
        (f"{TARGET}kind = 'tape'\n", r"storage.targets.0.kind"),
        (f"{TARGET}kind = 'nas'\npath = '/m'\n{TARGET}kind = 'nas'\npath = '/n'\n", "two targets are called 'a'"),
        ("[[storage.targets]]\nname = 'local'\nkind = 'nas'\ntier = 'hot'\npath = '/m'\n", "is not 'local'"),
        ("[[storage.targets]]\nname = 'A/b'\nkind = 'nas'\ntier = 'hot'\npath = '/m'\n", "lower-case letters"),
        ("[storage]\nwindow = '25:00-05:00'\n", "span of the day"),
        ("[storage]\nhot_day = 3\n", "did you mean 'hot_days'"),
        (f"{TARGET.replace('hot', 'warm')}kind = 'nas'\npath = '/mnt'\n", "before footage could be moved"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("key", "says"),
    [("env:NOBODY_SET_THIS", "NOBODY_SET_THIS is not set"), ("file:/nowhere/key", "cannot be read")],
)
def test_a_key_that_is_not_there_is_named(tmp_path: Path, key: str, says: str) -> None:
    text = f"{TARGET}kind = 's3'\nbucket = 'b'\naccess_key = 'k'\nsecret_key = '{key}'\n"
    settings = load(write(tmp_path, text))
    with pytest.raises(ConfigError, match=says):
        storage_plan(settings.storage)
