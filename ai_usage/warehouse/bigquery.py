"""BigQuery: the warehouse where one machine is not enough. The same tables and the same SQL files as DuckDB.

Belongs here: the protocol on google-cloud-bigquery. Rows arrive as Parquet load jobs and become visible with one row of `raw_fetches`;
a range of a table is replaced by one multi-statement transaction. Does not belong here: jobs, ids, retries and error sentences
(`bigquery_jobs.py`), what BigQuery is told (`bigquery_sql.py`).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions as api
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from ai_usage import tables
from ai_usage.guards.outgoing import guarded
from ai_usage.tables.schema import Table
from ai_usage.warehouse import bigquery_sql as sql_for
from ai_usage.warehouse import dialect, guard, models
from ai_usage.warehouse.base import Fact, Parameters, ProofError, Stuck, WarehouseError, not_the_same, used
from ai_usage.warehouse.bigquery_jobs import PATIENT, Jobs

STAMP = "ai_usage_schema"  # a label of raw_fetches: what is deployed
PAGE = 10_000  # rows a page of an answer, which arrives as JSON


def connect(project: str, location: str, endpoint: str | None = None, key_file: Path | None = None) -> bigquery.Client:
    """The official client. An endpoint without TLS is somebody's own and gets no credentials; else the key file, or Google's default search.

    google.auth's exceptions and OSError leave as they are; `Jobs.words` makes sentences of them.
    """
    options = ClientOptions(api_endpoint=endpoint) if endpoint else None
    if endpoint and endpoint.startswith("http://"):
        return _guarded(bigquery.Client(project=project, location=location, credentials=AnonymousCredentials(), client_options=options))
    if key_file and not os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):  # it may stand in .env alone, where Google's search does not look
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(key_file)
    return _guarded(bigquery.Client(project=project, location=location, client_options=options))


def _guarded(client: bigquery.Client) -> bigquery.Client:
    guarded(client._http)
    return client


class BigQueryWarehouse:
    """The warehouse in one dataset, which must be there. `client` is called once, when first needed."""

    name = "bigquery"
    publish_bytes = 64_000_000  # a table takes 1,500 load jobs a day
    orphan_age = timedelta(days=1)  # another process may be between its load and its publication

    def __init__(
        self, client: Callable[[], bigquery.Client], project: str, dataset: str, *, location: str = "US",
        max_bytes_billed: int = 100_000_000_000, labels: Callable[[], Mapping[str, str]] = dict, backoff_s: float = 1.0,
    ) -> None:  # fmt: skip
        self.place = f"{project}.{dataset}"
        self.location = location
        self._connect = client
        self._made: bigquery.Client | None = None
        self._jobs = Jobs(lambda: self.client, self.place, location, max_bytes_billed, labels, backoff_s=backoff_s)
        self._ensured = False
        self._here = threading.RLock()

    def __repr__(self) -> str:
        return f"BigQueryWarehouse({self.place})"

    @property
    def client(self) -> bigquery.Client:
        with self._here:
            if self._made is None:
                self._made = self._connect()
            return self._made

    # The protocol ---------------------------------------------------------------------------------------------

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def ensure(self) -> None:
        """Create tables and views; add nullable columns that a newer version declares. A label says that it has been done."""
        with self._here, self._jobs.words():
            if self._ensured:
                return
            try:
                deployed = self.client.get_table(f"{self.place}.raw_fetches", retry=PATIENT).labels.get(STAMP)
            except api.NotFound:
                deployed = None
            if deployed != _stamp():
                for table in (t for t in tables.ALL if not t.view):
                    self._create(table)
                self._ask(";\n".join(sql_for.view_ddl(m.table, self.place) for m in models.views()), [], writes=True)
                fetches = self.client.get_table(f"{self.place}.raw_fetches")
                fetches.labels = {**fetches.labels, STAMP: _stamp()}
                self.client.update_table(fetches, ["labels"])
            self._ensured = True

    def publish(self, rows: Mapping[Table, pa.Table], fetches: pa.Table) -> None:
        """Each table is one load job, all or nothing; `raw_fetches` comes last, and with it the rows exist for every reader."""
        self.ensure()
        for table, data in rows.items():
            self._load(table, data)
        self._load(tables.BY_NAME["raw_fetches"], fetches)

    def replace(self, table: Table, model: str, parameters: Parameters, facts: Sequence[Fact] = ()) -> int:
        self.ensure()
        script = sql_for.replacement(table, model, facts)
        names = dialect.parameters(models.expand(model)).union(*(dialect.parameters(models.expand(f.difference_sql)) for f in facts))
        if table.date_column:
            names |= {"start_date", "end_date"}
        try:
            job = self._ask(script, self._bound(names, parameters), writes=True, once=str(parameters.get("processed_at") or ""))
        except WarehouseError as error:
            found = re.search(r"fact (\d+) \[([^\]]*)\]", str(error.__cause__))
            if not found:
                raise
            fact = facts[int(found[1])]
            raise ProofError(
                f"{table.name}: {fact.name} does not hold, the difference is {found[2]}; nothing was written. {fact.remedy}"
            ) from None
        with self._jobs.words():
            return int(next(iter(job.result()))[0])

    def create_view(self, table: Table) -> None:
        self.ensure()
        self._ask(sql_for.view_ddl(table, self.place), [], writes=True)

    def select(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        job = self._question(sql, parameters)
        with self._jobs.words():
            return _plain(job.result(page_size=PAGE).to_arrow(create_bqstorage_client=False))

    def stream(self, sql: str, parameters: Parameters | None = None) -> Iterator[pa.Table]:
        yield from self._pieces(self._question(sql, parameters))

    def ask(self, sql: str, *, seconds: float, memory_mb: int, stuck: Stuck = lambda sentence: None) -> Iterator[pa.Table]:
        guard.check(sql)
        job = self._jobs.query(models.question(sql, None), [], writes=False, seconds=seconds)
        pieces = self._pieces(job)
        first = next(pieces, None)
        with self._jobs.words():
            yield _plain(job.result(max_results=1).to_arrow(create_bqstorage_client=False)) if first is None else first
        yield from pieces

    def _pieces(self, job: bigquery.QueryJob) -> Iterator[pa.Table]:
        with self._jobs.words():
            for batch in job.result(page_size=PAGE).to_arrow_iterable():
                yield _plain(pa.Table.from_batches([batch]))

    def execute(self, sql: str, parameters: Parameters | None = None) -> int:
        self.ensure()
        job = self._ask(sql, self._bound(dialect.parameters(sql), parameters or {}), writes=True)
        return -1 if job.num_dml_affected_rows is None else int(job.num_dml_affected_rows)

    def rewrite(self, changes: Sequence[str], parameters: Parameters, unchanged: Mapping[str, str]) -> None:
        self.ensure()
        names = frozenset[str]().union(*(dialect.parameters(sql) for sql in (*changes, *unchanged.values())))
        try:
            job = self._ask(sql_for.rewriting(changes, list(unchanged.values())), self._bound(names, parameters), writes=True)
            with self._jobs.words():
                job.result()
        except WarehouseError as error:
            found = re.search(r"question (\d+) \[(.*?)\]", str(error.__cause__))
            if not found:
                raise
            raise WarehouseError(not_the_same(list(unchanged)[int(found[1])], found[2])) from None

    def probe(self) -> str:
        with self._jobs.words():
            dataset = self.client.get_dataset(self.place, retry=PATIENT)
            if dataset.location and dataset.location.upper() != self.location.upper():
                raise WarehouseError(
                    f"the dataset {self.place} lies in {dataset.location} and AI_USAGE_BIGQUERY_LOCATION is {self.location}; set it to "
                    f"{dataset.location}."
                )
            self._ask("SELECT 1 AS one", [], writes=False)  # may jobs be made at all?
            try:
                self.client.get_table(f"{self.place}.raw_fetches")
            except api.NotFound:
                return f"the dataset {self.place} opens; its tables will be made by the first run."
        rows = self.select("SELECT COUNT(*) AS n FROM raw_fetches")["n"][0].as_py()
        return f"the dataset {self.place} ({dataset.location or self.location}) opens; {rows} fetches are recorded."

    def spent(self) -> Mapping[str, int]:
        return self._jobs.spent()

    # How it is done -------------------------------------------------------------------------------------------

    def _question(self, sql: str, parameters: Parameters | None) -> bigquery.QueryJob:
        sql = models.question(sql, parameters)
        return self._ask(sql, self._bound(dialect.parameters(sql), parameters or {}), writes=False)

    def _ask(self, sql: str, parameters: list[object], *, writes: bool, once: str = "") -> bigquery.QueryJob:
        return self._jobs.query(sql, parameters, writes=writes, once=once)

    def _bound(self, names: frozenset[str], parameters: Parameters) -> list[object]:
        return [sql_for.parameter(name, value) for name, value in used(names, parameters).items()]

    def _load(self, table: Table, data: pa.Table) -> None:
        """Append rows by a load job from a Parquet file on disk."""
        if not data.num_rows:
            return
        schema = table.arrow_schema().with_metadata(data.schema.metadata)  # the bytes, and so the job's id, tell two copies apart
        with tempfile.TemporaryFile() as file:
            with pq.ParquetWriter(file, schema, compression="snappy") as writer:
                for batch in data.select(schema.names).cast(schema).to_batches(max_chunksize=100_000):
                    writer.write_batch(batch)
            size = file.tell()
            file.seek(0)
            config = bigquery.LoadJobConfig(
                source_format=bigquery.SourceFormat.PARQUET, write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
                create_disposition=bigquery.CreateDisposition.CREATE_NEVER, schema=[sql_for.field(c) for c in table.columns],
                decimal_target_types=[bigquery.DecimalTargetType.NUMERIC],
            )  # fmt: skip
            self._jobs.load(table.name, file, size, config)

    def _create(self, table: Table) -> None:
        wanted = sql_for.definition(table, self.place)
        there = self.client.create_table(wanted, exists_ok=True)
        held = {f.name: f for f in there.schema}
        for column in table.columns:
            if column.name not in held and not column.nullable:
                raise WarehouseError(
                    f"{self.place}.{table.name} lacks the required column {column.name}; it was made by another version, so name another "
                    "dataset and run again from the start date."
                )
            if column.name in held and _kind(held[column.name]) != column.type.value:
                raise WarehouseError(
                    f"{self.place}.{table.name}.{column.name} is {_kind(held[column.name])} where {column.type.value} is declared; name "
                    "another dataset and run again from the start date."
                )
        described = {f.name: f for f in wanted.schema}
        schema = [described.get(f.name, f) for f in there.schema] + [f for f in wanted.schema if f.name not in held]
        if schema != list(there.schema) or there.description != wanted.description:
            there.schema, there.description = schema, wanted.description
            self.client.update_table(there, ["schema", "description"])


_KINDS = {"INTEGER": "INT64", "BOOLEAN": "BOOL"}


def _kind(field: bigquery.SchemaField) -> str:
    return _KINDS.get(field.field_type, field.field_type)


def _stamp() -> str:
    """Changes when a declaration, a file under `sql/` or the way BigQuery is told of them does; a label holds 63 characters."""
    said = models.fingerprint() + repr([(t.name, t.date_column, t.cluster_by, t.description) for t in tables.ALL])
    return hashlib.sha256((said + Path(sql_for.__file__).read_text(encoding="utf-8")).encode()).hexdigest()[:40]


def _plain(found: pa.Table) -> pa.Table:
    """Without BigQuery's remarks on the fields, and nullable throughout: what an answer's schema is on every engine."""
    return found.cast(pa.schema([pa.field(f.name, f.type) for f in found.schema]))
