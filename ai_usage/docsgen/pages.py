"""`python -m ai_usage.docsgen [--check]`: the pages of the documentation that code can write.

Belongs here: tables, settings, assets, commands, scale, templates, `.env.example`, the column lineage and the models that vendors write, each made from the declaration
that the platform itself acts on. Does not belong here: anything that a person writes. The output depends on the code alone:
environment variables and a `.env` file do not count, and nothing is read from a warehouse.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlglot
from pydantic import SecretStr
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from ai_usage import tables
from ai_usage.docsgen import scale
from ai_usage.operations.retention import KEPT
from ai_usage.settings import SWITCHES, Settings, only_these, variable
from ai_usage.sources import registry
from ai_usage.tables.schema import Table
from ai_usage.warehouse import models

MADE = "<!-- Written by `make docs`. Change the code that it describes, then run that again. -->\n"
LAYERS = {
    "raw": ("Raw", "What the sources said, typed and versioned. Read them only together with `raw_fetches`."),
    "staging": ("Staging", "Views. They choose the current version of each day and bring every source into one shape."),
    "curated": ("Curated", "People, keys, usage and cost in one shape for every vendor."),
    "books": ("Books", "What finance closed, as it was. Written by `ai-usage close` alone, and never changed."),
    "mart": ("Marts", "Views that people and dashboards read."),
    "operations": ("Operations", "What the platform notes of its own work."),
}
SHARED = ("raw_fetches", "raw_rejects")  # written by the load of every raw table
COMMANDS = {"forgotten_people": "ai-usage forget", "forget_log": "ai-usage forget"}
COMPOSE = {
    "PLATFORM_IMAGE": "ai-usage-analytics:0.1.0",
    "SECRETS_DIR": "./deploy/secrets",
    "DAGSTER_PORT": "3000",
    "METABASE_PORT": "3001",
}
GROUPS = {
    **{name: f"What {vendor.title} answers: one asset for each raw table." for name, vendor in registry.VENDOR_OF.items()},
    **dict.fromkeys(registry.EXPORTED, "One asset for each kind of export; it loads the files that wait in the drop folder."),
    "curated": "Each runs one file under `sql/curated/` for the days of its run, in one transaction.",
    "marts": "Each deploys one view of `sql/marts/`.",
    "operations": "Dropped files, cleaning, the offline report, files for other systems, the serving copy, the record of checks, today so far, closing months.",
}


def settings_page() -> str:
    """`docs/settings.md`."""
    return (
        f"{MADE}# Settings\n\n"
        "Set them as environment variables or in a file `.env` in the folder where a command is started; a variable of the environment wins "
        "over the file. An empty value counts as absent, "
        "and a variable named `AI_USAGE_…` that is none of these is refused with the nearest name. "
        "Paths are relative to that folder. [`.env.example`](../.env.example) lists them all.\n\n"
        f"{settings_table()}\n"
        "A `SecretStr` is a key. It may be given as its value, as a file (`file:///absolute/path`) or as a reference to Google Secret Manager "
        "(`sm://projects/P/secrets/S/versions/V`): [secrets](how-to/secrets.md).\n\n"
        "One more variable is Dagster's own and is read from the environment only, not from `.env`:\n\n"
        "| variable | default | meaning |\n|---|---|---|\n"
        "| `DAGSTER_HOME` | `dagster` in the data folder | Dagster's records of runs, checks and schedules. "
        "It gets the repository's `dagster.yaml` when it has none. |\n"
    )


def retention_page() -> str:
    """`docs/retention.md`."""
    lines = ["| what | kept | tables | deleted by |", "|---|---|---|---|"]
    raw = {t.name for t in tables.RAW} - {"raw_fetches"}
    for kept in KEPT:
        days = f"`{variable(kept.setting)}` ({Settings.model_fields[kept.setting].default}) " if kept.setting else ""
        names = "every raw table but `raw_fetches`" if raw == {*kept.tables} else ", ".join(f"`{name}`" for name in kept.tables)
        lines.append(f"| {kept.what} | {days}{kept.until} | {names} | {kept.deleted_by or 'nothing'} |")
    return (
        f"{MADE}# What is deleted when\n\n"
        "Nothing else is deleted by age. What a closed month or its ledger needs is never deleted, and a figure never changes because something went. "
        "A person is [forgotten](how-to/forget-a-person.md) at once, wherever they stand, whatever their age.\n\n" + "\n".join(lines) + "\n"
    )


def settings_table() -> str:
    """The table in `docs/settings.md`."""
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        kind = str(field.annotation).replace("typing.", "").replace("pathlib._local.", "").replace("pathlib.", "").replace("datetime.", "")
        kind = (
            kind.removeprefix("<class '")
            .removesuffix("'>")
            .replace("pydantic.types.", "")
            .replace("Literal", "")
            .strip("[]")
            .replace("', '", "' or '")
        )
        kind = "JSON object" if kind.startswith("dict") else kind
        shown = json.dumps(field.default) if isinstance(field.default, dict) else field.default
        default = "" if field.default in (None, "") or field.default_factory else f"`{shown}`"
        lines.append(f"| `{variable(name)}` | {kind.replace(' | None', '').replace('|', 'or')} | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def env_example() -> str:
    """`.env.example`: every setting, commented out."""
    lines = ["# Written by `make docs`. Copy to `.env`, take the # off the lines that you need. A source without its key or id is off.", ""]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else _plain(field.default)
        lines += [f"# {field.description}", f"# {variable(name)}={default}", ""]
    lines.append("# Read by Compose alone: docs/how-to/deploy.md.")
    lines += [f"# {name}={default}" for name, default in COMPOSE.items()] + [""]
    return "\n".join(lines)


def tables_page() -> str:
    """`docs/tables.md`."""
    contents = []
    sections = []
    for layer, (title, said) in LAYERS.items():
        found = [t for t in tables.ALL if t.layer == layer]
        contents.append(f"- [{title}](#{title.lower()}): " + ", ".join(f"[`{t.name}`](#{t.name})" for t in found))
        sections.append(f"## {title}\n\n{said}\n")
        sections += [_table(t) for t in found]
    head = (
        f"{MADE}# Tables\n\n"
        "Types are BigQuery's. `NUMERIC` holds 9 decimals; on DuckDB it is `DECIMAL(38, 9)`. A column whose name ends in `_usd` is US dollars, "
        "`_at` an instant in UTC, `_date` a UTC day. NULL is unknown, never 0. `key` columns are unique together, NULLs counted as equal.\n"
    )
    return "\n".join([head, "\n".join(contents) + "\n", *sections])


def _table(table: Table) -> str:
    if table.name in models.all_models():
        made = f"Made by `{models.model(table.name).path}`"
    elif table.name in COMMANDS:
        made = f"Filled by `{COMMANDS[table.name]}`"
    else:
        made = "Filled by every load" if table.name in SHARED else "Filled by its asset"
        made = "Filled by `ai-usage close`" if table.layer == "books" else made
        made = "Filled at the end of each run" if table.layer == "operations" else made
    return table.markdown().rstrip("\n") + f"\n\n{made}{', a view' if table.view else ''}.\n"


def assets_page() -> str:
    """`docs/assets.md`. The definitions read the settings when they are imported, so `_alone()` comes first."""
    from ai_usage.definitions import build_defs
    from ai_usage.defs.everything import all_checks

    defs = build_defs()
    graph = defs.resolve_asset_graph()
    specs: dict[str, list[Any]] = {}
    for spec in all_checks():
        specs.setdefault(spec.asset_key.to_user_string(), []).append(spec)
    groups: dict[str, list[Any]] = {}
    for key in sorted(graph.get_all_asset_keys(), key=lambda k: k.to_user_string()):
        groups.setdefault(graph.get(key).group_name, []).append(graph.get(key))
    lines = [
        f"{MADE}# Assets, checks, jobs\n",
        "A blocking check that fails stops every asset downstream of it; any other one is a warning. What each means and what to do: "
        "[runbook](runbook.md). Partitions are UTC days.\n",
    ]
    for group in [*GROUPS, *sorted(set(groups) - set(GROUPS))]:
        lines.append(f"## {group}\n\n{GROUPS.get(group, '')}\n")
        for node in groups.get(group, []):
            name = node.key.to_user_string()
            lines.append(f"### `{name}`\n\n{node.description}\n")
            parents = ", ".join(f"[`{p}`](#{p})" for p in sorted(k.to_user_string() for k in node.parent_keys))
            partitions = "one a UTC day" if node.partitions_def else "none"
            lines.append(f"Depends on: {parents or 'a source outside'}. Partitions: {partitions}. Owners: {', '.join(node.owners)}.\n")
            if specs.get(name):
                lines += ["| check | blocking | what it says |", "|---|---|---|"]
                lines += [f"| `{s.name}` | {'yes' if s.blocking else 'no'} | {s.description} |" for s in specs[name]]
                lines.append("")
    lines += ["## Jobs\n", "| job | what it runs | assets |", "|---|---|---|"]
    for job in sorted(defs.jobs or [], key=lambda j: j.name):
        held = sorted(k.to_user_string() for k in defs.resolve_job_def(job.name).asset_layer.executable_asset_keys)
        lines.append(f"| `{job.name}` | {job.description} | {len(held)}: {', '.join(f'`{name}`' for name in held)} |")
    lines.append(
        "\nA source that is off is left out of the jobs, as is the serving copy without its setting; the lists above are with everything on.\n"
    )
    lines += ["## Schedules\n", "| schedule | job | when | starts | meaning |", "|---|---|---|---|---|"]
    for schedule in defs.schedules or []:
        lines.append(
            f"| `{schedule.name}` | `{schedule.job_name}` | `{schedule.cron_schedule}` in {schedule.execution_timezone} | "
            f"{_starts(schedule.default_status)} | {schedule.description} |"
        )
    lines += ["", "## Sensors\n", "| sensor | job | at least every | starts | meaning |", "|---|---|---|---|---|"]
    for sensor in defs.sensors or []:
        jobs = ", ".join(f"`{target.job_name}`" for target in sensor.targets)
        lines.append(
            f"| `{sensor.name}` | {jobs} | {sensor.minimum_interval_seconds} s | {_starts(sensor.default_status)} | {sensor.description} |"
        )
    return "\n".join(lines) + "\n"


def _starts(status: Any) -> str:
    return "by itself" if status.value == "RUNNING" else "when switched on"


def commands_page() -> str:
    """`docs/commands.md`."""
    import typer.main

    from ai_usage.cli import app as cli

    root: Any = typer.main.get_command(cli.app)
    lines = [
        f"{MADE}# Commands\n",
        "`.venv/bin/ai-usage`, or `ai-usage` once `.venv/bin` is on the PATH. Answers go to standard output, progress and errors to standard "
        "error. Exit codes: 0 done, 1 an error in one sentence or a run that is not complete, 2 a wrong argument, 130 interrupted. "
        "Days are UTC days.\n",
    ]
    for name, command in _flat(root):
        if command.hidden:
            continue
        lines.append(f"## `ai-usage {name}`\n\n{' '.join((command.help or '').split())}\n")
        rows = [_parameter(p) for p in command.params if p.name != "help" and not getattr(p, "hidden", False)]
        if rows:
            lines += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    options = [_parameter(p) for p in root.params if p.name != "help"]
    lines += ["## `ai-usage`\n\nWithout a command.\n", "| option | default | meaning |", "|---|---|---|", *options]
    return "\n".join(lines) + "\n"


def _flat(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name; a group stands before what is in it."""
    for name, command in group.commands.items():
        yield before + name, command
        if hasattr(command, "commands"):
            yield from _flat(command, f"{before}{name} ")


