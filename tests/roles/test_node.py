"""What a node tells its processes."""

from __future__ import annotations

import json
from pathlib import Path

from perishield.bus.process import encode_config
from perishield.roles.node import NodePlan, specs
from perishield.settings import load


def test_trials_see_with_what_the_vision_process_sees_with(tmp_path: Path) -> None:
    path = tmp_path / "perishield.toml"
    path.write_text('[vision]\ndetector = "motion"\npieces = 5\n')
    told = {spec.name: json.loads(encode_config(spec.config)) for spec in specs(NodePlan(settings=load(path)))}
    for name in ("vision", "server"):
        assert (told[name]["detector"], told[name]["pieces"]) == ("motion", 5)
