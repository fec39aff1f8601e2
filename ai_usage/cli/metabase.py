"""`ai-usage metabase …`: the dashboards in a Metabase.

Belongs here: arguments, settings turned into a `MetabaseConfig`, printing, exit codes. What is done lies in `dashboards/metabase/`.
`plan` and `export-check` end with 2 when something differs, like `terraform plan -detailed-exitcode`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_usage.cli.console import err, opened, out
from ai_usage.errors import SettingsError

if TYPE_CHECKING:
    from ai_usage.dashboards.metabase import MetabaseConfig, Run
    from ai_usage.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The dashboards in a Metabase: what would change, change it, prove that filters filter.")
DIFFERS = 2
Secrets = Annotated[
    bool, typer.Option("--send-secrets", help="Send the connection's password again: Metabase hides it, so a changed one is not seen.")
]


@app.command()
def plan() -> None:
    """Say what apply would do, one line for each object. Exit code 2 when something would change, 0 when nothing."""
    with _run(write=False) as run:
        _finish(run, f"{len(run.walk())} objects would change.", DIFFERS)


@app.command()
def apply(send_secrets: Secrets = False) -> None:
    """Make Metabase hold what the repository says. Again, it changes nothing; interrupted, the next one completes it."""
    with _run(write=True, send_secrets=send_secrets) as run:
        _finish(run, f"{len(run.walk())} objects changed.", 0)


@app.command(name="export-check")
def export_check() -> None:
    """Name every object that differs from the repository, for example because somebody edited it. Exit code 2 when one does."""
    with _run(write=False) as run:
        _finish(run, f"{len(run.walk())} objects differ from the repository; apply restores them.", DIFFERS)


@app.command()
def verify(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also for filters that cannot be proved because a card has no data.")
    ] = False,
) -> None:
    """Run every card with and without each of its filters, and prove that each filter acts. Exit code 1 when one does not."""
    from ai_usage.dashboards.metabase.verify import verify as prove

    with _run(write=False) as run:
        found = prove(run)
    for proof in found:
        if proof.state != "ok":
            out.print(
                f"{proof.state} {proof.card}{f', filter {proof.filter}' if proof.filter else ''}: {proof.sentence}",
                markup=False,
                soft_wrap=True,
            )
    counts = {state: sum(p.state == state for p in found) for state in ("ok", "unproved", "failed")}
    err.print(f"{len(found)} proofs: {counts['ok']} ok, {counts['unproved']} unproved, {counts['failed']} failed.", soft_wrap=True)
    if counts["failed"] or (strict and counts["unproved"]):
        raise typer.Exit(1)


@app.command()
def publish() -> None:
    """Copy the marts that the dashboards read into the serving Postgres, in one transaction. Every run does it too, as the asset serving_copy."""
    from ai_usage.outputs.serving_copy import publish_serving_copy

    with opened() as runtime:
        copied = publish_serving_copy(runtime)
    for name, rows in copied.items():
        out.print(f"{name}: {rows:,} rows", markup=False, highlight=False, soft_wrap=True)


def config_of(settings: Settings) -> MetabaseConfig:
    """The settings as one configuration; SettingsError names what is missing."""
    from ai_usage.dashboards.metabase.config import DatabaseConfig, MetabaseConfig, bigquery_details, postgres_details
    from ai_usage.warehouse.postgres_dialect import to_postgres

    if settings.metabase_url is None:
        raise SettingsError("METABASE_URL is not set; set it to Metabase's address, for example http://localhost:3001.")
    groups = settings.metabase_groups
    if settings.metabase_engine == "bigquery":
        project = settings.metabase_bigquery_project or settings.bigquery_project
        dataset = settings.metabase_bigquery_dataset or settings.bigquery_dataset
        key_file = settings.metabase_bigquery_credentials  # an account of its own: the warehouse's may write
        if not project:
            raise SettingsError(
                "AI_USAGE_METABASE_ENGINE is bigquery and no project is named; set AI_USAGE_BIGQUERY_PROJECT, or "
                "AI_USAGE_METABASE_BIGQUERY_PROJECT where Metabase reads another one."
            )
        if key_file is None:
            raise SettingsError(
                "AI_USAGE_METABASE_ENGINE is bigquery and AI_USAGE_METABASE_BIGQUERY_CREDENTIALS is not set; set it to the key file of a service "
                "account that only reads (docs/how-to/metabase.md)."
            )
        try:
            key = key_file.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"AI_USAGE_METABASE_BIGQUERY_CREDENTIALS is set to {key_file}, which cannot be read ({error.strerror}); correct the path."
            ) from None
        schema, details = bigquery_details(project, dataset, key)
        database = DatabaseConfig(settings.metabase_database, "bigquery-cloud-sdk", schema, details)
    else:
        if settings.metabase_postgres_url is None:
            raise SettingsError(
                "METABASE_POSTGRES_URL is not set; set it to the serving copy as Metabase reaches it (docs/how-to/metabase.md)."
            )
        schema, details = postgres_details(settings.metabase_postgres_url.get_secret_value())
        database = DatabaseConfig(settings.metabase_database, "postgres", schema, details)
    return MetabaseConfig(
        url=settings.metabase_url, database=database, translate=to_postgres if database.engine == "postgres" else str,
        api_key=_secret(settings.metabase_api_key), user=settings.metabase_user or "", password=_secret(settings.metabase_password),
        groups=groups, personal=_audiences("AI_USAGE_METABASE_PERSONAL", settings.metabase_personal, groups),
        explorers=_audiences("AI_USAGE_METABASE_EXPLORERS", settings.metabase_explorers, groups),
        minimum_group=settings.metabase_minimum_group, recipients={k: tuple(v) for k, v in settings.metabase_recipients.items()},
        dedicated=settings.metabase_dedicated, patience_s=settings.metabase_patience_s,
    )  # fmt: skip


def _secret(value: Any) -> str:
    return value.get_secret_value() if value is not None else ""


def _audiences(variable: str, text: str, groups: dict[str, str]) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = next((k for k in keys if k not in groups), None)
    if unknown:
        raise SettingsError(f"{variable} names the audience {unknown!r}; AI_USAGE_METABASE_GROUPS knows {', '.join(groups)}.")
    return keys


@contextmanager
def _run(*, write: bool, send_secrets: bool = False) -> Iterator[Run]:
    from ai_usage.dashboards import load_dashboards
    from ai_usage.dashboards.metabase import Run, load_suite
    from ai_usage.dashboards.metabase.client import Client
    from ai_usage.dashboards.metabase.desired import desire
    from ai_usage.settings import load_settings

    settings = load_settings()
    config = config_of(settings)
    dashboards = load_dashboards()
    wanted = desire(dashboards, load_suite(dashboards), config)
    client = Client(config.url, secrets=config.secrets, backoff_s=settings.http_backoff_s)
    try:
        yield Run(client, config, wanted, write=write, send_secrets=send_secrets)
    finally:
        client.close()


def _finish(run: Run, sentence: str, code: int) -> None:
    for change in run.changes:
        out.print(str(change), markup=False, highlight=False, soft_wrap=True)
    for note in run.notes:
        err.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    err.print(sentence if run.changes else "Metabase holds what the repository says; nothing to do.", soft_wrap=True)
    if run.changes and code:
        raise typer.Exit(code)
