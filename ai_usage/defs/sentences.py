"""Failures that are one sentence: what, value and remedy, on the run's page and in its log, without a stack trace below.

Belongs here: which failures those are. A failure that nobody worded keeps its stack trace: whoever mends it needs that.
"""

from __future__ import annotations

from traceback import TracebackException
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo


class OneSentence(dg.Failure):  # type: ignore[misc]
    """A step's failure that says all there is to say."""


WORDED = frozenset({OneSentence.__name__, "DagsterAssetCheckFailedError"})
"""Classes of errors by name: ours, and Dagster's own of a blocking check, beside which the check stands."""

_kept: Any = SerializableErrorInfo.from_traceback
_whole: Any = getattr(_kept, "in_place_of", _kept.__func__)  # Dagster's own, also when this module is loaded again


def from_traceback(cls: type[SerializableErrorInfo], tb: TracebackException) -> SerializableErrorInfo:
    """What Dagster keeps of an error; in place of `SerializableErrorInfo.from_traceback`."""
    told: SerializableErrorInfo = _whole(cls, tb)
    if told.cls_name not in WORDED:
        return told
    return SerializableErrorInfo(message=" ".join(told.message.partition(": ")[2].split()), stack=[], cls_name=told.cls_name)


from_traceback.in_place_of = _whole  # type: ignore[attr-defined]
SerializableErrorInfo.from_traceback = classmethod(from_traceback)  # type: ignore[method-assign,assignment]
