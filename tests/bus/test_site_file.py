"""site.json: written whole, private, and refused in words when broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from perishield.bus.site_file import read_site, write_site
from perishield.model.errors import ConfigError
from perishield.model.site import Analysis, Camera, Site


def test_a_site_comes_back_as_it_was(tmp_path: Path) -> None:
    camera = Camera(id="gate", name="大门", url="rtsp://host/1", password="s3cret", analysis=Analysis(fps=5))
    site = Site(revision=4, cameras=(camera,), rules=({"kind": "tripwire", "line": [[0.1, 0.2], [0.3, 0.4]]},))
    path = tmp_path / "data" / "site.json"
    write_site(path, site)
    assert read_site(path) == site
    assert path.stat().st_mode & 0o077 == 0
    assert "s3cret" not in repr(site)


def test_none_before_the_first(tmp_path: Path) -> None:
    assert read_site(tmp_path / "site.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"revision": "x", "cameras": []}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"site\.json"):
        read_site(path)
