from __future__ import annotations

import xml.etree.ElementTree as ET

from perishield.evaluation.cost_plot import svg


def test_every_measurement_is_a_point_of_each_side() -> None:
    results = [
        {"cameras": count, "cpu_cores": count / 1000, "peer_cpu_cores": count / 300, "pss_mb": 20, "peer_pss_mb": count}
        for count in (100, 10, 50)
    ]
    drawing = ET.fromstring(svg(results))  # noqa: S314
    circles = drawing.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 12
    lines = [line.attrib["points"].split() for line in drawing.findall(".//{http://www.w3.org/2000/svg}polyline")]
    ours = [tuple(map(float, point.split(","))) for point in lines[1]]
    theirs = [tuple(map(float, point.split(","))) for point in lines[0]]
    assert all(mine[0] == other[0] and mine[1] > other[1] for mine, other in zip(ours, theirs, strict=True))


def test_without_a_peer_there_is_one_line() -> None:
    drawing = ET.fromstring(svg([{"cameras": 5, "cpu_cores": 0.1, "peer_cpu_cores": None, "pss_mb": 20}]))  # noqa: S314
    assert len(drawing.findall(".//{http://www.w3.org/2000/svg}circle")) == 2
