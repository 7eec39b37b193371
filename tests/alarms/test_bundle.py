"""An exported archive is accepted as it is, and in no other way."""

from __future__ import annotations

import io
import json
import random
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.alarms.evidence_site import EvidenceSite

from perishield.alarms import bundle_layout as layout
from perishield.alarms.bundle_check import check_bundle
from perishield.alarms.site_key import SiteKey, SiteKeys
from perishield.model.alarms import Event
from perishield.model.chain import canonical
from perishield.model.errors import StorageError
from perishield.store.chain import append_alarm_record
from perishield.store.database import Database


@pytest.fixture
def site(database: Database, tmp_path: Path, make_event: Callable[..., Event]) -> EvidenceSite:
    return EvidenceSite(database, tmp_path, make_event)


@dataclass(slots=True)
class Exported:
    folder: Path
    content: bytes
    key: SiteKey

    def judge(self, content: bytes, key: Any = None) -> tuple[bool, str]:
        """Whether it is accepted, and the first thing that is wrong."""
        path = self.folder / "tried.zip"
        path.write_bytes(content)
        verdict = check_bundle(path, key or self.key.public)
        wrong = [f"{item.name}: {item.message}" for item in verdict.items if not item.ok]
        assert verdict.accepted == (not wrong)
        return verdict.accepted, wrong[0] if wrong else ""

    def files(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def rewritten(self, files: dict[str, bytes], key: SiteKey | None = None) -> bytes:
        """An archive laid out as ours with these files; signed and listed anew where `key` is given."""
        if key is not None:
            manifest = json.loads(files[layout.MANIFEST])
            manifest["key"] = key.public.id
            files = {**files, layout.PUBLIC_KEY: key.public.pem}
            manifest["files"] = [
                {"name": name, "sha256": hashed(data), "size": len(data)}
                for name, data in files.items()
                if name not in (layout.MANIFEST, layout.SIGNATURE)
            ]
            files[layout.MANIFEST] = canonical(manifest)
            files[layout.SIGNATURE] = key.sign(files[layout.MANIFEST])
        return laid_out(files)


def hashed(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def laid_out(files: dict[str, bytes]) -> bytes:
    import zlib

    body, central = b"", b""
    for name, data in files.items():
        central += layout.central_entry(name, zlib.crc32(data), len(data), len(body))
        body += layout.local_header(name, zlib.crc32(data), len(data)) + data
    return body + central + layout.end_record(len(files), len(central), len(body))


@pytest.fixture
async def exported(site: EvidenceSite) -> Exported:
    """Two alarms with another one's records between theirs."""
    await site.alarm("first", clip=random.Random(1).randbytes(5000))
    await site.alarm("other")
    await site.alarm("second", clip=random.Random(2).randbytes(3000))
    async with site.database.write() as session:
        await append_alarm_record(session, "first", "comment", {"text": "门 was open"})
    path = await site.export("first", "second")
    return Exported(site.folder, path.read_bytes(), site.keys.current())


async def test_an_export_is_accepted_and_any_program_opens_it(exported: Exported) -> None:
    assert exported.judge(exported.content) == (True, "")
    assert exported.judge(exported.content, exported.key.public.id) == (True, "")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    files = exported.files()
    assert set(files) >= {"alarms/first/clip.mp4", "alarms/second/annotated.jpg", "alarms/first/event.json"}
    text = files[layout.CHAIN].decode()
    assert "门 was open" in text
    assert '"alarm":"other"' not in text, "what others' records say is nobody's business here"
    assert text.count('"digest"') == 3
    verdict = check_bundle(exported.folder / "archive.zip")
    assert (verdict.accepted, verdict.signer) == (True, "unproven")


async def test_openssl_agrees(exported: Exported) -> None:
    for name, data in exported.files().items():
        if "/" not in name:
            (exported.folder / name).write_bytes(data)
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", layout.PUBLIC_KEY, "-rawin", "-in", layout.MANIFEST,
         "-sigfile", layout.SIGNATURE],
        cwd=exported.folder, capture_output=True, text=True,
    )  # fmt: skip
    assert "Verified Successfully" in done.stdout, done.stderr


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(exported: Exported, at: int, bit: int) -> None:
    changed = bytearray(exported.content)
    changed[at % len(changed)] ^= 1 << bit
    assert not exported.judge(bytes(changed))[0]


async def test_every_byte_outside_of_the_large_files_counts(exported: Exported) -> None:
    """Not by chance: each byte of every header, of the manifest, its signature, the key and the records, once."""
    rest = exported.content
    for name, data in exported.files().items():
        if name.endswith((".mp4", ".jpg")):
            rest = rest.replace(data, bytes(len(data)))
    places = [at for at, (one, two) in enumerate(zip(exported.content, rest, strict=True)) if one == two]
    assert len(places) > 5000
    for at in places[::3]:
        changed = bytearray(exported.content)
        changed[at] ^= 0x20
        assert not exported.judge(bytes(changed))[0], at


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_shortened_lengthened_and_shifted_files_are_found(exported: Exported, data: st.DataObject) -> None:
    content = exported.content
    at = data.draw(st.integers(0, len(content) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))
    assert not exported.judge(content[:at])[0]
    assert not exported.judge(content[at + 1 :])[0]
    assert not exported.judge(content[:at] + more + content[at:])[0]
    assert not exported.judge(content + more)[0]
    assert not exported.judge(content[:at] + content[at + len(more) :])[0]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_swapped_renamed_and_left_out_members_are_found(exported: Exported, data: st.DataObject) -> None:
    files = exported.files()
    names = list(files)
    one, two = data.draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))
    same = files[one] == files[two]
    assert exported.judge(laid_out({**files, one: files[two], two: files[one]}))[0] is same
    assert not exported.judge(laid_out({name: files[name] for name in names if name != one}))[0]
    order = data.draw(st.permutations(names).filter(lambda found: found != names))
    assert not exported.judge(laid_out({name: files[name] for name in order}))[0]
    assert not exported.judge(laid_out({**files, "extra.txt": b"more"}))[0]