def _parameter(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    called = (
        ", ".join(f"`{o}`" for o in [*parameter.opts, *parameter.secondary_opts]) if is_option else f"`{(parameter.name or '').upper()}`"
    )
    default = (
        "" if parameter.default is None or callable(parameter.default) or parameter.default is False else f"`{_plain(parameter.default)}`"
    )
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    bounds = f" {low} to {high}." if low is not None and high is not None else f" At least {low}." if low is not None else ""
    said = " ".join((getattr(parameter, "help", None) or "").split())
    return f"| {called} | {'required' if parameter.required else default} | {(said + bounds).strip()} |"


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        raise TypeError("a secret has a default; take the default away.")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, dict):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def templates() -> Iterator[tuple[str, str]]:
    """(file name, text) of each CSV template: what `ai-usage templates` writes."""
    from ai_usage.sources.google_sheets import records as sheet
    from ai_usage.sources.uploads import client as uploads

    for kind in (*uploads.KINDS, *uploads.EXPORTS):
        yield f"{kind}.csv", uploads.template(kind)
    for tab in sheet.TABS:
        yield f"sheet_{tab}.csv", sheet.template(tab)


def column_lineage() -> dict[str, dict[str, list[list[str]]]]:
    """{table: {column: [[input table, input column], ...]}} for every SQL model: the columns that a column's value is computed from.

    Immediate inputs: a staging view is an input, not what lies behind it. Columns that only filter or join are not inputs. A model
    that reads its own table has it among them. A column without inputs is a constant, a count of rows or a parameter.
    """
    schema = MappingSchema({t.name: {c.name: c.type.value for c in t.columns} for t in tables.ALL}, dialect="bigquery")
    found: dict[str, dict[str, list[list[str]]]] = {}
    for name, model in sorted(models.all_models().items()):
        parsed = sqlglot.parse_one(model.sql, read="bigquery")
        tree = qualify(parsed, schema=schema, dialect="bigquery", validate_qualify_columns=False, identify=False)
        scope = build_scope(tree)
        roots: Any = lineage(None, tree, schema, scope=scope, dialect="bigquery", trim_selects=False, copy=False)
        found[name] = {}
        for column in model.table.column_names:
            root = roots[column.lower()]  # BigQuery's columns have no case
            leaves = {
                (n.source.name, n.name.split(".")[-1].strip("`"))
                for n in root.walk()
                if not n.downstream and isinstance(n.source, exp.Table)
            }
            found[name][column] = [list(leaf) for leaf in sorted(leaves)]
    return found


