"""BigQuery as the warehouse, against its emulator: tables as declared, loads published last, whole transactions, one job for one call.

What the emulator lacks is not asked here: bytes billed, `maximum_bytes_billed`, IAM. Those are asked with prepared errors of the real API's shape.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import bigquery

from ai_usage import tables
from ai_usage.operations.retention import clean_up
from ai_usage.settings import Settings
from ai_usage.tables.schema import Column, Type
from ai_usage.warehouse import Fact, WarehouseBusyError, WarehouseError, models
from ai_usage.warehouse.bigquery import BigQueryWarehouse, connect
from ai_usage.warehouse.bigquery_jobs import Jobs, worded
from ai_usage.warehouse.bigquery_sql import view_ddl
from ai_usage_tests.fixtures.bigquery import BigQueryDesk, Place, arrow
from ai_usage_tests.fixtures.desk import NOON

DAY = date(2026, 11, 1)
EVENT = {"usage_date": DAY, "fetch_id": "f1", "fetched_at": NOON, "ingest_date": NOON.date(), "user_email": "a@example.com"}
FETCH = {
    "fetch_id": "f1", "version_fetch_id": "f1", "source": "cursor", "endpoint": "filtered-usage-events", "usage_date": DAY, "fetched_at": NOON,
    "state": "complete", "origin": "api", "changed": True, "row_count": 1, "rejected_count": 0,
}  # fmt: skip
EVENTS = tables.BY_NAME["raw_cursor_events"]


@pytest.fixture(scope="module")
def bare(bigquery_place: Place) -> Iterator[str]:
    """A dataset without tables."""
    with bigquery_place.dataset() as name:
        yield name


# Tables and views -----------------------------------------------------------------------------------------------------


def test_tables_and_views_are_as_declared(bigquery_desk: BigQueryDesk) -> None:
    client, place = bigquery_desk.warehouse.client, bigquery_desk.warehouse.place
    assert {t.table_id for t in client.list_tables(place)} == set(tables.BY_NAME)
    fact = client.get_table(f"{place}.fct_cost_daily")
    assert (fact.time_partitioning.type_, fact.time_partitioning.field) == ("DAY", "cost_date")
    assert fact.clustering_fields == ["platform", "user_email"] and fact.labels["layer"] == "curated"
    assert fact.description.startswith(tables.BY_NAME["fct_cost_daily"].description)
    assert client.get_table(f"{place}.raw_anthropic_cost").require_partition_filter
    for declared in tables.ALL:
        found = client.get_table(f"{place}.{declared.name}")
        assert [f.name for f in found.schema] == list(declared.column_names)
        if not declared.view:
            assert [(f.mode == "NULLABLE") for f in found.schema] == [c.nullable for c in declared.columns], declared.name
            assert all(f.description for f in found.schema)
    view = client.get_table(f"{place}.vw_monthly_finance")
    assert view.table_type == "VIEW" and view.description.startswith("Billed cost per month") and view.labels["layer"] == "mart"


def test_a_view_is_its_file_with_datasets_written_in() -> None:
    """Nothing is translated on the way to BigQuery: without the dataset, the text is the file's."""
    for model in models.views():
        text = view_ddl(model.table, "p.d").replace("`p.d.", "`")
        for word in tables.BY_NAME:
            text = text.replace(f"`{word}`", word)
        assert models.view_sql(model).strip().rstrip(";") in text, model.path


