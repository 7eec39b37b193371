from __future__ import annotations

from perishield.model.errors import SourceError
from perishield.model.media import Codec, StreamCondition, VideoFormat
from perishield.sources.backoff import BackOff
from perishield.sources.status import SourceStatus

VIDEO = VideoFormat(Codec.H264, 640, 480, (), "avc1.42c01f")


def test_every_change_is_published_and_the_rest_every_five_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("perishield.sources.status.time.monotonic", lambda: now[0])
    states = []
    status = SourceStatus("c", 3, states.append)
    status.connecting()
    status.connecting()
    status.playing(VIDEO)
    for _ in range(5):
        now[0] += 1
        status.frames += 25
        status.bytes += 250_000
        status.tick()
    assert [state.condition for state in states] == ["connecting", "live", "live"]
    assert (states[-1].fps, states[-1].bitrate, states[-1].frames) == (25, 2_000_000, 125)
    status.failed(SourceError("gone", code="gone"))
    status.failed(SourceError("dns", code="dns"))
    assert [state.code for state in states[-2:]] == ["gone", "dns"]
    assert states[-1].since == states[-2].since, "it failed once"
    assert states[-1].condition is StreamCondition.FAILED
    status.playing(VIDEO)
    assert states[-1].code == states[-1].message == ""


def test_pauses_grow_to_a_limit_and_begin_again_after_good_times():
    back_off = BackOff(1.0)
    error = SourceError("x")
    pauses = [back_off.pause(error, 0.0) for _ in range(8)]
    for pause, middle in zip(pauses, (1, 2, 5, 10, 30, 30, 30, 30), strict=True):
        assert 0.8 * middle <= pause <= 1.2 * middle
    assert len(set(pauses[4:])) > 1, "jittered"
    assert back_off.pause(error, 61.0) <= 1.2
    assert back_off.pause(SourceError("x", retry_after_s=60), 0.0) == 60
