"""`perishield bench`: figures beside a peer's, measured in the same minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from perishield.cli.output import print_figures, print_json, print_table, progress
from perishield.model.errors import ConfigError
from perishield.settings import load


def ingest(
    cameras: int,
    seconds: float,
    peer: str,
    *,
    transport: str,
    codec: str,
    audio: bool,
    viewers: int,
    as_json: bool,
) -> None:
    from perishield.evaluation import bench_ingest

    with progress(f"{cameras} cameras") as advance:
        figures = bench_ingest.run(
            cameras,
            seconds,
            peer,
            progress=advance,
            transport=transport,
            codec=codec,
            audio=audio,
            viewers=viewers,
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


def gate(
    dataset: Path | None, detector: str, minutes: float, fps: float, *, config: Path | None, as_json: bool
) -> None:
    from perishield.evaluation import bench_gate

    settings = load(config)
    models, pieces = settings.models_dir, settings.vision.pieces
    with progress(f"{minutes:g} quiet minutes") as advance:
        result = bench_gate.run(dataset, detector, models, minutes=minutes, fps=fps, pieces=pieces, progress=advance)
        _print(result, as_json)


def far(dataset: Path, detector: str, fps: float, pieces: int, *, config: Path | None, as_json: bool) -> None:
    from perishield.evaluation import bench_far

    models = load(config).models_dir
    with progress(dataset.name) as advance:
        _print(bench_far.run(dataset, detector, models, fps=fps, pieces=pieces, progress=advance), as_json)


def analyse(models: Sequence[str], cores: int, seconds: float, *, config: Path | None, as_json: bool) -> None:
    from perishield.evaluation import bench_analyse

    settings = load(config)
    folder, pieces = settings.models_dir, settings.vision.pieces
    with progress("cameras") as advance:
        result = bench_analyse.run(models, folder, cores=cores, seconds=seconds, pieces=pieces, progress=advance)
        _print(result, as_json)


def health(dataset: Path | None, *, as_json: bool) -> None:
    from perishield.evaluation import bench_health

    with progress("tampered pictures") as advance:
        figures = bench_health.run(dataset, progress=advance)
    if not as_json:
        columns = ("sabotage", "trials", "told", "median_s", "longest_s", "over_in_time")
        print_table(columns, [[row[name] for name in columns] for row in figures["sabotage"]])
    _print(figures, as_json)


def track(data: Path, rounds: int, *, sensitivity: bool, as_json: bool) -> None:
    from perishield.evaluation import bench_track, track_sensitivity

    if sensitivity:
        with progress("settings") as advance:
            figures = track_sensitivity.run(data, progress=advance)
        if as_json:
            print_json(figures)
            return
        columns = [name for name in figures["rows"][0] if not name.startswith("id_switches") or name.endswith("_100")]
        print_table(columns, [[row[name] for name in columns] for row in figures["rows"]])
        return
    with progress(f"{rounds} rounds") as advance:
        figures = bench_track.run(data, rounds, progress=advance)
        _print(figures, as_json)


def rules(tracks: int, count: int, pictures: int, *, as_json: bool) -> None:
    from perishield.evaluation import bench_rules

    _print(bench_rules.run(tracks, count, pictures), as_json)


def realism(clips: Path, detector: str, places: int, *, config: Path | None, as_json: bool) -> None:
    from perishield.evaluation.realism import compare
    from perishield.vision.model_store import choose_detector

    eyes = choose_detector(detector, load(config).models_dir)
    with progress(f"{places} places") as advance:
        figures = compare(clips, eyes, places=places, progress=advance)
    if as_json:
        print_json(figures)
        return
    rows = figures["heights"]
    print_table(list(rows[0]), [list(row.values()) for row in rows])


def alarms(count: int, database: str, rounds: int, *, as_json: bool) -> None:
    from perishield.evaluation import bench_alarms

    if database not in (*bench_alarms.DATABASES, "both"):
        raise ConfigError(f"--database {database!r}: is none of sqlite, postgresql, both")
    with progress(f"{count} alarms") as advance:
        figures = bench_alarms.run(count, database, rounds, progress=advance)
    if as_json:
        print_json(figures)
        return
    for name in bench_alarms.DATABASES:
        if name in figures:
            questions = figures[name]["questions"]
            columns = ("p50_ms", "p95_ms", "empty_p95_ms", "ratio")
            print_table(
                ("question", *columns),
                [[question, *(row[column] for column in columns)] for question, row in questions.items()],
                name,
            )
            print_figures(figures[name]["intake"])


def _print(figures: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(figures)
    else:
        print_figures(figures)
