"""Everything after raw for a range of days. Belongs here: the order of the models and the functions that run them."""

from ai_usage.transform.build import MAX_DAYS, build, order
from ai_usage.transform.days import ONE_BILL, STAGED, HeldBack, Written, leaning_on, told_by, write_days

__all__ = ["MAX_DAYS", "ONE_BILL", "STAGED", "HeldBack", "Written", "build", "leaning_on", "order", "told_by", "write_days"]