def test_a_new_column_is_added_and_nothing_is_dropped(bigquery_place: Place, bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that a newer version declares comes, filled with NULL; one that this version does not know stays with its values."""
    users = tables.BY_NAME["dim_users"]
    older = replace(users, columns=(*(c for c in users.columns if c.name != "cost_center"), Column("left_over", Type.STRING, "Of old.")))
    warehouse = bigquery_place.warehouse(bare)
    warehouse._create(older)
    client = warehouse.client
    client.query_and_wait(
        f"INSERT INTO `{warehouse.place}.dim_users` (user_id, email, created_at, updated_at, left_over) "
        "VALUES ('u', 'a@example.com', TIMESTAMP '2026-11-01', TIMESTAMP '2026-11-01', 'kept')"
    )
    warehouse._create(users)
    [row] = client.query_and_wait(f"SELECT cost_center, left_over, email FROM `{warehouse.place}.dim_users`")
    assert tuple(row) == (None, "kept", "a@example.com")
    described = {f.name: f.description for f in client.get_table(f"{warehouse.place}.dim_users").schema}
    assert described["cost_center"] == users.column("cost_center").description

    required = replace(users, columns=(*users.columns, Column("needed", Type.STRING, "x", nullable=False)))
    with pytest.raises(WarehouseError, match="lacks the required column needed.*name another dataset"):
        warehouse._create(required)
    typed = replace(users, columns=tuple(replace(c, type=Type.INT64) if c.name == "email" else c for c in users.columns))
    with pytest.raises(WarehouseError, match="email is STRING where INT64 is declared"):
        warehouse._create(typed)


def test_a_question_about_every_day_is_refused_where_each_reader_names_days(bigquery_desk: BigQueryDesk) -> None:
    """`always_by_day`: a scan of all history by mistake is an error and not a bill."""
    with pytest.raises(WarehouseError, match="filter over column.*usage_date"):
        bigquery_desk.ask("SELECT COUNT(*) AS n FROM raw_anthropic_cost")
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM raw_anthropic_cost WHERE usage_date = @day", day=DAY) == 0


# Loads ----------------------------------------------------------------------------------------------------------------


def test_rows_are_visible_once_their_fetch_is_and_digits_are_kept(bigquery_desk: BigQueryDesk) -> None:
    warehouse = bigquery_desk.warehouse
    exact, instant = Decimal("12345678901234567890.123456789"), datetime(2026, 11, 1, 23, 59, 59, 999999, tzinfo=UTC)
    rows = arrow("raw_cursor_events", {**EVENT, "charged_usd": exact, "event_at": instant, "is_chargeable": True, "model": 'a"\\\n\u0000ü'})
    warehouse.publish({EVENTS: rows}, arrow("raw_fetches"))
    assert bigquery_desk.ask("SELECT * FROM stg_cursor_cost") == []
    warehouse.publish({}, arrow("raw_fetches", FETCH))
    [row] = bigquery_desk.ask("SELECT charged_usd, event_at, model FROM raw_cursor_events")
    assert (row["charged_usd"], row["event_at"], row["model"]) == (exact, instant, 'a"\\\n\u0000ü')
    assert [r["cost_usd"] for r in bigquery_desk.ask("SELECT cost_usd FROM stg_cursor_cost")] == [exact]


KILLED = """
import os, sys
from datetime import date
from ai_usage_tests.fixtures.bigquery import Place, arrow
from ai_usage_tests.unit.test_bigquery import EVENT, EVENTS, FETCH
warehouse = Place("local", sys.argv[1]).warehouse(sys.argv[2])
load = warehouse._load
def deadly(table, data):
    if table.name == "raw_fetches":
        os.kill(os.getpid(), 9)
    load(table, data)
warehouse._load = deadly
warehouse.publish({EVENTS: arrow("raw_cursor_events", EVENT)}, arrow("raw_fetches", FETCH))
"""


def test_a_process_killed_between_load_and_publication_leaves_nothing_to_be_seen(
    bigquery_desk: BigQueryDesk, bigquery_place: Place
) -> None:
    """The rows lie there and nobody sees them; cleaning takes them after a day, since a younger one may be about to be published."""
    warehouse = bigquery_desk.warehouse
    dataset = warehouse.place.split(".")[1]
    done = subprocess.run([sys.executable, "-c", KILLED, str(bigquery_place.url), dataset], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM raw_cursor_events") == 1
    assert bigquery_desk.ask("SELECT * FROM stg_current_fetches") == [] == bigquery_desk.ask("SELECT * FROM stg_cursor_usage")
    young = {**EVENT, "fetch_id": "young", "fetched_at": datetime.now(UTC) - timedelta(hours=1)}
    old = {**EVENT, "fetch_id": "old", "fetched_at": datetime.now(UTC) - timedelta(hours=25)}
    bigquery_desk.lay("raw_cursor_events", young, old)

    class Only:
        settings = Settings(_env_file=None, data_dir=bigquery_desk.folder)  # type: ignore[call-arg]

    Only.warehouse = warehouse  # type: ignore[attr-defined]
    gone = clean_up(Only)["orphan_rows"]  # type: ignore[arg-type]
    left = {r["fetch_id"] for r in bigquery_desk.ask("SELECT fetch_id FROM raw_cursor_events")}
    past = datetime.now(UTC) - NOON >= timedelta(days=1)
    assert left == ({"young"} if past else {"young", "f1"}) and gone == (2 if past else 1)


# Transactions ---------------------------------------------------------------------------------------------------------


def costs(desk: BigQueryDesk, usd: str, **fetch: Any) -> None:
    desk.events(DAY, {"user_email": "a@example.com", "charged_usd": Decimal(usd)}, **fetch)


def replaced(desk: BigQueryDesk, *facts: Fact, at: datetime = NOON) -> int:
    model = models.model("fct_cost_daily")
    parameters = {"start_date": DAY, "end_date": DAY, "as_of_date": DAY, "processed_at": at}
    return desk.warehouse.replace(model.table, model.sql, parameters, facts)


def test_a_fact_that_fails_rolls_everything_back_and_one_that_holds_lets_it_stand(bigquery_desk: BigQueryDesk) -> None:
    costs(bigquery_desk, "0.5")
    assert replaced(bigquery_desk) == 1
    before = bigquery_desk.ask("SELECT * FROM fct_cost_daily")
    assert before[0]["cost_usd"] == Decimal("0.5")
    costs(bigquery_desk, "0.7", at=NOON.replace(hour=13))
    for difference, shown in (
        ("SELECT 1", "difference is 1"), ("SELECT 0, NULL", "difference is .*, None"), ("SELECT CAST('0.000000001' AS NUMERIC)", "0.000000001"),
        ("SELECT 0 FROM raw_fetches WHERE FALSE", "no row"), ("SELECT no_such_column FROM raw_fetches", "no_such_column"),
        ("SELECT -SUM(cost_usd) FROM fct_cost_daily", "-0.7"),
    ):  # fmt: skip
        with pytest.raises(WarehouseError, match=shown) as caught:
            replaced(bigquery_desk, Fact("this holds", "SELECT 0", "-"), Fact("it is so", difference, "Do this."))
        assert "\n" not in str(caught.value)
        if "no_such_column" not in shown:
            assert "fct_cost_daily: it is so does not hold" in str(caught.value) and "nothing was written. Do this." in str(caught.value)
        assert bigquery_desk.ask("SELECT * FROM fct_cost_daily") == before
    held = Fact("the new rows are seen inside", "SELECT SUM(cost_usd) - NUMERIC '0.7', COUNT(*) - 1 FROM fct_cost_daily", "-")
    assert replaced(bigquery_desk, held) == 1
    assert bigquery_desk.one("SELECT SUM(cost_usd) AS usd FROM fct_cost_daily") == Decimal("0.7")


# One call, one job ----------------------------------------------------------------------------------------------------


def test_a_call_that_another_process_makes_again_finds_the_job_of_the_first(bigquery_desk: BigQueryDesk, bigquery_place: Place) -> None:
    """Answer 409: the job is there already, so it is waited for, and the rows stand once."""
    rows = arrow("raw_cursor_events", {**EVENT, "fetch_id": "once"})
    dataset = bigquery_desk.warehouse.place.split(".")[1]
    for _ in range(2):
        bigquery_place.warehouse(dataset).publish({EVENTS: rows}, arrow("raw_fetches", {**FETCH, "fetch_id": "once"}))
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM raw_cursor_events") == 1
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM raw_fetches") == 1
    # A process that asks twice means it: the tables may have changed between.
    costs(bigquery_desk, "0.5", at=NOON.replace(hour=13))
    assert replaced(bigquery_desk) == 1
    costs(bigquery_desk, "0.7", at=NOON.replace(hour=14))
    assert replaced(bigquery_desk) == 1
    assert bigquery_desk.one("SELECT SUM(cost_usd) AS usd FROM fct_cost_daily") == Decimal("0.7")


def test_what_is_said_again_in_the_same_words_is_done_again(bigquery_desk: BigQueryDesk, bigquery_place: Place) -> None:
    """Another process deletes what has come back, and makes a view that is gone, though jobs with these very words have succeeded."""
    dataset = bigquery_desk.warehouse.place.split(".")[1]
    for _ in range(2):
        bigquery_desk.lay("dim_user_assignments", {"email": "a@example.com"})
        assert bigquery_place.warehouse(dataset).execute("DELETE FROM dim_user_assignments WHERE TRUE") == 1
        bigquery_desk.warehouse.client.delete_table(f"{bigquery_desk.warehouse.place}.sheet_issues")
        bigquery_place.warehouse(dataset).create_view(tables.BY_NAME["sheet_issues"])
        assert bigquery_desk.ask("SELECT * FROM sheet_issues") == []


def test_a_model_without_parameters_is_computed_in_every_run(bigquery_desk: BigQueryDesk, bigquery_place: Place) -> None:
    """Assignments take no parameter, so yesterday's statement is today's: it must run all the same, unless the very call is repeated."""
    dataset, model = bigquery_desk.warehouse.place.split(".")[1], models.model("dim_user_assignments")
    for hour, department in enumerate(("Design", "Data", "Data")):
        bigquery_desk.tab("people", {"email": "a@example.com", "department": department}, at=NOON.replace(hour=hour))
        parameters = {"start_date": DAY, "end_date": DAY, "as_of_date": DAY, "processed_at": NOON.replace(hour=hour)}
        for _ in range(2):
            assert bigquery_place.warehouse(dataset).replace(model.table, model.sql, parameters) == 1
        assert bigquery_desk.ask("SELECT department FROM dim_user_assignments") == [{"department": department}]


class Lost:
    """A client whose first `times` answers are errors, though the job was made."""

    def __init__(self, client: bigquery.Client, *errors: Exception, made: bool) -> None:
        self._client, self._errors, self._made = client, list(errors), made
        self.ids: list[str] = []
        self.configs: list[bigquery.QueryJobConfig] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, sql: str, job_id: str | None, **more: Any) -> Any:
        self.ids.append(job_id or "")
        self.configs.append(more["job_config"])
        if self._errors:
            if self._made:
                self._client.query(sql, job_id=job_id, **more).result()
            raise self._errors.pop(0)
        return self._client.query(sql, job_id=job_id, **more)


def failing(kind: type[api.GoogleAPICallError], reason: str, said: str = "x") -> api.GoogleAPICallError:
    return kind(said, errors=[{"reason": reason, "message": said}])


def lost(place: Place, desk: BigQueryDesk, *errors: Exception, made: bool = False) -> tuple[BigQueryWarehouse, Lost]:
    client = Lost(place.client, *errors, made=made)
    name = desk.warehouse.place.split(".")[1]
    return BigQueryWarehouse(lambda: client, place.project, name, backoff_s=0.01), client  # type: ignore[arg-type, return-value]


INSERT = "INSERT INTO dim_user_assignments (email, valid_from, valid_to) VALUES (@email, DATE '2026-01-01', DATE '2026-02-01')"


def test_what_the_api_calls_transient_is_tried_again_under_another_id(bigquery_place: Place, bigquery_desk: BigQueryDesk) -> None:
    errors = [
        failing(api.InternalServerError, "backendError"), failing(api.Forbidden, "jobRateLimitExceeded"),
        failing(api.BadRequest, "invalidQuery", "Transaction is aborted due to concurrent update against table x"),
    ]  # fmt: skip
    warehouse, client = lost(bigquery_place, bigquery_desk, *errors)
    assert warehouse.execute(INSERT, {"email": "a"}) == 1
    assert len(set(client.ids)) == 4 and len({i.rsplit("-", 1)[0] for i in client.ids}) == 1
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM dim_user_assignments") == 1


def test_what_was_done_though_its_answer_was_lost_is_not_done_again(bigquery_place: Place, bigquery_desk: BigQueryDesk) -> None:
    """The library's own repetition of a lost insert is answered 409."""
    warehouse, _ = lost(bigquery_place, bigquery_desk, failing(api.Conflict, "duplicate"), made=True)
    assert warehouse.execute(INSERT, {"email": "b"}) == 1
    assert bigquery_desk.one("SELECT COUNT(*) AS n FROM dim_user_assignments") == 1


def test_a_refusal_is_not_tried_again(bigquery_place: Place, bigquery_desk: BigQueryDesk) -> None:
    warehouse, client = lost(
        bigquery_place, bigquery_desk, failing(api.Forbidden, "accessDenied", "Permission bigquery.jobs.create denied")
    )
    with pytest.raises(WarehouseError, match=r"roles/bigquery\.jobUser"):
        warehouse.execute(INSERT, {"email": "c"})
    assert len(client.ids) == 1


def test_what_stays_transient_ends_in_a_sentence(bigquery_place: Place) -> None:
    class Never:
        def query(self, *_: Any, **__: Any) -> Any:
            raise failing(api.BadRequest, "invalidQuery", "Transaction is aborted due to concurrent update against table x")

    jobs = Jobs(lambda: Never(), "p.d", "US", 10**9, dict, patience_s=0.05, backoff_s=0.01)  # type: ignore[arg-type, return-value]
    with pytest.raises(WarehouseBusyError, match="kept refusing.*nothing was half-written"):
        jobs.query("SELECT 1", [], writes=True)


def test_labels_are_in_the_letters_that_bigquery_allows(bigquery_desk: BigQueryDesk, bigquery_place: Place) -> None:
    said = {"asset": "fct_Cost daily/ü", "run": "R" * 80, "partition": "2026-11-01_2026-11-30", "nothing": ""}
    warehouse = bigquery_place.warehouse(bigquery_desk.warehouse.place.split(".")[1], labels=lambda: said)
    job = warehouse._ask("SELECT 1 AS one", [], writes=False)
    assert warehouse.client.get_job(job.job_id).labels == {
        "managed_by": "ai_usage", "asset": "fct_cost-daily--", "run": "r" * 63, "partition": "2026-11-01_2026-11-30",
    }  # fmt: skip


def test_what_a_job_cost_is_counted_and_what_is_not_said_is_not_zero(bigquery_desk: BigQueryDesk) -> None:
    class Job:
        _properties: dict[str, Any] = {}

        def __init__(self, billed: int | None, slots: int | None) -> None:
            self.total_bytes_billed, self.slot_millis = billed, slots

        def result(self) -> None: ...

    answers = iter([Job(10_485_760, 7), Job(10_485_760, 5), Job(None, None)])

    class Client:
        def query(self, *_: Any, **__: Any) -> Job:
            return next(answers)

    jobs = Jobs(lambda: Client(), "p.d", "US", 10**9, dict)  # type: ignore[arg-type, return-value]
    jobs.query("SELECT 1", [], writes=False)
    jobs.query("SELECT 1", [], writes=False)
    assert jobs.spent() == {"jobs": 2, "bytes_billed": 20_971_520, "slot_ms": 12}
    jobs.query("SELECT 1", [], writes=False)
    assert jobs.spent() == {"jobs": 1} and jobs.spent() == {}
    bigquery_desk.warehouse.spent()
    bigquery_desk.ask("SELECT 1 AS one")
    assert bigquery_desk.warehouse.spent()["jobs"] == 1


# Errors ---------------------------------------------------------------------------------------------------------------


def test_a_dataset_that_is_not_there_says_how_to_make_it(bigquery_place: Place) -> None:
    warehouse = bigquery_place.warehouse("nowhere")
    for ask in (warehouse.ensure, warehouse.probe):
        with pytest.raises(WarehouseError, match=r"dataset local\.nowhere .*bq --location=US mk --dataset local:nowhere"):
            ask()


def test_a_dataset_elsewhere_is_told(bigquery_place: Place, bare: str) -> None:
    warehouse = bigquery_place.warehouse(bare)
    warehouse.location = "EU"
    with pytest.raises(WarehouseError, match="lies in US and AI_USAGE_BIGQUERY_LOCATION is EU"):
        warehouse.probe()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failing(api.Forbidden, "accessDenied", "Access Denied: Project p: User does not have bigquery.jobs.create permission"), ["roles/bigquery.jobUser", "project p"]),
        (failing(api.Forbidden, "accessDenied", "Access Denied: Table p:d.x: Permission bigquery.tables.updateData denied"), ["roles/bigquery.dataEditor", "p.d"]),
        (failing(api.Forbidden, "quotaExceeded", "Quota exceeded: imports per table"), ["quota"]),
        (failing(api.BadRequest, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1."), ["AI_USAGE_BIGQUERY_MAX_BYTES_BILLED", "fewer days"]),
        (failing(api.NotFound, "notFound", "Not found: Dataset p:d was not found in location EU"), ["bq --location=EU mk --dataset p:d"]),
        (failing(api.NotFound, "notFound", "Not found: Table p:d.x"), ["p:d.x", "ai-usage run"]),
        (failing(api.BadRequest, "stopped", "Job execution was cancelled: Job timed out after 5s"), ["AI_USAGE_QUERY_TIMEOUT_S"]),
        (auth.DefaultCredentialsError("none"), ["GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth"]),
        (auth.RefreshError("invalid_grant"), ["invalid_grant", "GOOGLE_APPLICATION_CREDENTIALS"]),
        (api.RetryError("Timeout of 60.0s exceeded", cause=requests.ConnectionError("refused")), ["cannot be reached (refused)"]),
        (requests.ConnectionError("refused"), ["cannot be reached", "AI_USAGE_BIGQUERY_ENDPOINT"]),
        (failing(api.BadRequest, "invalidQuery", "Syntax error: Unexpected x at [1:1]\nmore"), ["Syntax error: Unexpected x"]),
    ],
)  # fmt: skip
def test_an_error_is_one_sentence_with_its_remedy(error: Exception, words: list[str]) -> None:
    said = str(worded(error, "p.d", "EU"))
    assert "\n" not in said and said.endswith((".", "]", ")")), said
    for word in words:
        assert word in said, said


