"""The report of now, or of an earlier moment.

Belongs here: which warehouse and which days it is made from. Does not belong here: the file itself (`outputs/report.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ai_usage.dashboards import meta
from ai_usage.dashboards.meta import Checks
from ai_usage.operations import states
from ai_usage.operations.as_of import rebuild as rebuild_as_of
from ai_usage.outputs.report import write
from ai_usage.runtime import Runtime


def write_html_report(
    runtime: Runtime, path: Path | None = None, checks: Checks | None = None, as_of: datetime | None = None
) -> tuple[Path, int]:
    """Render every dashboard into one file; `checks` are the last run's. Returns the path and the size in bytes.

    `as_of` shows what was known at that moment: the same moment gives the same bytes, whatever was learned since.
    """
    target = path or runtime.settings.report_file
    note = "Demo data from the simulator: these people do not exist." if runtime.settings.demo else ""
    warehouse = runtime.existing()
    if as_of is None:
        found = states.by_source(states.states(runtime), runtime.today)
        told = [meta.Told(one.source, one.state, one.said, one.is_owed) for one in found if one.state != states.READ]
        return write(target, warehouse, datetime.now(UTC), checks, note, told)
    with TemporaryDirectory(prefix="as-of-", dir=runtime.settings.data_dir) as folder:
        then = rebuild_as_of(warehouse, Path(folder) / "as_of.duckdb", as_of)
        with then.held():
            return write(target, then, as_of, checks, f"As known on {as_of:%Y-%m-%d %H:%M} UTC. {note}".strip())
