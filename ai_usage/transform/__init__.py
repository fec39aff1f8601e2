"""Everything after raw for a range of days. Belongs here: the order of the models and the functions that run them."""

from ai_usage.transform.build import BY_SOURCE, MAX_DAYS, build, order
from ai_usage.transform.days import ONE_BILL, HeldBack, Written, told_by, write_days

__all__ = ["BY_SOURCE", "MAX_DAYS", "ONE_BILL", "HeldBack", "Written", "build", "order", "told_by", "write_days"]
