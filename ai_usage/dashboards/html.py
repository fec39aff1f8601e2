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
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from ai_usage.dashboards.encode import encode_table, pack
from ai_usage.dashboards.meta import Query, ReportMeta
from ai_usage.dashboards.spec import Card, Dashboard

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = (
    "data.js", "format.js", "periods.js", "aggregate.js", "dom.js", "csv.js", "filters.js", "tables.js",
    "charts.js", "cards.js", "app.js",
)  # fmt: skip
MAX_DATASET_ROWS = 1_000_000


class ReportError(ValueError):
    """A report that cannot be made; one sentence with the remedy."""


def render_report(dashboards: Sequence[Dashboard], query: Query, meta: ReportMeta) -> str:
    """The whole file as text. `query` takes BigQuery SQL and returns a `pyarrow.Table`."""
    if not dashboards:
        raise ReportError("there is no dashboard to show; add a folder under sql/dashboards.")
    datasets, places = _datasets(dashboards, query)
    page = {
        "meta": meta.payload(),
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
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(content)


@lru_cache(maxsize=1)
def vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, from the wheel of vl-convert-python: no npm, no CDN."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _closed("vl-convert's bundle", bundle, "script")


def _datasets(dashboards: Sequence[Dashboard], query: Query) -> tuple[list[str], dict[tuple[str, str], int]]:
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
    places: dict[tuple[str, str], int] = {}
    for key, users in cards.items():
        source = users[0][1].source
        where = f"{users[0][0]}/{source.name}"
        table = query(source.text)
        if table.num_rows > MAX_DATASET_ROWS:
            raise ReportError(
                f"{where}: {table.num_rows:,} rows are more than a browser should carry; "
                "let the card's SQL group by week or leave out a column."
            )
        names = [n for n in table.column_names if n in wanted[key]]
        order = [(n, "ascending") for n in _dimension_first(names, users)]
        encoded = encode_table(table.select(names).sort_by(order), where)
        if encoded not in datasets:
            datasets.append(encoded)
        for dashboard_key, card in users:
            places[dashboard_key, card.key] = datasets.index(encoded)
    return datasets, places


def _columns(card: Card) -> set[str]:
    measured = {column for m in card.measures for column in m.columns}
    return {d.column for d in card.dimensions} | measured | set(card.filters.values())


def _dimension_first(names: list[str], users: list[tuple[str, Card]]) -> list[str]:
    """A stable row order that compresses well, so that the same data gives the same bytes."""
    keys = {c for _, card in users for c in (*card.filters.values(), *(d.column for d in card.dimensions))}
    dates = {card.filters["date"] for _, card in users if "date" in card.filters}
    first = sorted((n for n in names if n in keys), key=lambda n: (n in dates, n))
    return first + [n for n in names if n not in keys]


def _dashboard(dashboard: Dashboard, places: dict[tuple[str, str], int]) -> dict[str, Any]:
    value = dashboard.model_dump(exclude_none=True)
    for card in value["cards"]:
        card.pop("sql", None)
        card["dataset"] = places.get((dashboard.key, card["key"]))
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
