"""The hook that builds the console at install, without the network: what it builds from, when, and how it fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "src" / "main.ts").write_text("start()")
    (tmp_path / "web" / "package.json").write_text("{}")
    return tmp_path


def initialize(hook: ModuleType, project: Path) -> None:
    class App:
        def display_info(self, *_words: str) -> None: ...

    build = hook.PerishieldBuild(str(project), {}, None, None, str(project / "dist"), "wheel", App())
    build.initialize("standard", {})


def test_a_change_of_content_or_name_is_noticed(hook: ModuleType, project: Path) -> None:
    web = project / "web"
    first = hook.sources_digest(web)
    (web / "src" / "main.ts").write_text("stop()")
    second = hook.sources_digest(web)
    (web / "src" / "main.ts").rename(web / "src" / "other.ts")
    assert len({first, second, hook.sources_digest(web)}) == 3


def test_what_does_not_go_into_the_console_is_left_out(hook: ModuleType, project: Path) -> None:
    web = project / "web"
    before = hook.sources_digest(web)
    for name in ("node_modules/vue", "tests"):
        (web / name).mkdir(parents=True)
        (web / name / "index.js").write_text("1")
    assert hook.sources_digest(web) == before


def test_an_unchanged_console_is_not_built_again(
    hook: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(hook.SKIP, raising=False)
    static = project / "src" / "perishield" / "static"
    static.mkdir(parents=True)
    (static / hook.STAMP).write_text(hook.sources_digest(project / "web"))

    def fail(*_arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(hook, "build_console", fail)
    initialize(hook, project)
    (project / "web" / "package.json").write_text('{"name": "console"}')
    with pytest.raises(AssertionError):
        initialize(hook, project)


def test_it_can_be_left_out(hook: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hook.SKIP, "1")
    initialize(hook, project)
    assert not (project / "src").exists()


def test_a_step_that_fails_is_named_with_the_way_out(
    hook: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; print('no such host'); sys.exit(7)"
    with pytest.raises(hook.ConsoleBuildError, match=r"npm ci failed with exit status 7.*PERISHIELD_SKIP_WEB=1"):
        hook.run(tmp_path, "npm ci", Path(sys.executable), "-c", program)
    assert "no such host" in capfd.readouterr().err


def test_the_lock_names_no_host_and_every_common_platform() -> None:
    lock = (ROOT / "web" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    for platform in ("linux-x64-gnu", "linux-arm64-gnu", "linux-x64-musl", "darwin-arm64", "win32-x64-msvc"):
        assert f"node_modules/@rolldown/binding-{platform}" in lock
        assert f"node_modules/lightningcss-{platform}" in lock
