"""Copies in folders: whole or not at all, and never on the disk below a share that is gone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perishield.model.errors import StorageError
from perishield.model.storage import StorageTarget, TargetKind, Tier
from perishield.recording.storage.copier import LocalSource, copy_segment
from perishield.recording.storage.folder_target import MARK, FolderTarget, prepare_folder


def silent(size: int) -> None:
    """No pace."""


@pytest.fixture
def target(make_folder: Callable[..., StorageTarget]) -> FolderTarget:
    return FolderTarget(make_folder())


async def test_a_copy_is_the_same_and_bears_its_description(target: FolderTarget, footage: Any) -> None:
    row = await footage.add(3_000_000)
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    copied = Path(target.spec.path) / row.path
    assert copied.read_bytes() == footage.content(row)
    assert json.loads(copied.with_suffix(".json").read_bytes())["path"] == row.path
    assert target.size(row) == 3_000_000
    assert target.read(row, 2_999_990, 100) == footage.content(row)[-10:]


async def test_removing_takes_the_empty_folders_too_and_may_be_repeated(target: FolderTarget, footage: Any) -> None:
    row = await footage.add()
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    target.remove(row)
    target.remove(row)
    assert target.size(row) is None
    assert sorted(path.name for path in (Path(target.spec.path) / "recordings").rglob("*")) == ["gate"]


async def test_an_attempt_that_was_killed_leaves_nothing_behind(target: FolderTarget, footage: Any) -> None:
    row = await footage.add()
    folder = (Path(target.spec.path) / row.path).parent
    folder.mkdir(parents=True)
    stale = folder / f".{Path(row.path).name}.0badcafe.part"
    stale.write_bytes(b"half")
    copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".mp4"]


async def test_a_source_that_breaks_off_leaves_no_copy(target: FolderTarget, footage: Any) -> None:
    row = await footage.add()

    class Torn:
        size = row.size

        def pieces(self) -> Iterator[bytes]:
            yield b"x" * 100
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError):
        target.put(row, Torn(), "00", silent)
    assert target.size(row) is None
    assert list(Path(target.spec.path).rglob("*.part")) == []


def test_a_folder_without_our_mark_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.HOT, path=str(tmp_path / "bare"))
    with pytest.raises(StorageError, match="not mounted or was never prepared") as error:
        FolderTarget(spec).check()
    assert error.value.code == "mount_gone"
    assert list((tmp_path / "bare").iterdir()) == []


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.HOT, path=str(tmp_path / "nowhere"))
    for attempt in (FolderTarget(spec).check, lambda: prepare_folder(spec)):
        with pytest.raises(StorageError, match="nas"):
            attempt()


def test_another_folder_at_the_same_place_is_not_taken_for_it(make_folder: Callable[..., StorageTarget]) -> None:
    spec = make_folder()
    target = FolderTarget(spec)
    first = target.check().identity
    (Path(spec.path) / MARK).unlink()
    assert prepare_folder(spec) != first
    with pytest.raises(StorageError, match="another folder") as error:
        target.check()
    assert error.value.code == "mount_foreign"
    with pytest.raises(StorageError, match="another folder"):
        FolderTarget(spec, identity=first).check()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 3}', "\x00" * 5000])
def test_a_mark_that_is_not_ours_is_refused(make_folder: Callable[..., StorageTarget], text: str) -> None:
    spec = make_folder()
    (Path(spec.path) / MARK).write_text(text)
    with pytest.raises(StorageError) as error:
        FolderTarget(spec).check()
    assert error.value.code == "mount_foreign"


async def test_links_out_of_the_folder_are_not_followed(target: FolderTarget, footage: Any, tmp_path: Path) -> None:
    row = await footage.add()
    (tmp_path / "elsewhere").mkdir()
    (Path(target.spec.path) / "recordings").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of 4 MiB."""
    folder = tmp_path / "share"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], capture_output=True)


@pytest.mark.real("mount")
async def test_a_share_that_vanishes_half_way_never_fills_the_disk_below(share: Path, footage: Any) -> None:
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.HOT, path=str(share))
    prepare_folder(spec)
    target = FolderTarget(spec)
    first, second = await footage.add(1_000_000), await footage.add(1_500_000)
    copy_segment(first, LocalSource(footage.media, first), target, silent)
    sent = []

    def vanish(size: int) -> None:
        sent.append(size)
        if len(sent) == 1:
            subprocess.run(["umount", "-l", share], check=True)

    with pytest.raises(StorageError) as error:
        copy_segment(second, LocalSource(footage.media, second), target, vanish)
    assert error.value.code == "mount_gone"
    assert sum(sent) >= 1_500_000
    assert list(share.iterdir()) == []
    assert footage.there(second)


@pytest.mark.real("mount")
async def test_a_share_that_is_full_says_so_and_keeps_no_half(share: Path, footage: Any) -> None:
    spec = StorageTarget(name="nas", kind=TargetKind.NAS, tier=Tier.HOT, path=str(share))
    prepare_folder(spec)
    row = await footage.add(6_000_000)
    target = FolderTarget(spec)
    with pytest.raises(StorageError) as error:
        copy_segment(row, LocalSource(footage.media, row), target, silent)
    assert error.value.code == "disk_full"
    assert target.size(row) is None
    space = target.check()
    assert space.free is not None
    assert space.free > 3_900_000


async def test_a_copy_that_turns_bad_at_once_is_found_and_the_source_kept(target: FolderTarget, footage: Any) -> None:
    row = await footage.add()
    copied = Path(target.spec.path) / row.path

    class Bad(FolderTarget):
        def put(self, *args: Any) -> bool:
            done = super().put(*args)
            with open(copied, "r+b") as file:
                file.seek(17)
                byte = file.read(1)[0]
                file.seek(17)
                file.write(bytes([byte ^ 1]))
            return done

    with pytest.raises(StorageError, match="other bytes than were sent") as error:
        copy_segment(row, LocalSource(footage.media, row), Bad(target.spec), silent)
    assert error.value.code == "corrupt"
    assert not copied.exists()
    assert footage.there(row)


async def test_a_source_that_is_not_what_it_was_is_not_passed_on(target: FolderTarget, footage: Any) -> None:
    row = await footage.add()
    with pytest.raises(StorageError, match="is damaged"):
        copy_segment(row, LocalSource(footage.media, row), target, silent, known="00" * 32)
    assert target.size(row) is None
