"""`perishield bench`: figures beside a peer's, measured in the same minute."""

from __future__ import annotations

from collections.abc import Mapping

from perishield.cli.output import print_figures, print_json, progress


def ingest(cameras: int, seconds: float, peer: str, *, transport: str, codec: str, audio: bool, as_json: bool) -> None:
    from perishield.evaluation import bench_ingest

    with progress(f"{cameras} cameras") as advance:
        figures = bench_ingest.run(
            cameras, seconds, peer, progress=advance, transport=transport, codec=codec, audio=audio
        )
        _print(figures, as_json)


def start(rounds: int, *, as_json: bool) -> None:
    from perishield.evaluation import bench_start

    _print(bench_start.run(rounds), as_json)


def live(minutes: float, *, as_json: bool) -> None:
    from perishield.evaluation import bench_live

    with progress(f"{minutes:g} minutes") as advance:
        _print(bench_live.run(minutes, progress=advance), as_json)


def playback(cameras: int, days: int, segment_s: int, seeks: int, hours: float, *, as_json: bool) -> None:
    from perishield.evaluation import bench_playback

    with progress(f"{days} days of {cameras} cameras") as advance:
        _print(bench_playback.run(cameras, days, segment_s, seeks, hours, progress=advance), as_json)


def _print(figures: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(figures)
    else:
        print_figures(figures)
