"""Descriptions and sender reports that tell what is not so."""

from __future__ import annotations

import re

from perishield.sources.simulator.faults import Faults

_OTHER_SETS = "Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg=="
"""An SPS and a PPS of some other camera."""


def false_description(text: str, faults: Faults, url: str) -> str:
    """The description, as the faults would have it."""
    scheme, _, rest = url.partition("://")
    origin = f"{scheme}://{rest.split('/', 1)[0]}"
    text = text.replace("a=control:trackID=0", "a=control:" + faults.control.replace("{origin}", origin))
    if faults.wrong_parameter_sets:
        text = re.sub(r"sprop-parameter-sets=[^;\r]*", f"sprop-parameter-sets={_OTHER_SETS}", text)
        text = re.sub(r"sprop-(vps|sps|pps)=[^;\r]*", r"sprop-\1=AAAA", text)
    if faults.packaging == "donl":
        text = re.sub(r"(a=fmtp:\d+ )", r"\1sprop-max-don-diff=2;", text)
    if faults.back_channel:
        text += "m=audio 0 RTP/AVP 8\r\na=sendonly\r\na=control:trackID=9\r\n"
    return text


def false_report(report: bytes, faults: Faults, number: int) -> bytes:
    """The `number`-th sender report of a client, from 1."""
    if faults.zero_reports:
        return report[:8] + bytes(8) + report[16:]
    if faults.report_step_s and number > 3:
        seconds = int.from_bytes(report[8:12], "big") + int(faults.report_step_s)
        return report[:8] + (seconds & 0xFFFFFFFF).to_bytes(4, "big") + report[12:]
    return report
