"""`ai-usage alerts`: what would be told now, telling it, and a test message.

Belongs here: arguments, printing, exit codes. What a pass does lies in `alerts/passes.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ai_usage.cli.console import err, opened, out
from ai_usage.errors import SettingsError

if TYPE_CHECKING:
    from ai_usage.runtime import Runtime


def alerts(
    send: Annotated[bool, typer.Option("--send", help="Make a whole pass: write the log and send what is due.")] = False,
    test: Annotated[
        str | None, typer.Option("--test", help="Send a test message to every address of this audience, and nothing else.")
    ] = None,
) -> None:
    """What would be told now, and to whom; nothing is written or sent without --send."""
    from ai_usage.alerts import delivery, passes, wording

    if send and test:
        raise SettingsError("--send and --test are two things; give one of them.")
    with opened() as runtime:
        if test:
            config, to = passes.configured(runtime.settings)
            if test not in config.audiences:
                raise SettingsError(f"--test is {test!r}; use one of {', '.join(config.audiences)}.")
            to = [d for d in to if d.audience == test]
            if not to:
                raise SettingsError(f"the audience {test} has no address; write one into AI_USAGE_ALERT_URLS (docs/how-to/alerts.md).")
            message = wording.test_message(test, runtime.settings.alerts_link, datetime.now(UTC))
            failures = [error for error in (delivery.deliver(d, message) for d in to) if error]
            _failures(failures)
            out.print(f"{len(to) - len(failures)} of {len(to)} test messages were accepted.", soft_wrap=True)
            if failures:
                raise typer.Exit(1)
            return
        _pass(runtime, send)


def _pass(runtime: Runtime, send: bool) -> None:
    from ai_usage.alerts import passes, wording
    from ai_usage.defs.operations.alerts import failed_runs
    from ai_usage.runs.execution import instance

    runtime.existing()
    with instance(runtime.settings) as dagster:
        runs = failed_runs(dagster)
    outcome = passes.pass_once(runtime, failed_runs=runs) if send else passes.preview(runtime, runs)
    config, to = passes.configured(runtime.settings)
    for name, why in {**outcome.found.skipped, **outcome.found.broken}.items():
        err.print(f"[yellow]not looked at[/yellow] {name}: ", end="", soft_wrap=True)
        err.print(why, markup=False, soft_wrap=True)
    words = wording.labelled(outcome.found.causes, config)
    for cause in outcome.found.causes:
        alert = config.alerts[cause.alert]
        colour = {"error": "red", "warning": "yellow", "info": "blue"}[alert.severity]
        out.print(f"[{colour}]{alert.severity}[/{colour}] {alert.name}: ", end="", soft_wrap=True)
        out.print(words[cause.key]["headline"], markup=False, soft_wrap=True, highlight=False)
        if words[cause.key]["moved_by"]:
            out.print(
                f"    moved by {'; '.join(str(words[cause.key]['moved_by']).splitlines())}", markup=False, soft_wrap=True, highlight=False
            )
    if not outcome.found.causes:
        out.print("Nothing is worth telling.")
    if not to:
        err.print("Nobody is told: AI_USAGE_ALERT_URLS names no address (docs/how-to/alerts.md).", soft_wrap=True)
    for destination in to:
        items = outcome.due.get(destination.name, [])
        said = ", ".join(f"{item.told}: {item.event.alert} {item.event.cause_key}" for item in items) or "nothing"
        err.print(f"{destination.name}: {said}", markup=False, soft_wrap=True, highlight=False)
    if send:
        _failures(outcome.failures)
        err.print(f"{outcome.messages} messages accepted, {len(outcome.failures)} not.", soft_wrap=True)
        if outcome.failures:
            raise typer.Exit(1)


def _failures(sentences: list[str]) -> None:
    for sentence in sentences:
        err.print("[red]not sent[/red]: ", end="", soft_wrap=True)
        err.print(sentence, markup=False, soft_wrap=True, highlight=False)
