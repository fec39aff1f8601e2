"""The documentation says what the code does: generated pages are current, and what people wrote names only what exists."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ai_usage import tables
from ai_usage.cli import app as cli
from ai_usage.settings import Settings, variable
from ai_usage.warehouse import DuckDBWarehouse, models

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("ai_usage/sources/*/README.md"),
        *ROOT.glob("deploy/**/README.md"),
    ]
)
GENERATED = ("tables.md", "settings.md", "assets.md", "commands.md")
WRITTEN = [p for p in PAGES if p.parent != ROOT / "docs" or p.name not in GENERATED]
RUNBOOK = ROOT / "docs" / "runbook.md"
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^`[\w./]+`:\n\n```\w+\n.*?^```$", re.MULTILINE | re.DOTALL)
APP: Any = typer.main.get_command(cli.app)


def said(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", said(path))


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(h) for h in re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)}


def commands_in(text: str) -> list[str]:
    """Every `ai-usage …` command line: of code blocks, and of inline code that spells one out."""
    blocks = [line for kind, block in FENCE.findall(text) if kind in ("sh", "") for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]*\bai-usage [^`\n]+)`", FENCE.sub("", text))
    found = []
    for line in [*blocks, *inline]:
        match = re.search(r"(?:^|&& |\s)(?:\S*/)?ai-usage( .+)$", line.strip())
        if match and "…" not in match.group(1):
            found.append(match.group(1).strip())
    return found


def queries_in(text: str) -> list[str]:
    """The questions that a page asks. A block under the name of a file is that file, as `test_add_a_vendor.py` takes it, and no question."""
    text = FILE.sub("", text)
    found = [block for kind, block in FENCE.findall(text) if kind == "sql"]
    for line in commands_in(text):
        words = shlex.split(line, comments=True)
        if words[0] == "query" and len(words) > 1:
            found.append(words[1])
    return [q for q in found + re.findall(r"`(SELECT [^`\n]+)`", FENCE.sub("", text)) if "…" not in q]


# Making the pages takes 15 s, so one process makes them once for three calls: into an empty folder, checked there, checked where nothing is.
GENERATING = """
import contextlib, functools, io, json, sys
from ai_usage.docsgen import pages
pages.pages = functools.cache(pages.pages)
told = []
for arguments in (["--root", sys.argv[1]], ["--check", "--root", sys.argv[1]], ["--check", "--root", sys.argv[2]]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        told.append([pages.main(arguments), said.getvalue()])
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Generated:
    """What the generator wrote into `fresh`, and (exit code, output) of its three calls; `nothing` was checked only."""

    fresh: Path
    nothing: Path
    told: list[tuple[int, str]]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """In a process of its own, since the generator takes the settings away."""
    folder, nothing = tmp_path_factory.mktemp("generated"), tmp_path_factory.mktemp("nothing")
    done = subprocess.run(
        [sys.executable, "-c", GENERATING, str(folder), str(nothing)], cwd=nothing, capture_output=True, text=True, timeout=550
    )
    assert done.returncode == 0, done.stderr
    return Generated(folder, nothing, [(code, text) for code, text in json.loads(done.stdout)])


@pytest.fixture
def fresh(generated: Generated) -> Path:
    return generated.fresh


@pytest.fixture(scope="module")
def empty_warehouse(empty_file: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(empty_file)


# Generated pages ----------------------------------------------------------------------------------------------


def test_generated_files_are_current(fresh: Path) -> None:
    made = sorted(p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file())
    assert "docs/tables.md" in made
    stale = [n for n in made if not (ROOT / n).exists() or said(ROOT / n) != said(fresh / n)]
    assert not stale, f"run `make docs`: {stale}"


def test_no_template_is_left_over(fresh: Path) -> None:
    there = {p.name for p in (ROOT / "docs" / "templates").iterdir()}
    assert there == {p.name for p in (fresh / "docs" / "templates").iterdir()}


def test_check_names_stale_pages_and_fails(generated: Generated) -> None:
    """`--check` writes nothing, and is content with what was just written."""
    (written, _), (current, silence), (stale, named) = generated.told
    assert (written, current, silence, stale) == (0, 0, "", 1)
    assert "not current, run `make docs`: docs/settings.md" in named
    assert not list(generated.nothing.iterdir())


def test_the_environment_does_not_show_in_generated_pages(fresh: Path) -> None:
    """A key or a `.env` of whoever runs the generator must not reach a committed file."""
    assert "unused" not in said(fresh / ".env.example")
    assert "unused" not in said(fresh / "docs" / "settings.md")
    assert "unused" not in said(fresh / "docs" / "assets.md")


def test_every_setting_is_documented_and_exemplified() -> None:
    page, example = said(ROOT / "docs" / "settings.md"), said(ROOT / ".env.example")
    for name, field in Settings.model_fields.items():
        assert f"`{variable(name)}`" in page
        assert field.description, f"{name} has no description"
        assert re.search(rf"^# {variable(name)}=", example, re.MULTILINE)
    active = [line for line in example.splitlines() if line and not line.startswith("#")]
    assert not active, "every line of .env.example is commented out"


def test_every_table_and_column_is_documented() -> None:
    page = said(ROOT / "docs" / "tables.md")
    sections = {s.splitlines()[0].strip("`"): s for s in re.split(r"^### ", page, flags=re.MULTILINE)[1:]}
    assert set(sections) == set(tables.BY_NAME)
    for table in tables.ALL:
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} |" in sections[table.name]
            assert column.description.strip(), f"{table.name}.{column.name} has no description"


def test_every_asset_check_job_schedule_and_sensor_is_documented() -> None:
    import dagster as dg

    from ai_usage.definitions import build_defs
    from ai_usage.defs.everything import all_checks

    page, runbook = said(ROOT / "docs" / "assets.md"), said(RUNBOOK)
    headings = anchors(RUNBOOK)
    defs = build_defs()
    assets = [a for a in defs.assets or [] if isinstance(a, dg.AssetsDefinition)]
    assert len(assets) > 20
    for asset in assets:
        for key in asset.keys:
            assert f"### `{key.to_user_string()}`" in page
    for spec in all_checks():
        assert spec.description, f"{spec.name} on {spec.asset_key} has no description"
        assert f"| `{spec.name}` |" in page
        assert spec.name in headings, f"docs/runbook.md has no section for the check {spec.name}"
        row = next(line for line in runbook.splitlines() if line.startswith(f"| [`{spec.name}`]"))
        assert f"| {'yes' if spec.blocking else 'no'} |" in row, f"docs/runbook.md says the wrong thing about blocking: {spec.name}"
    for thing in [*(defs.jobs or []), *(defs.schedules or []), *(defs.sensors or [])]:
        assert f"| `{thing.name}` |" in page


def test_the_runbook_names_no_check_that_does_not_exist() -> None:
    existing = set(re.findall(r"^\| `(\w+)` \| (?:yes|no) \|", said(ROOT / "docs" / "assets.md"), re.MULTILINE))
    named = set(re.findall(r"^\| \[`(\w+)`\]", said(RUNBOOK), re.MULTILINE))
    assert named == existing


def test_every_command_is_documented() -> None:
    page = said(ROOT / "docs" / "commands.md")
    commands = dict(APP.commands)
    for name, command in APP.commands.items():
        commands |= {f"{name} {inner}": found for inner, found in getattr(command, "commands", {}).items()}
    assert "metabase apply" in commands
    for name, command in commands.items():
        assert f"## `ai-usage {name}`" in page
        assert command.help
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" and parameter.name != "help" else []:
                assert f"`{option}`" in page


def test_lineage_names_declared_columns_of_every_model() -> None:
    lineage = json.loads(said(ROOT / "ai_usage" / "tables" / "lineage.json"))
    assert set(lineage) == set(models.all_models())
    for table, columns in lineage.items():
        assert set(columns) == set(tables.BY_NAME[table].column_names)
        inputs = models.model(table).inputs
        for column, found in columns.items():
            for source, name in found:
                assert source in inputs, f"{table}.{column} comes from {source}, which the model does not read"
                tables.BY_NAME[source].column(name)


def test_lineage_of_money_leads_to_the_vendor() -> None:
    """Followed by hand: a mart's cost comes from the fact, from staging, from Cursor's chargedCents and the sheet's price."""
    lineage = json.loads(said(ROOT / "ai_usage" / "tables" / "lineage.json"))
    reached, ahead = set(), [("vw_monthly_finance", "cost_usd")]
    while ahead:
        table, column = ahead.pop()
        for source, name in lineage.get(table, {}).get(column, []):
            if (source, name) not in reached:
                reached.add((source, name))
                ahead.append((source, name))
    assert ("fct_cost_daily", "cost_usd") in reached
    assert ("raw_cursor_events", "charged_usd") in reached
    assert ("raw_sheet_subscriptions", "price_usd") in reached
    assert ("raw_cursor_events", "list_usd") not in reached
    assert not any(table == "raw_cursor_spend" for table, _ in reached), "the running total must feed no cost"


# Written pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_relative_links_and_images_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page_id(page)} links to {target}"
        assert found.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(found), f"{page_id(page)} links to {target}, which is no heading"


@pytest.mark.parametrize("page", [*PAGES, ROOT / ".env.example"], ids=page_id)
def test_pages_hold_no_machine_paths_and_no_loose_ends(page: Path) -> None:
    found = re.findall(
        r"(?:^|[\s`\"'(=])(/(?:work|home|root|Users|tmp|mnt|opt|var)/\S*)|\b(TODO|FIXME|TBD|XXX)\b", said(page), re.MULTILINE
    )
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_pages_hold_nothing_that_looks_like_a_secret(page: Path) -> None:
    assert not re.findall(r"sk-ant-\w|crsr_\w{6,}|key_[0-9a-f]{16,}|-----BEGIN|AIza\w{10}", said(page))


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", prose(page)):
            found = (page.parent / target).resolve() if not re.match(r"[a-z]+:", target) else page
            ahead.append(found / "README.md" if found.is_dir() else found)
    assert set(PAGES) - reached == set()


def test_the_readme_opens_with_the_picture_and_the_two_commands() -> None:
    first_screen = "\n".join(said(ROOT / "README.md").splitlines()[:20])
    assert "docs/images/dashboard.png" in first_screen
    assert re.findall(r"^make (\w+)", first_screen, re.MULTILINE) == ["demo", "test"]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", said(ROOT / "Makefile"), re.MULTILINE))
    assert {"demo", "test", "setup"} <= targets
    named = set(re.findall(r"`make ([a-z-]+)`", said(page))) | set(re.findall(r"^ *make ([a-z-]+)", said(page), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_command_lines_use_real_commands_and_options(page: Path) -> None:
    for line in commands_in(said(page)):
        words = [w for w in shlex.split(line, comments=True) if w != ">"]
        if words[0].startswith("--"):
            assert words[0] in {o for p in APP.params for o in p.opts}
            continue
        command: Any = APP
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            assert words[0] in command.commands, f"{page_id(page)}: ai-usage {line}"
            command = command.commands[words.pop(0)]
        options = {o for p in command.params for o in p.opts}
        for option in (w.partition("=")[0] for w in words if w.startswith("--")):
            assert option in options, f"{page_id(page)}: ai-usage {line}"


@pytest.mark.parametrize("page", [p for p in PAGES if queries_in(said(p))], ids=page_id)
def test_queries_run(page: Path, empty_warehouse: DuckDBWarehouse) -> None:
    for sql in queries_in(said(page)):
        empty_warehouse.select(sql)


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_tables_settings_and_paths_that_are_named_exist(page: Path) -> None:
    text = said(page)
    ours = {"AI_USAGE_CHROMIUM", "AI_USAGE_POSTGRES", "AI_USAGE_TEST_PROVE"}
    variables = {variable(name) for name in Settings.model_fields} | ours
    assert set(re.findall(r"\bAI_USAGE_[A-Z_]+\b", text)) <= variables
    # `acme` is the example of a vendor that does not exist; `raw_upload_*` was never built.
    named = {n for n in re.findall(r"`((?:raw|stg|dim|fct|vw)_[a-z_]+)`", text) if "acme" not in n}
    assert named <= set(tables.BY_NAME)
    for path in re.findall(r"`((?:ai_usage|sql|docs|scripts|benchmarks)/[\w./-]+)`", text):
        if "acme" not in path:
            assert (ROOT / path).exists(), f"{page_id(page)} names {path}"


def test_error_sentences_of_the_runbook_are_those_of_the_code() -> None:
    """Each fragment stands in a message of the code; neighbouring literals are joined first, as Python does."""
    code = "\n".join(said(p) for p in sorted((ROOT / "ai_usage").rglob("*.py")) if "simulator" not in p.parts)
    code = re.sub(r"\"\s*\n?\s*f?\"", "", code)
    errors = said(RUNBOOK).partition("\n## Errors\n")[2].partition("\n## A figure")[0]
    sentences = re.findall(r"^\| `([^`]+)` \|", errors, re.MULTILINE)
    assert len(sentences) > 50
    for sentence in sentences:
        for fragment in sentence.split("…"):
            assert fragment.strip() in code, f"docs/runbook.md quotes {fragment.strip()!r}, which no message of the code says"


def test_every_repair_of_the_dialect_is_listed() -> None:
    from ai_usage.warehouse import dialect, postgres_dialect

    page = said(ROOT / "docs" / "decisions" / "0003-one-sql.md")
    words = "NUMERIC SAFE_DIVIDE AVG COUNTIF DATE_ADD DATE_SUB DATE_TRUNC DAYOFWEEK ISOWEEK TIMESTAMP_DIFF OFFSET DIV TRIM NORMALIZE"
    for word in words.split():
        assert word in page
    repairs = {name for name in vars(dialect) if name.startswith("_repair_")}
    assert repairs == {
        "_repair_type", "_repair_count_if", "_repair_dates", "_repair_extract", "_repair_timestamp_diff", "_repair_offset", "_repair_div",
        "_repair_division", "_repair_wide_div", "_repair_trim", "_repair_normalize",
    }, "a repair came or went: correct docs/decisions/0003-one-sql.md, then this list"  # fmt: skip
    repairs = {name for name in vars(postgres_dialect) if name.startswith("_repair_")}
    assert repairs == {"_repair_division", "_repair_count_if", "_repair_week", "_repair_dates", "_repair_nameless"}, (
        "correct the page's second table"
    )


def test_every_dependency_has_a_reason() -> None:
    import tomllib

    page = said(ROOT / "docs" / "decisions" / "0005-libraries.md")
    for requirement in tomllib.loads(said(ROOT / "pyproject.toml"))["project"]["dependencies"]:
        name = re.match(r"[\w-]+", requirement)
        assert name is not None
        assert re.search(rf"\b{name.group()}\b", page), f"docs/decisions/0005-libraries.md does not say why {name.group()}"


def test_the_licence_is_apache_2() -> None:
    text = said(ROOT / "LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_alert_is_in_the_runbook_and_in_its_how_to() -> None:
    """Each alert has a section of what it means, how to confirm it, what to run and when to worry, and a row with its audience."""
    from ai_usage.alerts.config import load_config

    config = load_config()
    sections = said(RUNBOOK).partition("\n## Alerts\n")[2].partition("\n## ")[0]
    found = {block.splitlines()[0].strip("` "): block for block in re.split(r"^### ", sections, flags=re.MULTILINE)[1:]}
    assert set(found) == set(config.alerts)
    for name, block in found.items():
        if "[the check]" not in block:
            assert all(f"- {word}:" in block for word in ("Confirm", "Run", "Worry")), f"docs/runbook.md, alert {name}"
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (\w+) \| [^|]+ \|$", said(ROOT / "docs" / "how-to" / "alerts.md"), re.MULTILINE))
    assert rows == {name: a.audience[0] if len(a.audience) == 1 else "both" for name, a in config.alerts.items()}
