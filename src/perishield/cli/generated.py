"""`perishield eval --generated`: scenes made up by seed through the product's eyes."""

from __future__ import annotations

from pathlib import Path

from perishield.cli.output import print_figures, print_json, print_table, progress
from perishield.settings import load


def run(
    suite: str,
    detector: str,
    scenes: int,
    hours: float,
    *,
    seed: int,
    workers: int,
    config: Path | None,
    as_json: bool,
) -> None:
    from perishield.evaluation import generated
    from perishield.evaluation.generated_figures import figures

    settings = load(config)
    with progress(f"{scenes} scenes, {hours:g} quiet hours") as advance:
        rows = generated.results(
            suite,
            detector,
            models_dir=settings.models_dir,
            cache=settings.data.dir / "generated",
            pieces=settings.vision.pieces,
            scenes=scenes,
            hours=hours,
            seed=seed,
            workers=workers,
            progress=advance,
        )
    result = {"suite": suite, "seed": seed, "detector": detector, "pieces": settings.vision.pieces, **figures(rows)}
    if as_json:
        print_json(result)
        return
    print_figures(result)
    for name, parts in result["by"].items():
        columns = ("events", "found", "recall", "recall_95")
        print_table((name, *columns), [[key, *(cell[c] for c in columns)] for key, cell in parts.items()])


def replay(seed: int, detector: str, video: Path | None, *, config: Path | None, as_json: bool) -> None:
    """One scene again; with `video`, as it was seen: boxes, lines, and when something was found."""
    from perishield.evaluation import generated, generated_video
    from perishield.vision.crops import with_pieces
    from perishield.vision.model_store import choose_detector

    settings = load(config)
    eyes = with_pieces(choose_detector(detector, settings.models_dir), settings.vision.pieces)
    row = generated.watch(seed, eyes) if video is None else generated_video.write(seed, eyes, video)
    if as_json:
        print_json(row)
    else:
        print_figures(row)
