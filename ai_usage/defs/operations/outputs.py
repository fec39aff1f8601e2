"""What leaves the warehouse after each run, and the record of its checks.

Belongs here: the assets of the end of a run. `check_results` depends on nothing, so that a failure before it does not skip it, and has the lowest
priority, so that the in-process executor takes it when nothing else can be run: its rows are those of the whole batch, whatever became of it.
"""

from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg

from ai_usage.dashboards.meta import Checks
from ai_usage.defs.common import OWNERS, check, failed, spent, table_metadata, usd
from ai_usage.defs.operations.batches import runs_of
from ai_usage.finance.chargeback import write_chargebacks
from ai_usage.operations.check_results import CheckRecord, record_checks
from ai_usage.outputs import ExportError
from ai_usage.outputs.serving_copy import publish_serving_copy, serving_differences
from ai_usage.runtime import Runtime
from ai_usage.tables import BY_NAME, MARTS
from ai_usage.warehouse import WarehouseError

LAST = {"dagster/priority": "-100"}


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"csv"}, deps=["vw_chargeback", "vw_cost_allocation"],
    description="The chargeback of this month and of the month before, as CSV and XLSX files in the export folder.",
    check_specs=[
        dg.AssetCheckSpec("chargeback_is_whole", asset="chargeback", blocking=True, description="Each file's sum is vw_cost_allocation's of that month."),
    ],
)  # fmt: skip
def chargeback(runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
        months = write_chargebacks(runtime, runtime.yesterday)
    except (WarehouseError, ExportError) as error:
        raise failed(error) from None
    wrong = [
        {"month": m.month, "mart_usd": m.expected_usd, "file_usd": m.written_usd, "file": m.files[0].name}
        for m in months
        if m.expected_usd != m.written_usd
    ]
    expected, written = (sum((getattr(m, name) for m in months), Decimal(0)) for name in ("expected_usd", "written_usd"))
    result = check(
        "chargeback_is_whole", not wrong, expected=expected, actual=written, difference=expected - written, sample=wrong, blocking=True,
        remedy="Do not book these files. Run again: another run may have changed the marts meanwhile; if it stays, see sql/marts/vw_chargeback.sql.",
    )  # fmt: skip
    metadata = {
        "path": dg.MetadataValue.path(str(months[-1].files[0].parent)), "files": [f.name for m in months for f in m.files],
        "dagster/row_count": sum(m.rows for m in months), **usd(written),
    }  # fmt: skip
    return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=[result])


@dg.asset(
    name="check_results", group_name="operations", owners=OWNERS, kinds={"table"}, op_tags=LAST, metadata=table_metadata(BY_NAME["check_results"]),
    description="What every check of the run and of the sources' runs before it found, in a table that dashboards read. Runs last, also when something failed.",
)  # fmt: skip
def recorded_checks(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
        rows = record_checks(runtime, {one: found_by(context.instance, one) for one in runs_of(context.instance, context.run.run_id)})
    except WarehouseError as error:
        raise failed(error) from None
    return dg.MaterializeResult(metadata={"dagster/row_count": rows} | spent(runtime))


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"postgres"}, deps=[t.name for t in MARTS],
    description="The marts as tables in the Postgres that Metabase reads; in the jobs while AI_USAGE_SERVING_URL is set.",
    check_specs=[
        dg.AssetCheckSpec("serving_copy_is_whole", asset="serving_copy", blocking=True, description="Each mart has the same rows and the same money on both sides."),
    ],
)  # fmt: skip
def serving_copy(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
        copied = publish_serving_copy(runtime)
        wrong = serving_differences(runtime)
    except WarehouseError as error:
        raise failed(error) from None
    result = check(
        "serving_copy_is_whole", not wrong, expected=f"{len(copied)} marts alike", actual=f"{len(wrong)} differences", blocking=True,
        sample=[{"mart": d.mart, "what": d.what, "warehouse": d.warehouse, "serving_copy": d.serving} for d in wrong],
        remedy="Something else writes to the serving copy, or a run changed the marts meanwhile: run `ai-usage metabase publish`, and let nobody else write.",
    )  # fmt: skip
    remember(runtime, context.run.run_id, "serving_copy", result, blocking=True)
    rows = {f"rows/{name}": count for name, count in copied.items()}
    return dg.MaterializeResult(metadata={"dagster/row_count": sum(copied.values())} | rows | spent(runtime), check_results=[result])


def found_by(instance: dg.DagsterInstance, run_id: str) -> list[CheckRecord]:
    """The results that a run has told so far."""
    records = []
    for entry in instance.all_logs(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if entry.dagster_event:
            told = entry.dagster_event.asset_check_evaluation_data
            said = {name: str(value.value) for name, value in told.metadata.items()}
            records.append(
                _record(
                    told.asset_key.to_user_string(), told.check_name, told.passed, told.severity, bool(told.blocking), said,
                    datetime.fromtimestamp(entry.timestamp, UTC),
                )
            )  # fmt: skip
    return records


def run_checks(instance: dg.DagsterInstance, run_id: str) -> Checks:
    """How the checks of a run's batch ended, each as it was found last."""
    found = [record for one in runs_of(instance, run_id) for record in found_by(instance, one)]
    states = list({(r.asset, r.check_name): r.state for r in sorted(found, key=lambda r: r.checked_at)}.values())
    return Checks(passed=states.count("passed"), warnings=states.count("warning"), failed=states.count("failed"))


def remember(runtime: Runtime, run_id: str, asset: str, result: dg.AssetCheckResult, *, blocking: bool) -> None:
    """Add a result to the table of checks which the record of its run does not hold: it was found after that was written, or there is none."""
    said = {name: str(value.value if isinstance(value, dg.MetadataValue) else value) for name, value in (result.metadata or {}).items()}
    record = _record(asset, str(result.check_name), result.passed, result.severity, blocking, said, datetime.now(UTC))
    record_checks(runtime, {run_id: [record]})


def _record(
    asset: str, name: str, passed: bool, severity: dg.AssetCheckSeverity, blocking: bool, said: dict[str, str], at: datetime
) -> CheckRecord:
    state = "passed" if passed else "failed" if severity == dg.AssetCheckSeverity.ERROR else "warning"
    return CheckRecord(asset, name, state, blocking, said.get("expected"), said.get("actual"), said.get("what_to_do"), at)
