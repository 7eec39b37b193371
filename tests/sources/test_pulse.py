from __future__ import annotations

import pytest

from perishield.sources.pulse import every


async def test_all_are_called_until_they_leave(until):
    beats = {"one": 0, "two": 0}

    def beat(name):
        beats[name] += 1

    with every(0.01, lambda: beat("one")):
        with every(0.01, lambda: beat("two")):
            await until(lambda: beats["two"] >= 3)
        left = beats["two"]
        seen = beats["one"]
        await until(lambda: beats["one"] >= seen + 3)
        assert beats["two"] == left


async def test_one_that_fails_does_not_stop_the_others(until, caplog: pytest.LogCaptureFixture):
    beats = []

    def broken():
        raise ValueError("broken")

    with every(0.01, broken), every(0.01, lambda: beats.append(1)):
        await until(lambda: len(beats) >= 3)
    assert any("pulse.callback_failed" in str(record.msg) or record.exc_info for record in caplog.records)


async def test_a_pulse_that_nobody_wants_rests_and_begins_again(until):
    beats = []
    for _ in range(2):
        beats.clear()
        with every(0.01, lambda: beats.append(1)):
            await until(lambda: beats)
