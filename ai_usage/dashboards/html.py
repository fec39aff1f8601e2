"""The offline report: every dashboard in one HTML file that opens from disk and asks no network for anything.

The file carries Vega, the page's own script and style, and the data (see `encode.py`). Nothing that came
from data is ever HTML: it travels as base64, and the page writes it with textContent. A
Content-Security-Policy admits exactly the two scripts written here, by hash, and no connection at all.
Belongs here: running the cards' queries through the caller's `query`, and putting the file together. Does
not belong here: what a card computes (`templates/*.js`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc

from ai_usage.dashboards.encode import encode_table, pack
from ai_usage.dashboards.meta import Query, ReportMeta
from ai_usage.dashboards.spec import Card, Dashboard
from ai_usage.errors import PlatformError
from ai_usage.guards import files
from ai_usage.remembered import remembered

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = (
    "data.js", "format.js", "periods.js", "aggregate.js", "dom.js", "places.js", "csv.js", "xlsx.js", "filters.js", "tables.js",
    "charts.js", "bridge.js", "cards.js", "paper.js", "app.js",
)  # fmt: skip
# Beyond this many rows a dataset is grouped by month, but for its latest days: 250,000 rows are about 4 MB and half a second in the browser.
DETAIL_ROWS = 250_000
DETAIL_DAYS = 93
MAX_DATASET_ROWS = 1_000_000

Places = dict[tuple[str, str], tuple[int, date | None]]
"""(dashboard, card) -> the dataset that it reads, and the day before which its days had to be grouped by month."""


class ReportError(PlatformError, ValueError):
    """A report that cannot be made; one sentence with the remedy."""


def render_report(dashboards: Sequence[Dashboard], query: Query, meta: ReportMeta) -> str:
    """The whole file as text. `query` takes BigQuery SQL and returns a `pyarrow.Table`."""
    if not dashboards:
        raise ReportError("there is no dashboard to show; add a folder under sql/dashboards.")
    datasets, places = _datasets(dashboards, query)
    coarse = [before for _, before in places.values() if before]
    page = {
        "meta": {**meta.payload(), "monthly_before": max(coarse).isoformat() if coarse else None},
        "dashboards": [_dashboard(d, places) for d in dashboards],
        "datasets": len(datasets),
    }
    scripts = {"vega": vega_bundle(), "app": _app_script()}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html.j2").render(
        title="AI Usage Analytics",
        policy=_policy(scripts.values()),
        style=_inline("report.css", "style") + _inline("responsive.css", "style"),
        vega=scripts["vega"],
        app=scripts["app"],
        page=pack(page),
        datasets=datasets,
    )


def write_report(path: Path, dashboards: Sequence[Dashboard], query: Query, meta: ReportMeta) -> int:
    """Write the file in one act: a reader sees the old one or the new one. Returns its size in bytes."""
    content = render_report(dashboards, query, meta).encode("utf-8")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        files.finished(Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(content)


@remembered(__file__, also=lambda: metadata.version("vl-convert-python"))
def vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from the wheel of vl-convert-python: no npm, no CDN."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _closed("vl-convert's bundle", bundle, "script")


def _datasets(dashboards: Sequence[Dashboard], query: Query) -> tuple[list[str], Places]:
    """Each distinct query once, with the columns that its cards read; equal results are stored once."""
    wanted: dict[str, set[str]] = {}
    cards: dict[str, list[tuple[str, Card]]] = {}
    for dashboard in dashboards:
        for card in dashboard.cards:
            if card.kind != "note":
                key = card.source.fingerprint
                wanted.setdefault(key, set()).update(_columns(card))
                cards.setdefault(key, []).append((dashboard.key, card))
    datasets: list[str] = []
    places: Places = {}
    for key, users in cards.items():
        source = users[0][1].source
        where = f"{users[0][0]}/{source.name}"
        table = query(source.text)
        names = [n for n in table.column_names if n in wanted[key]]
        table = table.select(names)
        before = None
        if table.num_rows > DETAIL_ROWS:
            table, before = by_month_before(table, [card for _, card in users])
        if table.num_rows > MAX_DATASET_ROWS:
            raise ReportError(
                f"{where}: {table.num_rows:,} rows are more than a browser should carry; "
                "let the card's SQL group by week or leave out a column, or show this dashboard in Metabase."
            )
        order = [(n, "ascending") for n in _dimension_first(names, users)]
        encoded = encode_table(table.sort_by(order), where)
        if encoded not in datasets:
            datasets.append(encoded)
        for dashboard_key, card in users:
            places[dashboard_key, card.key] = datasets.index(encoded), before
    return datasets, places


def by_month_before(table: pa.Table, cards: Sequence[Card]) -> tuple[pa.Table, date | None]:
    """Rows of old days added up to the first of their month: exact for whole months, and the latest DETAIL_DAYS stay days. Columns that are counted
    distinct stay as they are. Returns the day before which this holds; None where the cards have no day column."""
    days = {card.filters["date"] for card in cards if "date" in card.filters}
    summed = {c for card in cards for m in card.measures for c in m.columns if m.sum or m.share}
    summed |= {term.sum for card in cards for m in card.measures for term in m.ratio or () if term.sum}
    latest = {c for card in cards for m in card.measures for c in (m.max,) if c} - days
    if len(days) != 1:
        return table, None
    (day,) = days
    last = pc.max(table[day]).as_py()
    before = (last - timedelta(days=DETAIL_DAYS)).replace(day=1)
    old = pc.less(table[day], pa.scalar(before))
    month = pc.cast(pc.floor_temporal(table[day], unit="month"), pa.date32())
    month = pc.max_element_wise(month, pc.min(table[day]))  # records begin when they begin
    table = table.set_column(table.column_names.index(day), day, pc.if_else(old, month, table[day]))
    keys = [n for n in table.column_names if n not in summed and n not in latest]
    added = [(n, "sum") for n in table.column_names if n in summed] + [(n, "max") for n in table.column_names if n in latest]
    grouped = table.group_by(keys, use_threads=False).aggregate(added)
    return grouped.rename_columns(
        [n.removesuffix("_sum") if n.removesuffix("_sum") in summed else n.removesuffix("_max") for n in grouped.column_names]
    ), before


def _columns(card: Card) -> set[str]:
    measured = {column for m in card.measures for column in m.columns}
    return {d.column for d in card.dimensions} | measured | set(card.filters.values())


def _dimension_first(names: list[str], users: list[tuple[str, Card]]) -> list[str]:
    """A stable row order that compresses well, so that the same data gives the same bytes."""
    keys = {c for _, card in users for c in (*card.filters.values(), *(d.column for d in card.dimensions))}
    dates = {card.filters["date"] for _, card in users if "date" in card.filters}
    first = sorted((n for n in names if n in keys), key=lambda n: (n in dates, n))
    return first + [n for n in names if n not in keys]


def _dashboard(dashboard: Dashboard, places: Places) -> dict[str, Any]:
    value = dashboard.model_dump(exclude_none=True)
    for card in value["cards"]:
        card.pop("sql", None)
        if (dashboard.key, card["key"]) in places:
            index, before = places[dashboard.key, card["key"]]
            of_cost = dashboard.card(card["key"]).source.view.startswith("vw_cost_")
            card |= {"dataset": index, "monthly_before": before.isoformat() if before else None, "of_cost": of_cost}
    return value


def _policy(scripts: Iterable[str]) -> str:
    """Only these scripts, no connection, no frame, no form; styles inline because Vega sets them."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def _app_script() -> str:
    parts = [_inline(name, "script") for name in SCRIPTS]
    return '"use strict";\n(() => {\nconst AIU = {};\n' + "\n".join(parts) + "\n})();\n"


def _inline(name: str, tag: str) -> str:
    return _closed(name, (TEMPLATES / name).read_text(encoding="utf-8"), tag)


def _closed(name: str, text: str, tag: str) -> str:
    """A text that would end its own tag may not be inlined. Carriage returns would change its hash."""
    lowered = text.lower()
    if f"</{tag}" in lowered or "<!--" in lowered:
        raise ReportError(f"{name}: it contains `</{tag}` or `<!--`, which would end its tag; write it in two parts.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
