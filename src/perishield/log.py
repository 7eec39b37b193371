"""Logs are events with fields, written to stderr as text for people or as JSON lines for machines.

Standard library only, because the ingest process logs too. The JSON names follow the Elastic Common Schema, so that
ELK and Loki take them in as they are.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Literal

LogFormat = Literal["text", "json"]


class Log:
    """Events of one room.

    >>> Log("rtsp").info("camera.connected", camera="gate-3", ms=12)
    """

    __slots__ = ("_logger", "room")

    def __init__(self, room: str) -> None:
        self.room = room
        self._logger = logging.getLogger(f"perishield.{room}")

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """An error together with the traceback of the exception at hand."""
        self._logger.error(event, extra={"fields": fields}, exc_info=True)  # noqa: LOG014

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})


class TextFormatter(logging.Formatter):
    """`17:37:17.123 ingest camera.connected camera=gate-3 ms=12`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        words = [
            f"{clock}.{int(record.msecs):03d} {record.name.removeprefix('perishield.')} {level}{record.getMessage()}"
        ]
        for key, value in getattr(record, "fields", {}).items():
            text = f"{value:.3f}" if isinstance(value, float) else str(value)
            words.append(f"{key}={json.dumps(text, ensure_ascii=False) if ' ' in text else text}")
        if record.exc_info:
            words.append("\n" + self.formatException(record.exc_info))
        return " ".join(words)


class JsonFormatter(logging.Formatter):
    """One Elastic Common Schema object a line."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = dict(getattr(record, "fields", {}))
        entry: dict[str, object] = {
            "@timestamp": f"{seconds}.{int(record.msecs):03d}Z",
            "log.level": record.levelname.lower(),
            "log.logger": record.name,
            "event.action": record.getMessage(),
            "message": str(fields.pop("message", record.getMessage())),
            "process.pid": record.process,
            "ecs.version": "8.11.0",
        }
        if fields:
            entry["perishield"] = fields
        if record.exc_info:
            entry["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure(level: str = "info", form: LogFormat = "text") -> None:
    """Send the house's events to stderr; call once per process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger("perishield")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
