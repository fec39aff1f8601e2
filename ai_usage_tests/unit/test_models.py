"""The files under sql/: each says its grain and inputs truthfully, makes what is declared, and uses no forbidden idiom."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

import ai_usage
from ai_usage import tables
from ai_usage.tables.schema import Type
from ai_usage.transform.invariants import FACTS
from ai_usage.warehouse import bigquery_sql, dialect, models, sheet_models, vendor_models
from ai_usage_tests.fixtures.desk import NOON, Desk

ROOT = models.sql_root()
FILES = sorted(p for layer in models.LAYERS for p in (ROOT / layer).rglob("*.sql"))
ALL_SQL = sorted(ROOT.rglob("*.sql"))
DUCKDB = {
    Type.STRING: "VARCHAR",
    Type.INT64: "BIGINT",
    Type.NUMERIC: "DECIMAL(38,9)",
    Type.BOOL: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}
MODELS = list(models.all_models().values())


def header(path: Path) -> str:
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_file_opens_with_grain_and_its_true_inputs(path: Path) -> None:
    """The inputs that the comment names are the tables that the statement reads: all of them, and no others."""
    said = header(path)
    assert "Grain: " in said, "the header needs its grain"
    named = re.search(r"Inputs: (.+?)\.(?:\s|$)", said)
    assert named, "the header needs its inputs"
    inputs = {part.strip().removesuffix("(itself)").strip() for part in named.group(1).split(",")} - {"none"}
    assert inputs == dialect.references(path.read_text(encoding="utf-8"))
    assert inputs <= set(tables.BY_NAME), "every input is declared"


def test_every_declared_view_and_curated_table_has_its_file() -> None:
    made = {p.stem for p in FILES} | set(sheet_models.all_sql()) | set(vendor_models.all_sql())
    unions = {f"stg_{shape}" for shape in models.SHAPES}  # made of whatever staging files exist
    unions |= {"stg_anthropic_key_bearers"}  # stg_key_bearers over one vendor's keys
    assert made | unions == {t.name for t in tables.ALL if t.view or t.layer == "curated"}


def test_the_unions_join_every_staging_file_of_their_kind() -> None:
    """A new vendor's file joins without being named anywhere."""
    for kind in models.SHAPES:
        parts = {p.stem for p in (ROOT / "staging").rglob(f"stg_*_{kind}.sql")}
        assert parts
        assert set(models.model(f"stg_{kind}").inputs) == parts


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.table.name)
def test_a_model_makes_the_declared_columns_with_the_declared_types(desk: Desk, model: models.Model) -> None:
    """By name and order; types up to what INSERT and the views' casts convert without loss (SUM of BIGINT is HUGEINT in DuckDB)."""
    translated = dialect.to_duckdb(model.sql)
    parameters = {"start_date": NOON.date(), "end_date": NOON.date(), "as_of_date": NOON.date(), "processed_at": NOON}
    with duckdb.connect(str(desk.path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        answer = con.execute(translated, {k: v for k, v in parameters.items() if k in dialect.parameters(model.sql)})
        found = {d[0]: str(d[1]) for d in answer.description}
        assert sorted(found) == sorted(model.table.column_names)
        for column in model.table.columns:
            kind = found[column.name]
            exact = DUCKDB[column.type]
            fine = {exact, "HUGEINT"} if column.type is Type.INT64 else {exact}
            if column.type is Type.NUMERIC:
                fine |= {"DECIMAL(38,9)"}
            if column.type is Type.INT64:
                fine |= {"INTEGER", "SMALLINT"}
            assert kind in fine, f"{column.name} is {kind}, declared {exact}"
        if model.table.view:
            there = con.execute(f'DESCRIBE "{model.table.name}"').fetchall()
            assert [(r[0], r[1]) for r in there] == [(c.name, DUCKDB[c.type]) for c in model.table.columns]


def test_models_come_after_their_inputs() -> None:
    order = list(models.all_models())
    for model in MODELS:
        for other in model.inputs:
            if other in order and other != model.table.name:
                assert order.index(other) < order.index(model.table.name), (other, model.table.name)


@pytest.mark.parametrize(("fact", "staging"), [("fct_cost_daily", "stg_cost"), ("fct_usage_daily", "stg_usage")])
def test_a_fact_and_its_proofs_compute_their_staging_once(fact: str, staging: str) -> None:
    """BigQuery bills each reading of raw tables, and DuckDB plans for a quarter of a second: what stands in the script once is read once."""
    model = models.model(fact)
    statements = (model.sql, *(proof.difference_sql for proof in FACTS[fact]))
    assert models.shared(statements) == (staging,)
    reads = re.compile(r"FROM raw_cursor_(?:events|usage)\b")
    script = bigquery_sql.replacement(model.table, model.sql, FACTS[fact])
    assert len(reads.findall(script)) == len(reads.findall(models.expand(f"SELECT * FROM {staging}"))) > 0


def test_an_unknown_model_is_named_with_what_there_is() -> None:
    with pytest.raises(LookupError, match=r"'nothing'.*fct_cost_daily"):
        models.model("nothing")


# Forbidden idioms ---------------------------------------------------------------------------------------------------

FORBIDDEN = {
    r"\bFORMAT\s*\(": "FORMAT('%...') pads and rounds differently; compare and join on values, and leave their look to the dashboard.",
    r"\bLAX_\w+\s*\(": "LAX_* is BigQuery's alone; use JSON_VALUE and a cast.",
    r"(?<![\w.])STRING\s*\(": "STRING(json) is BigQuery's alone; use JSON_VALUE.",
    r"\bJSON_QUERY\s*\(": "JSON_QUERY of a JSON null is NULL on one engine and 'null' on the other; use JSON_VALUE or JSON_QUERY_ARRAY.",
    r"\bJSON_EXTRACT\w*\s*\(": "JSON_EXTRACT is BigQuery's old name with other quoting; use JSON_VALUE or JSON_QUERY_ARRAY.",
    r"EXTRACT\s*\(\s*WEEK\b": "EXTRACT(WEEK) begins weeks on different days; use ISOWEEK.",
    r"FORMAT_DATE\s*\(\s*'[^']*%e": "%e pads differently; use %d.",
    r"FORMAT_TIMESTAMP\s*\([^)]*,[^)]*,": "FORMAT_TIMESTAMP with a zone differs; use FORMAT_DATE of DATE(ts, zone).",
    r"(?<!TIMESTAMP\()\bTIMESTAMP_MILLIS\s*\(": "a bare TIMESTAMP_MILLIS has no zone on DuckDB; wrap it in TIMESTAMP().",
    r"PARSE_TIMESTAMP\s*\(\s*'[^']*%E": "PARSE_TIMESTAMP('%E*S') is BigQuery's alone; use TIMESTAMP(string).",
    r"ARRAY_AGG\s*\((?:[^()]|\([^()]*\))*\bLIMIT\b": "ARRAY_AGG(... LIMIT n) keeps another n; use QUALIFY or ANY_VALUE(x HAVING MAX y).",
    r"\bFARM_FINGERPRINT\b": "FARM_FINGERPRINT is BigQuery's alone; use TO_HEX(MD5()).",
    r"\bIEEE_DIVIDE\b": "IEEE_DIVIDE is BigQuery's alone; use SAFE_DIVIDE.",
    r"\bMAX_BY\b|\bMIN_BY\b": "MAX_BY and MIN_BY are not in GoogleSQL's reference; use ANY_VALUE(x HAVING MAX y).",
    r"\w\.?\w*\[(?!\s*(?:SAFE_OFFSET|OFFSET)\b)": "JSON and array subscripts are off by one; use JSON_VALUE with a path, or SAFE_OFFSET.",
    r"\bUPPER\s*\(": "UPPER treats ß differently; fold with LOWER.",
    r"\bSUBSTR(?:ING)?\s*\([^()]*,\s*0\b": "SUBSTR from 0 differs; count from 1.",
}
# By the parsed tree, since a pattern cannot see what stands around.
NOT_SAFE_OUTSIDE_CAST = (exp.Round, exp.Ceil, exp.Floor, exp.Trunc, exp.Sign)


def problems(sql: str) -> list[str]:
    """What a statement does that engines answer differently."""
    bare = re.sub(r"--[^\n]*", "", sql)
    found = [why for pattern, why in FORBIDDEN.items() if re.search(pattern, bare, re.IGNORECASE)]
    tree = sqlglot.parse_one(sql, read="bigquery")
    for window in tree.find_all(exp.Window):
        if isinstance(window.this, exp.RowNumber | exp.Rank | exp.DenseRank) and not window.args.get("partition_by"):
            found.append("ROW_NUMBER() without PARTITION BY: DuckDB 1.5.5 answers QUALIFY over no rows with one row of NULLs")
    # Whole numbers and days are written alike; fractions and instants are not.
    alike = {exp.DataType.Type.BIGINT, exp.DataType.Type.INT, exp.DataType.Type.DATE, exp.DataType.Type.NULL}
    for cast in dialect._annotated(tree).find_all(exp.Cast):
        if cast.to.this in (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR) and (
            cast.this.type is None or cast.this.type.this not in alike
        ):
            found.append(f"CAST(... AS STRING) of something: {cast.sql()}")
        if cast.to.this == exp.DataType.Type.BIGINT and isinstance(cast, exp.TryCast):
            found.append("SAFE_CAST(... AS INT64) of '1.5' is NULL on one engine and 2 on the other; cast to NUMERIC first.")
    found += [f"{n.sql()} of NUMERIC is INT64 on DuckDB; cast it." for n in tree.find_all(*NOT_SAFE_OUTSIDE_CAST) if not _inside_cast(n)]
    found += ["x / 0 is an error on one engine and infinity on the other; use SAFE_DIVIDE." for _ in tree.find_all(exp.Div)]
    for product in dialect._annotated(tree).find_all(exp.Mul):
        if all(dialect._is_numeric(side) for side in (product.this, product.expression)) and not _inside_cast(product):
            found.append(f"{product.sql()}: NUMERIC x NUMERIC keeps 18 decimals on DuckDB; write CAST(a * b AS NUMERIC).")
    found += [f"a literal day: {lit.this}" for lit in tree.find_all(exp.Literal) if lit.is_string and lit.this[:6] in {"user_0", "key_01"}]
    return found


def _inside_cast(node: exp.Expression) -> bool:
    """Whether a cast takes the value, or DIV, which repairs its operands, does."""
    parent = node.parent
    while isinstance(parent, exp.Paren | exp.IntDiv):
        parent = parent.parent
    return isinstance(parent, exp.Cast)


@pytest.mark.parametrize("path", ALL_SQL, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_uses_an_idiom_that_engines_answer_differently(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FORMAT('%d', 1)",
        "SELECT EXTRACT(WEEK FROM d) FROM t",
        "SELECT TIMESTAMP_MILLIS(1)",
        "SELECT ARRAY_AGG(x ORDER BY y LIMIT 1) FROM t",
        "SELECT FARM_FINGERPRINT(x) FROM t",
        "SELECT IEEE_DIVIDE(1, 2)",
        "SELECT MAX_BY(x, y) FROM t",
        "SELECT CAST(usd AS STRING) FROM t",
        "SELECT t.j[0] FROM t",
        "SELECT * FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY x) = 1",
        "SELECT JSON_QUERY(j, '$.a') FROM t",
        "SELECT FORMAT_DATE('%e', d) FROM t",
        "SELECT LAX_INT64(j) FROM t",
        "SELECT STRING(j) FROM t",
        "SELECT JSON_EXTRACT_SCALAR(j, '$.a') FROM t",
        "SELECT FORMAT_TIMESTAMP('%F', ts, 'America/Los_Angeles') FROM t",
        "SELECT PARSE_TIMESTAMP('%Y-%m-%dT%H:%M:%E*S', s) FROM t",
        "SELECT ARRAY_AGG(CONCAT(x, 'a') ORDER BY y LIMIT 1) FROM t",
        "SELECT SAFE_CAST(usd AS STRING) FROM t",
        "SELECT parts[0] FROM t",
        "SELECT UPPER(x) FROM t",
        "SELECT SUBSTR(x, 0, 2) FROM t",
        "SELECT SAFE_CAST(x AS INT64) FROM t",
        "SELECT ROUND(x, 2) FROM t",
        "SELECT x / y FROM t",
        "SELECT cost_usd * cost_usd FROM fct_cost_daily",
    ],
)
def test_the_linter_sees_each_idiom(sql: str) -> None:
    """A linter that cannot fail proves nothing."""
    assert problems(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(NULL AS STRING) FROM t",
        "SELECT SPLIT(x, ';')[SAFE_OFFSET(0)] FROM t",
        "SELECT CAST(ROUND(x) AS NUMERIC) FROM t",
        "SELECT SAFE_DIVIDE(x, y) FROM t",
        "SELECT CAST(cost_usd * cost_usd AS NUMERIC), cost_usd * 2 FROM fct_cost_daily",
        "SELECT REGEXP_REPLACE(x, r'[;,]+', ';') FROM t",
        "SELECT ANY_VALUE(x HAVING MAX y) FROM t",
    ],
)
def test_the_linter_lets_the_safe_idioms_pass(sql: str) -> None:
    assert problems(sql) == []


def test_sql_inside_python_uses_none_of_them_either() -> None:
    """Checks and cleaners carry their SQL in code; what a file under sql/ may not say, they may not."""
    package = Path(ai_usage.__file__).parent
    texts = 0
    engines = {"warehouse", "outputs", "simulator", "sources"}  # where SQL is an engine's own
    for path in (p for p in package.rglob("*.py") if p.relative_to(package).parts[0] not in engines):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\bSELECT\b.*\bFROM\b", node.value, re.DOTALL):
                texts += 1
                found = [why for pattern, why in FORBIDDEN.items() if re.search(pattern, re.sub(r"'[^']*'", "''", node.value))]
                assert found == [], (path.name, node.lineno)
    assert texts > 10


def test_sql_inside_python_partitions_its_row_numbers_too() -> None:
    for path in Path(ai_usage.__file__).parent.rglob("*.py"):
        code = re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8"))
        for found in re.findall(r"ROW_NUMBER\(\)\s+OVER\s*\(\s*(\w+)", code):
            assert found == "PARTITION", path


def test_qualify_over_nothing_is_nothing(desk: Desk) -> None:
    """The engine's defect that the rule above guards against does not show through the warehouse."""
    assert desk.ask("SELECT source FROM raw_fetches QUALIFY ROW_NUMBER() OVER (ORDER BY fetched_at DESC) = 1") == []
    assert desk.ask("SELECT * FROM stg_snapshots") == [] and desk.ask("SELECT * FROM stg_current_fetches") == []


def test_no_state_is_the_least_or_the_greatest_by_the_alphabet() -> None:
    """closed, open, provisional, settled: the alphabet knows nothing of which is least final. An order is written down, as a CASE."""
    for path in ALL_SQL:
        for found in sqlglot.parse_one(path.read_text(encoding="utf-8"), read="bigquery").find_all(exp.Min, exp.Max):
            names = {c.name for c in found.find_all(exp.Column)} if isinstance(found.this, exp.Column) else set()
            assert not names & {"settle_state", "state", "severity", "reason", "attribution", "cost_type"}, path


def test_no_file_splices_values() -> None:
    """Parameters are bound: no templating in sql/."""
    for path in ALL_SQL:
        text = path.read_text(encoding="utf-8")
        assert "{{" not in text and "{%" not in text and "%s" not in text, path


def test_no_statement_asks_the_engine_for_the_time() -> None:
    """A figure follows the day for which it is computed: an engine's clock and zone are its own, and a report as of last month has another today."""
    for name, text in [(str(p), p.read_text(encoding="utf-8")) for p in ALL_SQL] + list(sheet_models.all_sql().items()):
        asked = sqlglot.parse_one(text, read="bigquery").find(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentTime)
        assert asked is None, f"{name} asks for {asked}; take the day from stg_last_day or from a parameter"
