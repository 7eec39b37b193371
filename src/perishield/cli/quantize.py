"""`perishield models quantize`: INT8 by several recipes, side by side, and the best of them installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perishield.cli.output import console, print_json, print_table, progress
from perishield.cli.times import moment
from perishield.model.errors import ConfigError
from perishield.settings import load

if TYPE_CHECKING:
    from perishield.vision.calibration_pictures import Pictures

_EVENTS_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOptions:
    model: str
    images: Path | None
    camera: str
    start: str
    end: str
    frames: int
    score: float
    events: Path | None
    config: Path | None
    as_json: bool


def run(options: QuantizeOptions) -> None:
    from perishield.vision.model_registry import ModelRegistry
    from perishield.vision.quantize import RECIPES, Quantizer
    from perishield.vision.quantize_compare import Original, best

    registry = ModelRegistry(load(options.config).models_dir)
    model = options.model
    source = Path(model) if model.endswith(".onnx") else registry.folder / registry.find(model).file
    pictures = _pictures(options)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="perishield-int8-") as scratch, progress(source.name) as advance:
        share = 1.0 if options.events is None else 1 - _EVENTS_SHARE
        quantizer = Quantizer(source, pictures.calibrate)
        original = Original(source, pictures.compare, options.score)
        compared, targets = [], []
        for number, recipe in enumerate(RECIPES):
            targets.append(Path(scratch) / f"recipe-{number}.onnx")
            quantizer.write(targets[-1], recipe)
            compared.append(original.compare(targets[-1]))
            rows.append({"recipe": recipe.name, **asdict(compared[-1])})
            advance(share * (number + 1) / len(RECIPES))
        chosen = best(compared)
        name, version, card = _named(source)
        target = Path(scratch) / f"{name}.onnx"
        targets[chosen].rename(target)
        events = None
        if options.events is not None:
            from perishield.evaluation.quantized_events import compare_events

            if card is not None:
                shutil.copy(card, target.with_name(f"{name}.card{card.suffix}"))
            events = compare_events(options.events, (source, target), lambda done: advance(share + done * (1 - share)))
        row = registry.add(
            target, who=getuser(), name=name, version=f"{version}-int8" if version else "int8", card=card
        )
    found = {
        "installed": row.id,
        "recipe": rows[chosen]["recipe"],
        "calibrated_with": len(pictures.calibrate),
        **asdict(compared[chosen]),
        "recipes": rows,
        "events": events,
    }
    if options.as_json:
        print_json(found)
    else:
        _print(found, rows, chosen, events)


def _pictures(options: QuantizeOptions) -> Pictures:
    if options.camera and options.images is None:
        from perishield.evaluation.recorded_pictures import recorded_pictures
        from perishield.evaluation.shadow_plan import check_range

        start, end = moment(options.start, "--from"), moment(options.end, "--to")
        check_range(start, end)
        return recorded_pictures(load(options.config).media_dir, options.camera, start, end, options.frames)
    if options.images is not None and not options.camera:
        from perishield.vision.calibration_pictures import pictures_in

        return pictures_in(options.images, options.frames)
    raise ConfigError("models quantize: name either --images, or --camera with --from and --to, to calibrate with")


def _named(source: Path) -> tuple[str, str, Path | None]:
    """Name, version and card of the network that a file holds."""
    key = source.name.removesuffix(".onnx")
    name, _, version = key.lower().partition("@")
    cards = (source.with_name(key + suffix) for suffix in (".card.toml", ".card.json"))
    return name, version, next((card for card in cards if card.is_file()), None)


def _print(
    found: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    chosen: int,
    events: Sequence[Mapping[str, Any]] | None,
) -> None:
    title = (
        f"{found['calibrated_with']} pictures calibrated, {found['pictures']} others compare; "
        f"{found['boxes']} boxes from score {found['score']:g} on by the original"
    )
    print_table(
        ("", "recipe", "found again", "own that it has", "mean IoU", "ms", "ms of the original"),
        [
            (
                "*" if number == chosen else "",
                row["recipe"],
                f"{row['recall']:.1%}",
                f"{row['precision']:.1%}",
                round(row["mean_iou"], 3),
                round(row["ms_quantized"], 1),
                round(row["ms_original"], 1),
            )
            for number, row in enumerate(rows)
        ],
        title,
    )
    if events:
        columns = ("detector", "events", "found", "recall", "false_alarms", "cpu_s")
        print_table(columns, [[row[name] for name in columns] for row in events])
    console.print(
        f"{found['installed']} is installed, not enabled: `perishield models enable {found['installed']}`.",
        highlight=False,
    )
    if found["ms_quantized"] >= found["ms_original"]:
        console.print("On this processor it is not faster than its original.", highlight=False)
