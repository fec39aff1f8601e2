"""Spooled records become typed Arrow rows: the one mechanism for every endpoint.

Belongs here: acting on `Endpoint` declarations, set-wise, in an in-memory DuckDB. Two ways lead to the same typed
columns: the fast one lets DuckDB's reader type a record's fields at once; where any record has a field of the wrong
type, the careful one takes every field out as text and tries each cast, so that a bad record costs only itself. Text that
is not Unicode (half an emoji, broken UTF-8) is mended in a copy; the spool keeps what came.
Measured on 200,000 usage events: fast 0.3 s, careful 3 s of CPU; `benchmarks/` holds the script.

Law: JSON numbers go through double (exact to 15 significant digits, which is what they carry), JSON strings are exact.
"""

from __future__ import annotations

import functools
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import duckdb
import pyarrow as pa

from ai_usage.sources import record_sql as sql
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import ContractError
from ai_usage.sources.halves import mend_file
from ai_usage.sources.redaction import ADDRESS
from ai_usage.sources.shape import Shape, shape_of
from ai_usage.sources.spool import Spooled


@dataclass(frozen=True)
class Day:
    """What one UTC day of one walk holds. `vendor_total_usd` sums what can be read, and is None when the endpoint bills nothing; `unknown_money`
    counts the records that hide what they bill, `incomplete` those that count although a field of theirs could not be read."""

    usage_date: date
    spooled: Spooled
    records: int
    rejected: int
    sha256: str
    vendor_total_usd: Decimal | None
    unknown_money: int = 0
    incomplete: int = 0

    @property
    def rows(self) -> int:
        return self.records - self.rejected


P = ParamSpec("P")
R = TypeVar("R")


