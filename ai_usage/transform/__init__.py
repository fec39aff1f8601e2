"""Everything after raw for a range of days. Belongs here: the order of the models and the one function that runs them."""

from ai_usage.transform.build import MAX_DAYS, build, order

__all__ = ["MAX_DAYS", "build", "order"]