def pages() -> dict[str, str]:
    """Every generated file: {path below the repository: text}."""
    made = {
        "docs/tables.md": tables_page(),
        "docs/settings.md": settings_page(),
        "docs/retention.md": retention_page(),
        "docs/assets.md": assets_page(),
        "docs/commands.md": commands_page(),
        "docs/scale.md": scale.page(MADE),
        ".env.example": env_example(),
        "ai_usage/tables/lineage.json": _lineage_text(),
        **{path: text() for vendor in registry.VENDORS for path, text in vendor.written.items()},
    }
    return made | {f"docs/templates/{name}": text for name, text in templates()}


def _lineage_text() -> str:
    """One column a line: a change of one shows as one line."""
    blocks = []
    for table, columns in column_lineage().items():
        inner = ",\n".join(f"    {json.dumps(column)}: {json.dumps(inputs)}" for column, inputs in columns.items())
        blocks.append(f"  {json.dumps(table)}: {{\n{inner}\n  }}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _alone() -> None:
    """Settings under which the definitions are complete, whatever the environment says. The values are never used."""
    only_these({variable(switch.setting): "unused" for switch in SWITCHES} | {"AI_USAGE_SERVING_URL": "unused"})


def main(arguments: list[str] | None = None) -> int:
    """Write the pages below `--root`, or with `--check` only name those that are not current; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ai_usage.docsgen", description="Write the generated pages of the documentation.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 and name the pages that are not current.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="The repository.")
    asked = parser.parse_args(arguments)
    _alone()
    stale = []
    for name, text in pages().items():
        path = asked.root / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    word = "not current, run `make docs`" if asked.check else "written"
    for name in stale:
        sys.stdout.write(f"{word}: {name}\n")
    return 1 if asked.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
