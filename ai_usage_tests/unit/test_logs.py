"""A log line is one JSON object with known keys, whoever logs it, and nothing else of a record comes out."""

import json
import logging
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from ai_usage import logs
from ai_usage.defs import telemetry

CANARY = "sk-canary-77c1"


@pytest.fixture
def spoken(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What stands on standard error since it was last asked."""
    level = logging.getLogger("ai_usage").level
    yield lambda: capsys.readouterr().err
    logs.configure("text")
    logging.getLogger("ai_usage").setLevel(level)


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_has_the_known_keys_and_no_other(spoken: Callable[[], str]) -> None:
    logs.configure("json", lambda: {"run_id": "r1", "asset": "a", "partition": "2026-11-01_2026-11-02"})
    log = logging.getLogger("ai_usage.sources.http")
    log.warning(
        "answered %s, é\nnext line",
        429,
        extra={"source": "cursor", "attempt": 2, "status": 429, "request_id": None, "authorization": CANARY},
    )
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("it broke")
    text = spoken()
    first, second = lines(text)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "WARNING", "logger": "ai_usage.sources.http", "message": "answered 429, é\nnext line", "run_id": "r1", "asset": "a",
        "partition": "2026-11-01_2026-11-02", "source": "cursor", "attempt": 2, "status": 429,
    }  # fmt: skip
    assert "ValueError: broken" in second["exception"]
    assert CANARY not in text


def test_text_is_silent_outside_of_runs(spoken: Callable[[], str]) -> None:
    logs.configure("json")
    logs.configure("text")
    assert not logs.is_json()
    logging.getLogger("ai_usage.sources.http").warning("nobody hears this")
    assert spoken() == "", "Python's last resort would have written it"


def test_a_run_tells_its_steps_and_ours_once_each(spoken: Callable[[], str]) -> None:
    """Dagster's own events, `context.log` and our loggers, from the asset's thread and from one that carries its context: run, asset, day."""
    import contextvars
    import threading

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-11-01"))
    def made(context: dg.AssetExecutionContext) -> None:
        context.log.info("from the step")
        logging.getLogger("ai_usage.test").warning("ours", extra={"status": 503})
        carried = contextvars.copy_context()
        other = threading.Thread(target=lambda: carried.run(logging.getLogger("ai_usage.test").warning, "from a thread"))
        other.start()
        other.join()
        raise dg.Failure("the vendor is down", allow_retries=False)

    logs.configure("json", telemetry.log_context)
    overrides = {"python_logs": {"managed_python_loggers": ["ai_usage"], "python_log_level": "INFO"}}
    with dg.instance_for_test(overrides=overrides) as instance:
        definitions = dg.Definitions(
            assets=[made], jobs=[dg.define_asset_job("daily", selection="made", config={"loggers": {"console": {"config": {}}}})],
            loggers={"console": telemetry.json_console()},
            executor=dg.in_process_executor,
        )  # fmt: skip
        done = definitions.resolve_job_def("daily").execute_in_process(instance=instance, partition_key="2026-11-05", raise_on_error=False)
        page = [entry.user_message for entry in instance.all_logs(done.run_id)]
    said = lines(spoken())
    run, step = {"run_id": done.run_id}, {"run_id": done.run_id, "asset": "made", "partition": "2026-11-05"}
    end = "Execution of run for \"daily\" failed. Steps failed: ['made']."
    told = {"from the step": step | {"job": "daily"}, "ours": step | {"status": 503}, "from a thread": step, end: run}
    for message, facts in told.items():
        [line] = [line for line in said if line["message"] == message]
        assert facts.items() <= line.items(), message
    events = [line["event"] for line in said if "event" in line]
    assert "STEP_START" in events and "STEP_FAILURE" in events and "ASSET_MATERIALIZATION_PLANNED" not in events
    assert {"ours", "from a thread"} <= set(page), "Dagster's page of the run has them too"
