"""Reading `sql/dashboards/<dashboard>/dashboard.yaml` with its card SQL files, labels and glossary into the spec's models.

Belongs here: which file is read for what, and that the files agree with each other. Every problem is one sentence that names file, key and remedy. Does not
belong here: what a dashboard may say (`spec.py`), a card's SQL (`card_sql.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ai_usage import vendors
from ai_usage.dashboards.card_sql import SpecError, read_card_sql
from ai_usage.dashboards.spec import Card, Dashboard
from ai_usage.dashboards.strict_yaml import read_yaml, sentence


def default_root() -> Path:
    """`sql/dashboards` beside the package (a checkout) or inside it (an installed wheel)."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_sql" / "dashboards"
    return inside if inside.is_dir() else package.parent / "sql" / "dashboards"


def load_dashboards(root: Path | None = None, keys: Sequence[str] | None = None) -> list[Dashboard]:
    """Dashboards, read and checked.

    Args:
        root: the folder that holds one folder for each; that of the product by default.
        keys: which ones; all by default.

    Returns:
        The named ones in the given order, else all by their `order` and key.

    Raises:
        SpecError: there is no such dashboard, or its first mistake: file, key and remedy.
    """
    root = root or default_root()
    found = sorted(path.parent.name for path in root.glob("*/dashboard.yaml"))
    missing = [key for key in keys or () if key not in found]
    if missing:
        raise SpecError(f"{root.name}: there is no dashboard `{missing[0]}`; choose from {', '.join(found) or 'none'}.")
    dashboards = [load_dashboard(root / key) for key in (keys or found)]
    return dashboards if keys else sorted(dashboards, key=lambda d: (d.order, d.key))


def load_dashboard(folder: Path) -> Dashboard:
    """Read one folder; every problem is a SpecError of one sentence."""
    shown = f"{folder.name}/dashboard.yaml"
    raw = read_yaml(folder / "dashboard.yaml", shown)
    common = folder.parent / "labels.yaml"
    labels = read_yaml(common, "labels.yaml") if common.exists() else {}
    labels |= {column: declared | labels.get(column, {}) for column, declared in vendors.labels().items()}
    words = folder.parent / "glossary.yaml"
    glossary = read_yaml(words, "glossary.yaml") if words.exists() else {}
    wanted = [t for t in raw.get("terms") or [] if isinstance(t, str)]
    unknown = [t for t in wanted if t not in glossary]
    if unknown:
        raise SpecError(f"{shown}: terms names `{unknown[0]}`, which glossary.yaml does not explain; add it there.")
    try:
        dashboard = Dashboard.model_validate(
            {**raw, "labels": {**labels, **(raw.get("labels") or {})}, "glossary": {t: glossary[t] for t in wanted}}
        )
    except ValidationError as error:
        raise SpecError(sentence(shown, error)) from None
    if dashboard.key != folder.name:
        raise SpecError(f"{shown}: key `{dashboard.key}` differs from its folder `{folder.name}`; make them equal.")
    used = set()
    for card in dashboard.cards:
        if card.kind != "note":
            file = card.sql or ""
            if Path(file).name != file or not file.endswith(".sql"):
                raise SpecError(
                    f"{shown}: card `{card.key}`: sql `{file}` is not a file of this folder or of the one above; name one there."
                )
            used.add(file)
            # What several dashboards ask lies beside labels.yaml.
            place = folder if (folder / file).exists() or not (folder.parent / file).exists() else folder.parent
            card._source = read_card_sql(place / file, f"{place.name}/{file}")
            _check_columns(card, shown)
    unused = sorted({p.name for p in folder.glob("*.sql")} - used)
    if unused:
        raise SpecError(f"{shown}: no card uses {unused[0]}; name it under a card's `sql`, or delete the file.")
    return dashboard


def _check_columns(card: Card, shown: str) -> None:
    have = card.source.columns
    named = [("group_by", d.column) for d in card.dimensions]
    named += [(f"measures.{m.key}", column) for m in card.measures for column in m.columns]
    named += [(f"filters.{key}", column) for key, column in card.filters.items()]
    for key, column in named:
        if column not in have:
            raise SpecError(
                f"{shown}: card `{card.key}`: {key} names the column `{column}`, "
                f"which {card.sql} does not return; use one of {', '.join(have)}."
            )
    for key, column in card.filters.items():
        if column not in card.source.plain:
            raise SpecError(
                f"{shown}: card `{card.key}`: filters.{key} must be a column of {card.source.view} "
                f"handed through unchanged, and {card.sql} computes `{column}`; select the view's own column."
            )
