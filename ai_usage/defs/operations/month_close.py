"""Closing a month: the asset that freezes it, and what it must find green first.

Belongs here: Dagster's side of `ai_usage/finance/closing.py`. The job `close_month` computes the month's facts and marts anew and runs this last.
"""

import dagster as dg

from ai_usage import months
from ai_usage.defs.common import OWNERS, failed, job_range, spent, usd
from ai_usage.defs.curated.frozen import stand
from ai_usage.errors import SettingsError
from ai_usage.finance import closing, ledger, readiness
from ai_usage.runtime import Runtime
from ai_usage.tables import MARTS
from ai_usage.warehouse import WarehouseError

# Which month, who decides, and why where it needs saying; with_earlier closes the open months before it too, in order; accept names what it may be
# closed without: unread_days, unknown_money, unknown_kinds. Plain types: in a field of `dg.Config`, `{"env": "NAME"}` reads an environment variable.
MONTH_TO_CLOSE = {
    "month": dg.Field(str),
    "author": dg.Field(str),
    "reason": dg.Field(str, default_value=""),
    "with_earlier": dg.Field(bool, default_value=False),
    "accept": dg.Field([str], default_value=[]),
}


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"python"}, deps=[t.name for t in MARTS] + ["dim_users"],
    description="Freezes a month of booked cost: settled, complete, every blocking check green. Only the job `close_month` runs it.",
    check_specs=[
        dg.AssetCheckSpec(
            "frozen_rows_stand", asset="closed_month", blocking=True, description="Every closed month holds the rows that were closed, by their hash."
        )
    ],
    config_schema=MONTH_TO_CLOSE,
)  # fmt: skip
def closed_month(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    config = context.op_execution_context.op_config
    try:
        month = months.parse(config["month"])
        red = open_checks(context.instance)
        if red:
            raise ledger.ClosingError(
                f"{month:%Y-%m} cannot be closed: these blocking checks failed when they ran last: {', '.join(red)}; docs/runbook.md says what to do."
            )
        computed = job_range(context, runtime)
        to_close = [*(readiness.open_before(runtime.warehouse, month) if config["with_earlier"] else ()), month]
        for one in to_close:
            short = readiness.not_computed(one, computed.first, computed.last)
            if short:
                raise ledger.ClosingError(short)
        for one in to_close:
            closed = closing.close(
                runtime.warehouse,
                one,
                author=config["author"],
                today=runtime.today,
                reason=config["reason"],
                settings=runtime.settings,
                accepted=config["accept"],
            )
            for sentence in readiness.warnings(runtime.warehouse, one):
                context.log.warning(sentence)
        result = stand(runtime, ledger.closed_months(runtime.warehouse), "frozen_rows_stand")
    except (WarehouseError, SettingsError) as error:
        raise failed(error) from None
    metadata = {
        "month": f"{month:%Y-%m}", "months_closed": ", ".join(f"{m:%Y-%m}" for m in to_close),
        "dagster/row_count": closed.rows, **usd(closed.cost_usd), "sha256": closed.sha256, "author": config["author"],
    }  # fmt: skip
    return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=[result])


def open_checks(instance: dg.DagsterInstance) -> list[str]:
    """Blocking checks whose last evaluation failed, of every asset: the job that closes holds facts and marts only, and raw tables count too."""
    from ai_usage.defs.everything import blocking_checks  # which loads this module

    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(blocking_checks())
    red = []
    for key, record in found.items():
        event = record.event.dagster_event if record.event else None
        if event and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
                red.append(f"{key.asset_key.to_user_string()}/{key.name}")
    return sorted(red)
