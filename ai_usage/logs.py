"""Log lines as JSON objects, for a collector: one line, one object, the same keys from Dagster, from the vendors' clients and from the command line.

Belongs here: which keys a line has. Only these are written, whatever else a record carries: a key that slipped into some library's record cannot
reach the log. That, and forty lines, is why this is the standard library's formatter and no package.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ai_usage.guards.outside import json_line

FACTS = ("run_id", "job", "asset", "partition", "event", "source", "endpoint", "attempt", "status", "request_id", "duration_s")
TOLD = "ai_usage_told"  # on records that our own handler has written: Dagster hands them to its console logger once more
Context = Callable[[], Mapping[str, Any]]


class JsonFormatter(logging.Formatter):
    """`context` says what the thread works on (run, asset, partition), for records that do not say it themselves."""

    def __init__(self, context: Context = dict) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        known = {**self._context(), **_from_dagster(record), **{k: v for k, v in record.__dict__.items() if k in FACTS}}
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname, "logger": record.name, "message": _message(record),
        }  # fmt: skip
        line |= {name: known[name] for name in FACTS if known.get(name) is not None}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return json_line(json.dumps(line, ensure_ascii=False, default=str))


def _message(record: logging.LogRecord) -> str:
    """Without the names that Dagster puts in front, which have keys of their own."""
    said = getattr(record, "dagster_meta", None)
    return str(said["orig_message"]) if isinstance(said, dict) and said.get("orig_message") is not None else record.getMessage()


def _from_dagster(record: logging.LogRecord) -> dict[str, Any]:
    said = getattr(record, "dagster_meta", None)
    if not isinstance(said, dict):
        return {}
    tags = said.get("job_tags") or {}
    event = said.get("dagster_event")
    first, last = tags.get("dagster/asset_partition_range_start"), tags.get("dagster/asset_partition_range_end")
    days = first if first == last else f"{first}_{last}"
    found = {
        "run_id": said.get("run_id"), "job": said.get("job_name"), "asset": said.get("step_key"), "partition": tags.get("dagster/partition") or days,
    }  # fmt: skip
    if event is not None:
        found["event"] = event.event_type_value
        milliseconds = getattr(event.event_specific_data, "duration_ms", None)
        if milliseconds is not None:
            found["duration_s"] = round(milliseconds / 1000, 3)
    return found


class _Handler(logging.StreamHandler[Any]):
    """To standard error as it is now: tests and services replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
        setattr(record, TOLD, True)


def configure(kind: str, context: Context = dict) -> None:
    """json: the platform's own log lines go to standard error from now on. text: they go where Dagster shows them, a run's page, and nowhere else."""
    logger = logging.getLogger("ai_usage")
    for handler in [h for h in logger.handlers if isinstance(h, _Handler)]:
        logger.removeHandler(handler)
    if kind == "json":
        handler = _Handler()
        handler.setFormatter(JsonFormatter(context))
        logger.handlers.insert(0, handler)  # before Dagster's, which rewrites the message
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))


def is_json() -> bool:
    return any(isinstance(h, _Handler) for h in logging.getLogger("ai_usage").handlers)


# Of Dagster's events, which are DEBUG all: a year's run has one materialization for each asset and day, and these are enough to follow it.
EVENTS = frozenset({"STEP_START", "STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "ASSET_CHECK_EVALUATION"})


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    said = getattr(record, "dagster_meta", None)
    event = said.get("dagster_event") if isinstance(said, dict) else None
    if event is not None:
        return event.event_type_value in EVENTS or event.event_type_value.startswith(("PIPELINE_", "RUN_"))
    return record.levelno >= logging.INFO and not getattr(record, TOLD, False)


def console(level: str = "DEBUG") -> logging.Logger:
    """The logger to which Dagster hands a run's events."""
    logger = logging.Logger("dagster", level)
    handler = _Handler()
    handler.setFormatter(JsonFormatter())
    handler.addFilter(_is_worth_a_line)
    logger.addHandler(handler)
    return logger