@pytest.mark.parametrize("line", range(12))
async def test_a_record_taken_out_is_found_even_if_the_site_itself_signs(exported: Exported, line: int) -> None:
    files = exported.files()
    lines = files[layout.CHAIN].splitlines(keepends=True)
    assert len(lines) == 12
    del lines[line]
    accepted, wrong = exported.judge(exported.rewritten({**files, layout.CHAIN: b"".join(lines)}, exported.key))
    assert not accepted
    assert wrong.startswith("chain: ")


async def test_a_record_changed_and_the_chain_made_anew_does_not_fit(exported: Exported) -> None:
    """Whoever can sign may write what he likes but for this: the manifest and the chain must fit each other."""
    from perishield.model.chain import hash_over

    files = exported.files()
    manifest = json.loads(files[layout.MANIFEST])
    previous = manifest["chain"]["previous"]
    made = []
    for raw in files[layout.CHAIN].splitlines():
        line = json.loads(raw)
        if line.get("content", {}).get("kind") == "evidence":
            line["content"]["body"]["sha256"] = "0" * 64
        digest = line.get("digest") or hashed(canonical(line["content"]))
        previous = line["hash"] = hash_over(previous, digest)
        made.append(canonical(line) + b"\n")
    manifest["chain"]["hash"] = previous
    changed = {**files, layout.CHAIN: b"".join(made), layout.MANIFEST: canonical(manifest)}
    accepted, wrong = exported.judge(exported.rewritten(changed, exported.key))
    assert not accepted
    assert "head" in wrong or "another hash" in wrong


async def test_another_key_is_not_the_sites(exported: Exported, tmp_path: Path) -> None:
    forger = SiteKeys(tmp_path / "forger").current()
    files = exported.files()
    files["alarms/first/clip.mp4"] = b"another film"
    manifest = json.loads(files[layout.MANIFEST])
    forged = exported.rewritten({**files, layout.MANIFEST: canonical(manifest)}, forger)
    accepted, wrong = exported.judge(forged)
    assert not accepted
    assert wrong.startswith("signature: is by key")
    accepted, wrong = exported.judge(exported.rewritten(exported.files(), forger), forger.public)
    assert (accepted, wrong) == (True, ""), "only the key tells who signed"


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("../../etc/passwd", ""), ("/etc/passwd", ""), ("a\\b", ""), ("a/../b", ""), ("CON:", ""), ("a b", ""),
        ("门", ""), ("README.EN.txt", "twice"),
    ],
)  # fmt: skip
async def test_hostile_names_are_refused(exported: Exported, name: str, end: str) -> None:
    accepted, wrong = exported.judge(laid_out({name: b"x", **exported.files()}))
    assert not accepted
    assert end in wrong


async def test_bombs_and_nonsense_are_refused_quickly(exported: Exported) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    assert exported.judge(packed.getvalue())[1].startswith("archive: ")
    assert not exported.judge(b"")[0]
    assert not exported.judge(layout.end_record(0, 0, 0))[0]
    assert not exported.judge(layout.end_record(65_535, 0xFFFFFFFF, 0))[0]
    huge = layout.central_entry("a", 0, 0xFFFFFFFF, 0)
    assert not exported.judge(huge + layout.end_record(1, len(huge), 0))[0]
    deep = b'{"a":' * 100_000
    files = {**exported.files(), layout.MANIFEST: deep}
    files[layout.SIGNATURE] = exported.key.sign(deep)
    assert not exported.judge(laid_out(files))[0]


async def test_what_is_not_what_was_taken_in_is_not_exported(site: EvidenceSite) -> None:
    await site.alarm("a", clip=b"film")
    clip = next(site.media.glob("evidence/*/a.mp4"))
    clip.write_bytes(b"Film")
    with pytest.raises(StorageError, match="is not what it was when it was taken in"):
        await site.export("a")
    clip.unlink()
    with pytest.raises(StorageError, match="gone"):
        await site.export("a")
    assert not list(site.folder.glob("archive*"))
    with pytest.raises(StorageError, match="there is none any more"):
        await site.export("b")


async def test_an_older_key_stays_known(site: EvidenceSite) -> None:
    await site.alarm("a")
    before = await site.export("a", name="before.zip")
    old = site.keys.current().public
    new = site.keys.rotate().public
    assert new.id != old.id
    assert [key.id for key in site.keys.public_keys()] == [new.id, old.id]
    assert site.keys.find(old.id) == old
    assert check_bundle(before, old).accepted
    assert not check_bundle(before, new).accepted
    assert check_bundle(await site.export("a", name="after.zip"), new).accepted
    assert (site.folder / "site_key.pem").stat().st_mode & 0o777 == 0o600