def test_questions_only_read_and_name_their_parameters(bigquery_desk: BigQueryDesk) -> None:
    with pytest.raises(WarehouseError, match="only a SELECT"):
        bigquery_desk.warehouse.select("DELETE FROM raw_fetches WHERE TRUE")
    with pytest.raises(WarehouseError, match="@day"):
        bigquery_desk.ask("SELECT * FROM raw_fetches WHERE usage_date = @day")
    with pytest.raises(WarehouseError, match="no_such_table"):
        bigquery_desk.ask("SELECT * FROM no_such_table")


def test_a_key_file_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    warehouse = BigQueryWarehouse(lambda: connect("p", "US", None, tmp_path / "none.json"), "p", "d")
    with pytest.raises(WarehouseError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        warehouse.select("SELECT 1 AS one")


def test_a_stream_is_the_answer_in_pieces(bigquery_desk: BigQueryDesk) -> None:
    sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS n ORDER BY n"
    parts = [part["n"].to_pylist() for part in bigquery_desk.warehouse.stream(sql)]
    assert len(parts) >= 3 and [n for part in parts for n in part] == list(range(1, 25_001))


def test_a_persons_question_is_bounded_and_names_declared_tables(bigquery_place: Place, bigquery_desk: BigQueryDesk) -> None:
    warehouse, client = lost(bigquery_place, bigquery_desk)
    asked = [p.to_pylist() for p in warehouse.ask("SELECT n FROM UNNEST([1, 2]) AS n ORDER BY n", seconds=9.5, memory_mb=100)]
    assert [row for part in asked for row in part] == [{"n": 1}, {"n": 2}]
    nothing = list(warehouse.ask("SELECT fetch_id FROM raw_fetches WHERE FALSE", seconds=9.5, memory_mb=100))
    assert [p.column_names for p in nothing] == [["fetch_id"]]
    assert {(int(c.job_timeout_ms or 0), c.maximum_bytes_billed) for c in client.configs} == {(9500, 100_000_000_000)}
    with pytest.raises(WarehouseError, match=r"no table other\.people"):
        list(warehouse.ask("SELECT * FROM other.people", seconds=9, memory_mb=100))
