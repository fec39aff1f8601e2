"""Operations: dropped files, cleaning, freshness, and the offline report."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ai_usage.defs.common import OWNERS, check, failed, spent, usd
from ai_usage.defs.operations.outputs import run_checks
from ai_usage.defs.operations.purge import purge
from ai_usage.finance import focus
from ai_usage.operations.report import write_html_report
from ai_usage.operations.retention import clean_up
from ai_usage.operations.uploads import load_uploads
from ai_usage.runtime import Runtime
from ai_usage.sources.errors import SourceError
from ai_usage.sources.uploads import client as uploads
from ai_usage.tables import MARTS
from ai_usage.warehouse import WarehouseError


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"python", "csv"},
    description="CSV files from the drop folder stand in for days that the vendor's API did not give.",
    check_specs=[dg.AssetCheckSpec("files_readable", asset="uploaded_files", description="Every dropped file and each of its rows could be read.")],
)  # fmt: skip
def uploaded_files(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    outcomes = load_uploads(runtime, context.run.run_id, {*uploads.KINDS, None})  # exports have assets of their own
    refused = [{"file": o.file, "reason": o.reason} for o in outcomes if o.reason]
    refused += [{"file": o.file, "reason": said} for o in outcomes for said in o.unread]
    return dg.MaterializeResult(
        metadata={"files": len(outcomes), "dagster/row_count": sum(o.rows for o in outcomes)} | spent(runtime),
        check_results=[
            check(
                "files_readable", not refused, expected=len(outcomes), actual=len(outcomes) - len({r["file"] for r in refused}), sample=refused,
                remedy="Correct the file by its reason (it lies in uploads/refused, or in uploads/loaded where its other rows count) and drop it again."
                + "".join(f" {r['file']}: {r['reason']}" for r in refused[:1]),
            )
        ],
    )  # fmt: skip


# After whatever else can be run, so that the page counts the checks that the terminal counts.
@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"html"}, deps=[t.name for t in MARTS] + ["dim_users", "closed_month"],
    description="All dashboards as one HTML file that needs no network.", op_tags={"dagster/priority": "-50"},
)  # fmt: skip
def html_report(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
        path, size = write_html_report(runtime, checks=run_checks(context.instance, context.run.run_id))
    except WarehouseError as error:
        raise failed(error) from None
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(path)), "size_bytes": size} | spent(runtime))


@dg.asset(
    group_name="operations", owners=OWNERS, kinds={"parquet", "csv"}, deps=["vw_focus"],
    description="This month and the one before as FOCUS files in the export folder; fails where they do not hold the books' money.",
)  # fmt: skip
def focus_export(runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    metadata: dict[str, Any] = {}
    try:
        for month in focus.recent_months(runtime.today, runtime.settings.start_date):
            written = focus.export(runtime, month)
            metadata |= {
                f"{month:%Y-%m}/path": dg.MetadataValue.path(str(written.files[0])), f"{month:%Y-%m}/rows": written.rows,
                **usd(written.billed_usd, f"{month:%Y-%m}/cost_usd"), f"{month:%Y-%m}/sha256": focus.sha256(written.files[0]),
            }  # fmt: skip
    except WarehouseError as error:
        raise failed(error) from None
    return dg.MaterializeResult(metadata=metadata | spent(runtime))


@dg.asset(
    group_name="operations",
    owners=OWNERS,
    kinds={"python"},
    description="Removes rows that no fetch published, and evidence and Dagster's records past their retention.",
)
def cleaning(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
        removed = dict(clean_up(runtime))
        removed["runs"] = purge(context.instance, datetime.now(UTC) - timedelta(days=runtime.settings.dagster_keep_days))
        return dg.MaterializeResult(metadata=removed | spent(runtime))
    except (WarehouseError, SourceError) as error:
        raise failed(error) from None
