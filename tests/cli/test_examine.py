"""`perishield doctor rtsp://...` as somebody runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perishield.evaluation.texture_clip import write_clip

PASSWORD = "night & day"


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Asks for `viewer` and a password."""
    clip = tmp_path_factory.mktemp("clip") / "one.mp4"
    write_clip(clip)
    command = [sys.executable, "-m", "perishield", "simulate", str(clip), "--port", "0", "--user", "viewer"]
    environment = {**os.environ, "PERISHIELD_SIMULATE_PASSWORD": PASSWORD}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        yield next(line for line in process.stdout if line.startswith("rtsp://")).strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def doctor(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perishield", "doctor", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_a_password_from_standard_input_opens_the_camera_and_is_never_shown(camera: str) -> None:
    done = doctor(camera, "--username", "viewer", "--password-stdin", "--seconds", "6", "--json", stdin=PASSWORD + "\n")
    found = json.loads(done.stdout)
    assert (done.returncode, found["healthy"]) == (0, True), done.stdout
    assert {"authentication", "key_frame", "picture"} <= {step["name"] for step in found["steps"]}
    assert PASSWORD not in done.stdout + done.stderr


def test_what_failed_is_said_with_a_way_out_and_by_the_exit_code(camera: str) -> None:
    done = doctor(camera.replace("//", "//viewer:wrong-word@"))
    assert done.returncode == 1
    assert "fail authentication" in done.stdout
    assert "lock the account" in done.stdout
    assert "wrong-word" not in done.stdout + done.stderr
    assert not done.stderr


def test_other_addresses_are_tried_for_a_picture(tmp_path: Path) -> None:
    done = doctor("http://127.0.0.1:9/nothing", "--seconds", "5")
    assert done.returncode == 1
    assert "fail key_frame" in done.stdout
