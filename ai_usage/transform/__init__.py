"""Everything after raw for a range of days. Belongs here: the order of the models and the functions that run them."""

from ai_usage.transform.build import MAX_DAYS, build, order
from ai_usage.transform.days import Written, write_days, write_list
from ai_usage.transform.held import STAGED, HeldBack, told_by

__all__ = ["MAX_DAYS", "STAGED", "HeldBack", "Written", "build", "order", "told_by", "write_days", "write_list"]
