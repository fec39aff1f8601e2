"""Checks that are one question over the warehouse: is everything fresh, is it complete, do two reports of one thing agree.

Belongs here: how such checks become steps, two for all, each check of which can be run alone from its page in Dagster. Does not belong here: the
questions (`completeness.py`, `curated/money.py`), and checks of what an asset has just written, which are part of it (decision 0006).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from ai_usage.defs import completeness
from ai_usage.defs.common import failed, range_of, spent
from ai_usage.defs.curated import money
from ai_usage.defs.operations.batches import ASSET_JOB, settle_window
from ai_usage.defs.operations.outputs import remember
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window
from ai_usage.warehouse import WarehouseError

Asked = tuple[dg.AssetCheckSpec, Callable[[Runtime, Window], dg.AssetCheckResult]]


def _step(name: str, description: str, questions: Sequence[Asked]) -> dg.AssetChecksDefinition:
    """One step that asks those of the questions that are selected, over the days of its run: where it is about none, over the settle window."""

    @dg.multi_asset_check(name=name, description=description, specs=[spec for spec, _ in questions], can_subset=True)
    def step(context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]) -> Iterator[dg.AssetCheckResult]:
        window = range_of(context.run) or Window(*map(date.fromisoformat, settle_window(runtime, datetime.now(UTC))))
        asked = [one for one in questions if one[0].key in context.selected_asset_check_keys]
        for spec, ask in asked:
            try:
                result = ask(runtime, window)
                if context.run.job_name == ASSET_JOB:  # no record of the run's checks follows
                    remember(runtime, context.run.run_id, spec.asset_key.to_user_string(), result, blocking=False)
            except WarehouseError as error:
                raise failed(error) from None
            said = {"days": f"{window.first} to {window.last}", **(spent(runtime) if spec is asked[-1][0] else {})}
            yield result._replace(asset_key=spec.asset_key, metadata={**(result.metadata or {}), **said})

    return step


checks = [
    _step("completeness", "Whether all that is on is held: fresh, complete, and safe from being forgotten by its vendor.", completeness.QUESTIONS),
    _step("reports_beside_each_other", "Whether what is billed is what prices, estimates and second reports make likely.", money.QUESTIONS),
]  # fmt: skip
