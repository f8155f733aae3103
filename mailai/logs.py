"""Structured logs: one JSON object a line, ids and counts only."""

import json
import logging
from typing import Any


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON, which also escapes control characters that could forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, Any] = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            body["trace"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)
