from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from perishield.model.errors import ModelError
from perishield.vision.catalogue import CATALOGUE, CatalogueEntry
from perishield.vision.model_store import choose_detector, list_models, pull, verify

CONTENT = bytes(range(256)) * 1000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        if self.path.endswith("/away.onnx"):
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/models/toy.onnx")
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real web server on loopback, and the folder that it serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


def toy(name: str = "toy", content: bytes = CONTENT, **fields: Any) -> CatalogueEntry:
    stated: dict[str, Any] = {
        "name": name,
        "title": name,
        "address": f"https://example.invalid/{name}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": "Apache-2.0",
        "decoder": "yolox",
        "input": "",
        "classes": "",
    }
    return CatalogueEntry(**{**stated, **fields})


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix != ".onnx"]


def test_a_pulled_model_is_the_pinned_one(mirror: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = mirror
    (folder / "toy.onnx").write_bytes(CONTENT)
    models, entry, steps = tmp_path / "models", toy(), []
    assert list_models(models, [entry])[0].state == "missing"
    path = pull("toy", models, url, lambda done, total: steps.append((done, total)), [entry])
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [row.state for row in verify(models, [entry])] == ["installed"]
    assert leftovers(models) == []


@pytest.mark.parametrize(
    ("served", "reason"),
    [(CONTENT[:-1] + b"?", "not the pinned file"), (CONTENT[:-5], "of 256000 bytes"), (CONTENT + b"!", "more than")],
)
def test_what_is_not_the_pinned_file_never_appears(
    mirror: tuple[str, Path], tmp_path: Path, served: bytes, reason: str
) -> None:
    url, folder = mirror
    (folder / "toy.onnx").write_bytes(served)
    models = tmp_path / "models"
    with pytest.raises(ModelError, match=reason) as caught:
        pull("toy", models, url, catalogue=[toy()])
    assert caught.value.code == "model_corrupt"
    assert list(models.iterdir()) == []


def test_an_older_good_file_survives_a_failed_pull(mirror: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = mirror
    models = tmp_path / "models"
    models.mkdir()
    (models / "toy.onnx").write_bytes(b"older")
    (folder / "toy.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError):
        pull("toy", models, url, catalogue=[toy()])
    assert (models / "toy.onnx").read_bytes() == b"older"


def test_a_missing_file_and_a_dead_mirror_each_have_their_sentence(
    mirror: tuple[str, Path], tmp_path: Path, free_port: int
) -> None:
    with pytest.raises(ModelError, match="answered 404") as caught:
        pull("toy", tmp_path / "models", mirror[0], catalogue=[toy()])
    assert caught.value.code == "model_download"
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        pull("toy", tmp_path / "models", f"http://127.0.0.1:{free_port}", catalogue=[toy()])
    assert caught.value.code == "model_download"


def test_plain_http_is_for_this_machine_only(mirror: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="https"):
        pull("toy", tmp_path, "http://192.0.2.1/models", catalogue=[toy()])
    with pytest.raises(ModelError, match="https"):
        pull("toy", tmp_path, "file:///etc", catalogue=[toy()])


def test_a_redirect_must_not_lead_away_from_https(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError):
        pull("away", tmp_path / "models", mirror[0], catalogue=[toy("away")])
    assert list((tmp_path / "models").iterdir()) == []


def test_secrets_in_a_mirror_address_stay_out_of_messages(free_port: int, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        pull("toy", tmp_path, f"http://me:hunter2@127.0.0.1:{free_port}/", catalogue=[toy()])
    assert "hunter2" not in str(caught.value)


def test_unknown_names_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="yolox-nano") as caught:
        pull("resnet", tmp_path)
    assert caught.value.code == "model_missing"


def test_files_of_ones_own_are_listed_beside_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"x")
    (tmp_path / "toy.onnx").write_bytes(CONTENT[:-1])
    rows = {row.name: row.state for row in verify(tmp_path, [toy()])}
    assert rows == {"toy": "damaged", "mine": "installed"}


def test_same_size_but_other_bytes_are_found_by_verify(tmp_path: Path) -> None:
    (tmp_path / "toy.onnx").write_bytes(CONTENT[::-1])
    assert list_models(tmp_path, [toy()])[0].state == "installed"
    assert verify(tmp_path, [toy()])[0].state == "damaged"


def test_without_models_motion_is_chosen(tmp_path: Path) -> None:
    assert choose_detector("auto", tmp_path).name == "motion"
    assert choose_detector("motion", tmp_path).name == "motion"
    with pytest.raises(ModelError, match="models pull yolox-nano") as caught:
        choose_detector("yolox-nano", tmp_path)
    assert caught.value.code == "model_missing"


def test_a_damaged_catalogue_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / CATALOGUE[0].file).write_bytes(b"junk")
    with pytest.raises(ModelError, match="damaged") as caught:
        choose_detector("auto", tmp_path)
    assert caught.value.code == "model_corrupt"


@pytest.mark.devset
def test_an_installed_model_is_chosen_and_its_pin_is_right(
    mirror: tuple[str, Path], tmp_path: Path, devset: Path
) -> None:
    url, folder = mirror
    (folder / "yolox-nano.onnx").write_bytes((devset / "models/yolox_nano_416.onnx").read_bytes())
    pull("yolox-nano", tmp_path / "models", url)
    for setting in ("auto", "yolox-nano", "yolox-nano.onnx", str(tmp_path / "models/yolox-nano.onnx")):
        detector = choose_detector(setting, tmp_path / "models")
        assert (detector.name, detector.model) == ("yolox", "yolox-nano.onnx")
