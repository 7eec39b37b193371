"""`perishield models`: the commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perishield.cli.options import Config, Json

models = typer.Typer(no_args_is_help=True, help="Detection models: fetch, add, try, enable, roll back.")


@models.command("list")
def models_list(config: Config = None, json: Json = False) -> None:
    """The catalogue, and what of it is installed."""
    from perishield.cli import models as command

    command.show(config, as_json=json)


@models.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name from the catalogue.")] = "yolox-nano",
    base_url: Annotated[str, typer.Option(help="Fetch from this mirror instead.")] = "",
    config: Config = None,
) -> None:
    """Fetch a model, verify its hash, install it."""
    from perishield.cli import models as command

    command.pull(name, base_url, config)


@models.command("add")
def models_add(
    file: Annotated[Path, typer.Argument(help="An ONNX file.")],
    card: Annotated[Path | None, typer.Option(help="Its card, TOML or JSON (docs/guides/models.md).")] = None,
    name: Annotated[str, typer.Option(help="Under this name (default: the file's).")] = "",
    version: Annotated[str, typer.Option(help="As this version (default: the card's, else its hash).")] = "",
    config: Config = None,
) -> None:
    """Try a model of your own and install it beside its other versions; it is not enabled."""
    from perishield.cli import models as command

    command.add(file, card, name, version, config)


@models.command("enable")
def models_enable(model: Annotated[str, typer.Argument(help="NAME@VERSION.")], config: Config = None) -> None:
    """See with this version; a running node takes it up within seconds."""
    from perishield.cli import models as command

    command.enable(model, config)


@models.command("rollback")
def models_rollback(config: Config = None) -> None:
    """Back to the version that was enabled before."""
    from perishield.cli import models as command

    command.rollback(config)


@models.command("remove")
def models_remove(model: Annotated[str, typer.Argument(help="NAME@VERSION.")], config: Config = None) -> None:
    """Delete a version that is not in use."""
    from perishield.cli import models as command

    command.remove(model, config)


@models.command("show")
def models_show(
    model: Annotated[str, typer.Argument(help="NAME@VERSION; left out: who changed what, and when.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Everything known of a version, or the history of choices."""
    from perishield.cli import models as command

    command.detail(model, config, as_json=json)


@models.command("test")
def models_test(
    file: Annotated[Path, typer.Argument(help="An ONNX file, with its card beside it.")], json: Json = False
) -> None:
    """Try a model in a process of its own, and say what it is or why it is refused."""
    from perishield.cli import models as command

    command.test(file, as_json=json)


@models.command("quantize")
def models_quantize(
    model: Annotated[str, typer.Argument(help="NAME@VERSION, or an ONNX file.")],
    images: Annotated[Path | None, typer.Option(help="A folder of your own pictures or clips, or one file.")] = None,
    camera: Annotated[str, typer.Option(help="Instead: key frames of this camera's recordings.")] = "",
    start: Annotated[str, typer.Option("--from", help="From when: ISO 8601, Unix seconds, or -2h.")] = "-1d",
    end: Annotated[str, typer.Option("--to", help="Up to when; likewise.")] = "-0s",
    calibration_frames: Annotated[int, typer.Option(min=8, max=5000, help="How many calibrate.")] = 100,
    score: Annotated[float, typer.Option(min=0.01, max=1, help="Score at which boxes count.")] = 0.5,
    events: Annotated[Path | None, typer.Option(help="events.json of a labelled set, to compare on, too.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make INT8 versions by several recipes, compare them with their original, and install the best, never enabled."""
    from perishield.cli import quantize as command

    command.run(
        command.QuantizeOptions(
            model=model,
            images=images,
            camera=camera,
            start=start,
            end=end,
            frames=calibration_frames,
            score=score,
            events=events,
            config=config,
            as_json=json,
        )
    )


@models.command("verify")
def models_verify(config: Config = None, json: Json = False) -> None:
    """Check installed models against the catalogue's hashes."""
    from perishield.cli import models as command

    command.verify(config, as_json=json)