def _within_memory(ask: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """A method whose memory has a bound: beyond it DuckDB gives up, and that is a sentence."""

    @functools.wraps(ask)
    def asked(self: Any, /, *given: P.args, **named: P.kwargs) -> R:
        try:
            return ask(self, *given, **named)
        except duckdb.OutOfMemoryException:
            what = f"{self._endpoint.source} {self._endpoint.name}" if self._endpoint else "what came"
            raise ContractError(
                f"{what}: the records of one window need more memory than {self._memory_limit} to be read; nothing was stored, so run fewer days at once, or "
                "report it to the vendor."
            ) from None

    return asked


class Decoder:
    """Decodes one batch of walks of one endpoint at a time; `close()` frees its memory.

    Use: `days = decoder.load(spooled)`, then `decoder.rows(...)` and `decoder.rejects(...)` for the days that are new.
    """

    def __init__(self, memory_limit: str = "400MB") -> None:
        # Where DuckDB may put what does not fit; its own choice is the working directory.
        place = Path(tempfile.gettempdir()) / f"ai-usage-{uuid.uuid4().hex[:12]}"
        self._memory_limit = memory_limit
        self._con = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": memory_limit, "temp_directory": str(place)})
        self._con.execute("SET TimeZone = 'UTC'")
        self._endpoint: Endpoint | None = None
        self._filled = False
        self._options = ""
        self._bounds = ("", "")
        self._shape = Shape()
        self._mended: tempfile.TemporaryDirectory[str] | None = None
        self.careful = False

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """Dotted paths that came and nobody declared."""
        return self._shape.unknown

    @property
    def absent_fields(self) -> tuple[str, ...]:
        """Declared ones that no record has."""
        return self._shape.absent

    def close(self) -> None:
        self.clear()
        self._con.close()

    def clear(self) -> None:
        """Free what `load` read; `rows` and `rejects` need it, so call them before."""
        self._con.execute("DROP TABLE IF EXISTS lines; DROP TABLE IF EXISTS parsed")
        self._filled = False
        if self._mended:
            self._mended.cleanup()
            self._mended = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @_within_memory
    def load(self, walks: Sequence[Spooled]) -> list[Day]:
        """Read the walks, all of one endpoint; returns every day of every window, in order.

        Raises `ContractError` when a required field is in no record of a walk, and the records are many or brought an unknown field: the vendor
        renamed it.
        """
        endpoint = walks[0].endpoint
        self._endpoint = endpoint
        filled = [walk for walk in walks if walk.records]
        if not filled:
            self._filled = False
            return [_empty_day(walk, day, endpoint) for walk in walks for day in walk.window.days]
        self._filled = True
        self._read_lines(filled)
        self._shape = shape_of(self._con, endpoint, filled)
        self._read_fields(endpoint, filled)
        found = {
            (number, day): rest
            for number, day, *rest in self._con.execute(
                """
                SELECT __walk, usage_date, count(*), count(*) FILTER (NOT ok), sha256(string_agg(hex(__h), '' ORDER BY __h)),
                       coalesce(sum(__total) FILTER (ok), 0), count(*) FILTER (NOT __known), count(*) FILTER (ok AND NOT __whole)
                FROM (SELECT __walk, usage_date, ok, __total, __known, __whole FROM parsed) POSITIONAL JOIN (SELECT __h FROM lines)
                GROUP BY ALL
                """
            ).fetchall()
        }
        days = []
        for walk in walks:
            number = filled.index(walk) if walk.records else -1
            for day in walk.window.days:
                records, rejected, sha, total, unknown, incomplete = found.get((number, day), (0, 0, "", Decimal(0), 0, 0))
                days.append(Day(day, walk, records, rejected, sha, Decimal(total) if endpoint.vendor_total else None, unknown, incomplete))
        return days

    def addresses(self) -> list[str]:
        """What looks like an e-mail address in the records' text, each spelling once."""
        if not self._filled:
            return []
        asked = "SELECT DISTINCT unnest(regexp_extract_all(__json, ?)) FROM lines WHERE contains(__json, '@')"
        return [found for (found,) in self._con.execute(asked, [ADDRESS]).fetchall()]

    @_within_memory
    def rows(self, fetches: Mapping[tuple[str, date], str], fetched_at: datetime) -> pa.Table:
        """Arrow rows in the raw table's schema, of the days named by (spool path, day) -> fetch_id."""
        assert self._endpoint is not None
        table = self._endpoint.table
        if not self._filled:
            return table.arrow_schema().empty_table()
        self._register(fetches)
        own = ", ".join(sql.quote(c.name) for c in sql.own_columns(self._endpoint))
        extra, parameters = self._extra()
        found = self._con.execute(
            f"SELECT usage_date, fetch_id, ? AS fetched_at, CAST(? AS DATE) AS ingest_date, {extra} AS extra, {own} "
            f"FROM {'parsed POSITIONAL JOIN (SELECT __json FROM lines)' if self.unknown_fields else 'parsed'} "
            "JOIN fetches USING (__walk, usage_date) WHERE ok",
            [fetched_at, fetched_at, *parameters],
        ).to_arrow_table()
        return found.cast(table.arrow_schema())

    def billed(self, day: date) -> list[dict[str, Any]]:
        """The records of a day of one walk that bill something, without their text: `number` (the line of the spool file, from 1), `usd`, and what
        the endpoint's `named_by` names."""
        assert self._endpoint is not None
        if not self._filled:
            return []
        names = "".join(f", {read} AS {sql.quote(name)}" for name, read in self._endpoint.named_by.items())
        found = self._con.execute(
            f"SELECT rowid + 1 AS number, CAST(__total AS DECIMAL(38, 9)) AS usd{names} FROM parsed WHERE ok AND usage_date = ? AND __total != 0 ORDER BY rowid",
            [day],
        )
        return found.to_arrow_table().to_pylist()

    def texts(self, numbers: Sequence[int]) -> dict[int, str]:
        """Records of one walk as they came, by the line of the spool file."""
        if not self._filled:
            return {}
        asked = "SELECT rowid + 1, __json FROM lines WHERE rowid + 1 IN (SELECT unnest(?))"
        return dict(self._con.execute(asked, [list(numbers)]).fetchall())

    @_within_memory
    def rejects(self, fetches: Mapping[tuple[str, date], str], fetched_at: datetime) -> pa.Table:
        """One Arrow row for each broken rule of each record, whether the record counts all the same or not, in the schema of `raw_rejects`."""
        from ai_usage.tables.raw import raw_rejects

        assert self._endpoint is not None
        endpoint = self._endpoint
        if not self._filled:
            return raw_rejects.arrow_schema().empty_table()
        self._register(fetches)
        cases = ", ".join(
            f"CASE WHEN NOT {law.met} THEN {{'c': {sql.literal(law.path)}, 'v': {law.value}, 'r': {sql.literal(law.reason)}, 'm': {sql.literal(law.remedy)}}} END"
            for law in sql.laws(endpoint, self._shape.twice, each=True)
        )
        number = endpoint.record_number or "__n - __first_n + 1"
        why = f"list_filter([{cases}], x -> x IS NOT NULL)"
        if endpoint.refusals:
            said = f"""from_json({sql.quote(endpoint.refusals)}, '[{{"c": "VARCHAR", "v": "VARCHAR", "r": "VARCHAR", "m": "VARCHAR"}}]')"""
            why = f"coalesce({said}, {why})"
        found = self._con.execute(
            f"""
            WITH rejected AS (
                SELECT __n, __first_n, usage_date AS __usage_date, fetch_id AS __fetch_id, ok AS __ok
                FROM (SELECT rowid AS __n, min(rowid) OVER (PARTITION BY __walk) AS __first_n, __walk, usage_date, ok, __whole FROM parsed)
                JOIN fetches USING (__walk, usage_date) WHERE NOT ok OR NOT __whole
            ),
            texts AS (SELECT * FROM (SELECT rowid AS __n, * FROM lines) JOIN rejected USING (__n)),
            broken AS (
                SELECT __usage_date AS usage_date, __fetch_id AS fetch_id, {number} AS record_number, __json AS payload, __ok,
                       unnest({why}) AS b
                FROM ({sql.values(endpoint, sql.each_field(endpoint, "texts"), self._bounds)})
            )
            SELECT usage_date, fetch_id, ? AS fetched_at, ? AS source, ? AS endpoint,
                   CAST(record_number AS BIGINT) AS record_number, b.c AS column_name, __ok AS is_counted, b.v AS value, b.r AS reason,
                   b.m AS remedy, payload
            FROM broken ORDER BY ALL
            """,
            [fetched_at, endpoint.source, endpoint.name],
        ).to_arrow_table()
        return found.cast(raw_rejects.arrow_schema())

    # How it is done -------------------------------------------------------------------------------------------

    def _read_lines(self, walks: Sequence[Spooled]) -> None:
        """Table `lines`: each record's text, hash and walk. `bounds` are the SQL of its walk's first and last day."""
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE walks AS SELECT unnest(?) AS __path, unnest(range(?)) AS __walk",
            [[str(w.path) for w in walks], len(walks)],
        )
        self._bounds = (_by_walk([w.window.first for w in walks]), _by_walk([w.window.last for w in walks]))
        try:
            self._fill_lines(walks, [w.path for w in walks])
        except (duckdb.InvalidInputException, UnicodeDecodeError):
            self._mended = tempfile.TemporaryDirectory(prefix="ai-usage-")
            try:
                self._fill_lines(walks, [mend_file(w.path, Path(self._mended.name) / f"{n}.ndjson.zst") for n, w in enumerate(walks)])
            except (duckdb.InvalidInputException, UnicodeDecodeError) as error:
                days = f"{walks[0].window.first} to {walks[-1].window.last}"
                raise ContractError(
                    f"{walks[0].endpoint.source} {walks[0].endpoint.name} for {days}: a record is not JSON ({str(error).splitlines()[0][:200]}); "
                    "nothing was stored, so report it to the vendor and run the days again."
                ) from None

    def _fill_lines(self, walks: Sequence[Spooled], paths: Sequence[Path]) -> None:
        self._options = (
            f"[{', '.join(sql.literal(str(path)) for path in paths)}], format = 'newline_delimited', compression = 'zstd', "
            f"maximum_object_size = {max(1_048_576, 4 * max(w.largest for w in walks))}"
        )
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE lines AS SELECT CAST(json AS VARCHAR) AS __json, md5_number(CAST(json AS VARCHAR)) AS __h, "
            f"CAST(file_index AS BIGINT) AS __walk FROM read_json_objects({self._options})"
        )

    def _read_fields(self, endpoint: Endpoint, walks: Sequence[Spooled]) -> None:
        """Table `parsed`, in the order of `lines`: the raw table's own columns, the day, and whether every rule holds."""
        shape = sql.shape(endpoint.fields)
        columns = ", ".join(f"{sql.literal(name)}: {sql.literal(sql.struct(node))}" for name, node in shape.items())
        flat = ", ".join(f"{sql.as_read(f, '.'.join(map(sql.quote, f.path.split('.'))))} AS {sql.quote(f.path)}" for f in endpoint.fields)
        self.careful = bool(self._shape.twice)
        if not self.careful:
            try:
                self._fill(
                    endpoint,
                    f"SELECT CAST(file_index AS BIGINT) AS __walk, {flat} FROM read_json({self._options}, columns = {{{columns}}})",
                )
                asked = f"SELECT coalesce(bool_or(__large), false) OR ({sql.has_strangers(endpoint)}) FROM parsed"
                self.careful = bool(self._con.execute(asked).fetchall()[0][0])
            except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException, UnicodeDecodeError):
                # The last one: DuckDB cuts what it quotes in its error in the middle of a letter.
                self.careful = True
        if self.careful:
            self._fill(endpoint, sql.each_field(endpoint, "lines"))

    def _fill(self, endpoint: Endpoint, fields: str) -> None:
        laws = sql.laws(endpoint, self._shape.twice, each=self.careful)
        decisive = [law for law in laws if endpoint.decides(law.path)]
        others = [law for law in laws if not endpoint.decides(law.path)]
        own = ", ".join(f"{sql.kept(endpoint, c, others)} AS {sql.quote(c.name)}" for c in sql.own_columns(endpoint))
        ok = sql.all_met(decisive)
        if endpoint.refusals:
            ok += f" AND {sql.quote(endpoint.refusals)} IS NULL"
        readable = sql.all_met([law for law in decisive if law.reads and law.path in endpoint.money_fields])
        # Of a record that is rejected for another reason the money is known only where there is none.
        known = f"__total IS NOT NULL AND {readable} AND ({ok} OR __total = 0)" if endpoint.vendor_total else "true"
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT __walk, __total, {own}, {ok} AS ok, {sql.all_met(others)} AS __whole, "
            f"{known} AS __known, {sql.has_large(endpoint)} AS __large, CASE WHEN __day BETWEEN __first AND __last THEN __day ELSE __first END AS usage_date "
            f"FROM ({sql.values(endpoint, fields, self._bounds)})"
        )

    def _extra(self) -> tuple[str, list[str]]:
        if not self.unknown_fields:
            return "CAST(NULL AS VARCHAR)", []
        pairs = ", ".join("{'k': ?, 'v': json_extract(__json, ?)}" for _ in self.unknown_fields)
        parameters = [p for path in self.unknown_fields for p in (path, self._shape.pointers[path])]
        return (
            f"(SELECT CASE WHEN len(e) > 0 THEN CAST(to_json(map_from_entries(e)) AS VARCHAR) END "
            f"FROM (SELECT list_filter([{pairs}], x -> x.v IS NOT NULL) AS e))"
        ), parameters

    def _register(self, fetches: Mapping[tuple[str, date], str]) -> None:
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE fetches AS SELECT __walk, usage_date, fetch_id FROM "
            "(SELECT unnest(?) AS __path, unnest(?::DATE[]) AS usage_date, unnest(?) AS fetch_id) JOIN walks USING (__path)",
            [[path for path, _ in fetches], [day for _, day in fetches], list(fetches.values())],
        )


def _by_walk(days: Sequence[date]) -> str:
    return f"[{', '.join(f'DATE {sql.literal(str(day))}' for day in days)}][__walk + 1]"


def _empty_day(walk: Spooled, day: date, endpoint: Endpoint) -> Day:
    return Day(day, walk, 0, 0, "", None if endpoint.vendor_total is None else Decimal(0))
