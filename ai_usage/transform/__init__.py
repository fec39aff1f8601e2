"""Everything after raw for a range of days. Belongs here: the order of the models and the functions that run them."""

from ai_usage.transform.build import MAX_DAYS, Written, build, order, write_days

__all__ = ["MAX_DAYS", "Written", "build", "order", "write_days"]
