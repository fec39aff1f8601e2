"""The dashboard spec: `sql/dashboards/<dashboard>/dashboard.yaml` and its card SQL files, read strictly.

One spec serves every renderer. A card's SQL returns rows at the grain that filtering needs; the YAML says
how a renderer aggregates them. Belongs here: the models and their rules. Does not belong here: reading the files (`load.py`), queries
(`query.py`), rendering, anything about a warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from ai_usage.dashboards.card_sql import CardSql, SpecError

__all__ = [
    "Card",
    "Dashboard",
    "Dimension",
    "Filter",
    "Measure",
    "SpecError",
]

Kind = Literal["kpi", "line", "bar", "stacked_bar", "heatmap", "bridge", "table", "note"]
Unit = Literal[
    "usd", "count", "pct", "tokens", "lines", "people", "requests", "sessions", "commits", "pull_requests",
    "days", "person_days", "rows", "usd_per_line", "usd_per_commit", "usd_per_person", "usd_per_day", "usd_per_million_tokens",
    "date", "timestamp",
]  # fmt: skip
Grain = Literal["auto", "day", "week", "month"]
Preset = Literal["all", "this_month", "last_month", "last_30_days", "last_90_days"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
AGGREGATES = ("sum", "count_distinct", "ratio", "share", "min", "max")
CHARTS = ("line", "bar", "stacked_bar")


class Strict(BaseModel):
    """Unknown keys and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Term(Strict):
    """One side of a ratio: a sum, or a number of distinct values."""

    sum: str | None = None
    count_distinct: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_column_is_a_sum(cls, value: Any) -> Any:
        return {"sum": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Term:
        if (self.sum is None) == (self.count_distinct is None):
            raise ValueError("a side of a ratio is a column (summed) or `count_distinct: column`; give exactly one")
        return self

    @property
    def column(self) -> str:
        return self.sum or self.count_distinct or ""


class Measure(Strict):
    """A figure: one aggregate, a unit and a label."""

    key: Key
    label: str
    unit: Unit
    good: Literal["up", "down"] | None = None
    """Which direction of change is welcome; None says that it is neither."""
    sum: str | None = None
    count_distinct: str | None = None
    ratio: Annotated[list[Term], Field(min_length=2, max_length=2)] | None = None
    share: str | None = None
    """This group's sum divided by the sum over everything that the filters leave."""
    per: Annotated[int, Field(ge=1)] = 1
    """What a ratio is per: 1000000 for USD per million tokens."""
    total: bool = True
    """False where a total would mean nothing: the ends of ranges, and people whom several rows name. Then nothing adds the figures up."""
    limit: bool = False
    """Whether a ratio over 1 is too much, and looks so."""
    mark: Literal["solid", "dashed", "reference"] = "solid"
    """How a line is drawn: dashed continues the first measure's colour, reference is a neutral line to compare with."""
    min: str | None = None
    max: str | None = None

    @model_validator(mode="after")
    def _one_aggregate(self) -> Measure:
        given = [name for name in AGGREGATES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a measure has exactly one of {', '.join(AGGREGATES)}; it has {given or 'none'}")
        if (self.min is not None or self.max is not None) and self.unit not in ("date", "timestamp"):
            raise ValueError("min and max are for dates and times; give the unit date or timestamp")
        if self.limit and (self.ratio is None or self.unit != "pct"):
            raise ValueError("`limit` is of ratios in pct; remove `limit`, or give a ratio")
        if self.per != 1 and self.ratio is None:
            raise ValueError("only a ratio is `per` something; remove `per`, or give a ratio")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        if self.ratio is not None:
            return tuple(term.column for term in self.ratio)
        return tuple(c for c in (self.sum, self.count_distinct, self.share, self.min, self.max) if c is not None)


class Dimension(Strict):
    """A column to group by; a date column has a grain."""

    column: str
    label: str = ""
    grain: Grain | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_column(cls, value: Any) -> Any:
        value = {"column": value} if isinstance(value, str) else value
        if isinstance(value, dict) and isinstance(value.get("column"), str) and not value.get("label"):
            value = {**value, "label": value["column"].replace("_", " ").capitalize()}
        return value


class Sort(Strict):
    by: str
    order: Literal["asc", "desc"] = "desc"


class Grid(Strict):
    """Place on a grid of 24 columns."""

    x: Annotated[int, Field(ge=0, le=23)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1, le=24)]
    h: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _inside(self) -> Grid:
        if self.x + self.w > 24:
            raise ValueError("x + w exceeds the 24 columns of the grid; make the card narrower or move it left")
        return self

    def overlaps(self, other: Grid) -> bool:
        apart = self.x + self.w <= other.x or other.x + other.w <= self.x
        return not (apart or self.y + self.h <= other.y or other.y + other.h <= self.y)


class Filter(Strict):
    key: Key
    label: str
    type: Literal["date_range", "multi_select"]
    default: Preset = "all"

    @model_validator(mode="after")
    def _default_is_of_dates(self) -> Filter:
        if self.type != "date_range" and self.default != "all":
            raise ValueError("only a date_range filter has a default; remove `default`")
        return self


class Card(Strict):
    """One card. See `docs` of the models above for each key."""

    key: Key
    kind: Kind
    title: str
    grid: Grid
    question: str = ""
    description: str = ""
    sql: str | None = None
    filters: dict[str, str] = {}
    unset: dict[str, str] = {}
    """Filter -> the value whose rows stand while nothing is chosen: of scopes that overlap, the one for everything."""
    group_by: list[Dimension] = []
    pivot: Dimension | None = None
    measures: list[Measure] = []
    sort: Sort | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    compare: bool = False
    """Whether the first measure stands beside the period before: `query.compared_period`, one rule for every card."""
    latest: bool = False
    """Of the months that the period touches only the last on record: figures of several would not add up."""
    band: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    """Measure keys of the low and the high end of the first measure's range."""
    empty: str | None = None
    """What no rows mean, where that is good news: Every record could be used."""
    fold: dict[str, str] = {}
    """Column -> the value whose rows of a table wait behind a button on the page: checks that passed."""
    scope: str | None = None
    """What the card speaks of when that is not what the filters say, for example: This month, whole company."""
    text: str | None = None
    _source: CardSql | None = PrivateAttr(default=None)

    @property
    def source(self) -> CardSql:
        if self._source is None:
            raise SpecError(f"card {self.key}: it has no SQL; load it with load_dashboard, or skip cards of kind note.")
        return self._source

    @property
    def dimensions(self) -> list[Dimension]:
        return [*self.group_by, *([self.pivot] if self.pivot else [])]

    @property
    def shown_measures(self) -> list[Measure]:
        """The measures without the ends of the range."""
        return [m for m in self.measures if m.key not in (self.band or ())]

    def measure(self, key: str) -> Measure:
        return next(m for m in self.measures if m.key == key)

    @property
    def of_months(self) -> bool:
        """Whether its rows are whole months: then the period takes every month that it touches."""
        return self.filters.get("date") == "month"

    def filter_source(self, key: str) -> str:
        """The column of the mart view that a filter acts on (Metabase binds its field filter there)."""
        return self.source.plain[self.filters[key]]

    @model_validator(mode="after")
    def _shape(self) -> Card:
        """The first rule that does not hold is the error; a later group may lean on the one before it."""
        groups = (self._parts, self._note) if self.kind == "note" else (self._parts, self._question, self._kind, self._columns)
        for rules in groups:
            for holds, rule in rules():
                if not holds:
                    raise ValueError(rule)
        return self

    def _parts(self) -> Iterator[tuple[bool, str]]:
        keys = {m.key for m in self.measures}
        yield set(self.band or ()) <= keys, f"band names {' and '.join(self.band or ())}, which are not both measures; declare them"
        yield not self.band or self.kind in ("kpi", "line"), "`band` needs kind kpi or line; a table shows the ends as columns"
        known = set(self.filters) - {"date"}
        yield set(self.unset) <= known, "`unset` names filters of the card that choose values; map them under `filters`"

    def _note(self) -> Iterator[tuple[bool, str]]:
        bare = not (self.sql or self.group_by or self.measures or self.filters)
        yield bool(self.text) and bare, "a note has `text` and no sql, filters, group_by or measures"

    def _question(self) -> Iterator[tuple[bool, str]]:
        yield self.text is None, "only a note has `text`; use `description`"
        yield bool(self.sql), "`sql` is missing; name the card's SQL file, for example cost_lines.sql"

    def _kind(self) -> Iterator[tuple[bool, str]]:
        groups, measures = len(self.group_by), len(self.shown_measures)
        over_time = (groups == 1 and measures >= 1) or (groups == 2 and measures == 1 and not self.band)
        several = "a line has one measure and one or two group_by columns, or several measures and one group_by column"
        yield {
            "kpi": (groups == 0 and measures in (1, 2), "a kpi has one measure, at most one more as detail, and no group_by"),
            "line": (over_time, several),
            "bar": (groups in (1, 2) and measures == 1, "a bar has one measure and one or two group_by columns"),
            "stacked_bar": (groups == 2 and measures == 1, "a stacked_bar has one measure and two group_by columns"),
            "bridge": (
                groups == 1 and measures == 1,
                "a bridge has one measure and one group_by column, whose first label is where it starts",
            ),
            "heatmap": (groups == 2 and measures == 1, "a heatmap has one measure and two group_by columns"),
            "table": (groups >= 1 and measures >= 1, "a table has at least one group_by column and one measure"),
        }[self.kind]

    def _columns(self) -> Iterator[tuple[bool, str]]:
        is_sum = self.measures[0].sum is not None
        dated = self.kind != "line" or self.group_by[0].grain is not None
        yield dated, "a line runs over time; give its first group_by column a `grain`"
        yield self.kind not in ("stacked_bar", "bridge") or is_sum, "only sums can be stacked; use `sum`, or kind line or bar"
        yield not self.latest or self.of_months, "`latest` is of cards whose filters map `date` to `month`"
        grouped = {d.column for d in self.group_by} if self.kind == "table" else set()
        yield set(self.fold) <= grouped, "`fold` names group_by columns of a table"
        spread = self.kind == "table" and is_sum
        yield not self.pivot or spread, "`pivot` spreads the first measure of a table, which must be a `sum`"
        compared = self.kind in ("kpi", "table") and "date" in self.filters
        yield not self.compare or compared, "`compare` needs a kpi or a table whose filters include `date`"
        yield not self.compare or self.kind != "table" or is_sum, "`compare` on a table compares its first measure, which must be a `sum`"
        names = [m.key for m in self.measures] + [d.column for d in self.group_by]
        yield len(set(names)) == len(names), "measure keys and group_by columns need different names"
        by = self.sort.by if self.sort else names[0]
        yield by in names, f"sort.by `{by}` is neither a measure key nor a group_by column"


class Dashboard(Strict):
    """One page."""

    key: Key
    title: str
    question: str
    audience: str
    visible_to: Annotated[list[Key], Field(min_length=1)] = ["finance"]
    """Audience keys that may open it in Metabase; the offline report has no access control."""
    smallest_group: Key | None = None
    """Column of the views that counts the people behind a row: Metabase shows no row of fewer people than the setting says."""
    filters: list[Filter]
    cards: Annotated[list[Card], Field(min_length=1)]
    order: int = 100
    """Place among the dashboards; equal ones stand by key."""
    terms: list[str] = []
    """Words of `glossary.yaml` that the page explains."""
    glossary: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {}
    """Column -> value -> what people read. CSV files keep the value."""

    def filter(self, key: str) -> Filter:
        return next(f for f in self.filters if f.key == key)

    def card(self, key: str) -> Card:
        return next(c for c in self.cards if c.key == key)

    @model_validator(mode="after")
    def _consistent(self) -> Dashboard:
        types = {f.key: f.type for f in self.filters}
        if len(types) != len(self.filters):
            raise ValueError("two filters share a key; rename one")
        if sum(1 for f in self.filters if f.type == "date_range") > 1 or types.get("date", "date_range") != "date_range":
            raise ValueError("a dashboard has at most one date_range filter, and its key is `date`")
        for index, card in enumerate(self.cards):
            unknown = [key for key in card.filters if key not in types]
            if unknown:
                raise ValueError(f"card `{card.key}` maps the filter `{unknown[0]}`, which `filters` does not declare")
            for other in self.cards[:index]:
                if other.key == card.key:
                    raise ValueError(f"two cards share the key `{card.key}`; rename one")
                if other.grid.overlaps(card.grid):
                    raise ValueError(f"cards `{other.key}` and `{card.key}` overlap on the grid; move one")
        return self
