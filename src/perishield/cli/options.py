"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (default: ./perishield.toml).")]
Data = Annotated[Path | None, typer.Option(help="Data folder (default: that of the settings).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
