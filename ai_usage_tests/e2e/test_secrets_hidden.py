"""A key in each form through the real commands: the vendor accepts it, `doctor` says where it came from, and it is shown nowhere."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ai_usage.defs.sources import assets
from ai_usage.runs import execution
from ai_usage.simulator import Fault, Simulator
from ai_usage_tests.fixtures.company import KEY, LAST, PATHS, Company, Prepared, assert_sentence, company, new_world, plain, rows
from ai_usage_tests.fixtures.secret_manager import SecretManager

FORMS = ("value", "file", "secret manager")


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("secrets")) as found, SecretManager() as manager:
        (found.folder / "key").write_text(KEY + "\n")
        (found.folder / "key").chmod(0o600)
        found.forms = {"value": KEY, "file": f"file://{found.folder}/key", "secret manager": manager.hold("cursor", KEY)}  # type: ignore[attr-defined]
        found.manager = manager  # type: ignore[attr-defined]
        found.settings["AI_USAGE_SECRET_MANAGER_BASE_URL"] = manager.url
        yield found


def everything_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file as it lies there, and unpacked where it is packed."""
    import pyarrow as pa

    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if content[:4] == b"\x28\xb5\x2f\xfd":
                yield path, pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
            elif content[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(content)


@pytest.mark.parametrize("form", FORMS)
def test_doctor_says_where_a_key_comes_from(firm: Company, form: str) -> None:
    done = firm.cli("doctor", CURSOR_ADMIN_API_KEY=firm.forms[form])  # type: ignore[attr-defined]
    said = plain(done.stdout)
    assert done.returncode == 0, said + done.stderr
    [line] = [text for text in said.splitlines() if "CURSOR_ADMIN_API_KEY: " in text]
    expected = {
        "value": "from the environment.",
        "file": f"from the file {firm.folder}/key.",
        "secret manager": "from Secret Manager, projects/finance-tools/secrets/cursor/versions/latest, version 1.",
    }
    assert line.split(": ", 1)[1] == expected[form] and line.startswith("ok")
    assert "accepts CURSOR_ADMIN_API_KEY for one team" in said, "and the vendor takes the key that was read"
    assert KEY not in done.stdout + done.stderr


def test_doctor_tells_the_dotenv_file_from_the_environment(firm: Company) -> None:
    (firm.cwd / ".env").write_text(f"CURSOR_ADMIN_API_KEY={KEY}\n")
    try:
        said = plain(firm.cli("doctor", CURSOR_ADMIN_API_KEY=None).stdout)
    finally:
        (firm.cwd / ".env").unlink()
    assert "CURSOR_ADMIN_API_KEY: from .env." in said and KEY not in said


def test_doctor_finds_a_reference_that_leads_nowhere(firm: Company) -> None:
    firm.manager.fail(403, times=2)  # type: ignore[attr-defined]
    done = firm.cli("doctor", CURSOR_ADMIN_API_KEY=firm.forms["secret manager"])  # type: ignore[attr-defined]
    assert done.returncode == 1 and plain(done.stdout).count("roles/secretmanager.secretAccessor") == 2, "the key, and Cursor itself"
    done = firm.cli("doctor", CURSOR_ADMIN_API_KEY="file:///no/such/key")
    assert done.returncode == 1 and "there is no file /no/such/key" in done.stdout


KEYS = {
    "CURSOR_ADMIN_API_KEY": KEY,
    "ANTHROPIC_ADMIN_API_KEY": "admin-key-that-must-never-be-shown",
    "ANTHROPIC_ANALYTICS_API_KEY": "analytics-key-that-must-never-be-shown",
}
"""One in each form. None holds another one."""
REFUSED = (PATHS["members"], "organizations/users", "analytics/users")


def assert_shown_nowhere(folder: Path, *said: str) -> None:
    """Logs, errors, Dagster's records (metadata and stack traces among them), spool, tables, report: no byte of any key."""
    for name, key in KEYS.items():
        assert key not in "".join(said), f"a command printed {name}"
    seen: set[str] = set()
    for path, content in everything_below(folder):
        seen.add(path.suffix)
        for name, key in KEYS.items():
            assert key.encode() not in content, f"{path} holds {name}"
    assert {".duckdb", ".db", ".zst", ".html"} <= seen, f"not everything was looked through: {sorted(seen)}"


def test_a_run_and_its_failures_show_no_key_in_any_form(tmp_path: Path) -> None:
    """Each vendor takes its key for some questions and refuses it for one, so that every key is used well and fails."""
    world = new_world(people=4, first_day=LAST - timedelta(days=2), anthropic=True, enterprise=True)
    keys = dict(zip(("cursor_key", "anthropic_key", "anthropic_analytics_key"), KEYS.values(), strict=True))
    with Simulator(world, **keys) as sim, SecretManager() as manager:
        firm = Company(sim, tmp_path / "firm")
        file = tmp_path / "key"  # beside what is looked through
        file.write_text(KEYS["ANTHROPIC_ADMIN_API_KEY"] + "\n")
        file.chmod(0o600)
        firm.settings |= {
            "AI_USAGE_ANTHROPIC_BASE_URL": sim.url, "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0", "ANTHROPIC_ADMIN_API_KEY": f"file://{file}",
            "AI_USAGE_SECRET_MANAGER_BASE_URL": manager.url,
            "ANTHROPIC_ANALYTICS_API_KEY": manager.hold("analytics", KEYS["ANTHROPIC_ANALYTICS_API_KEY"]),
        }  # fmt: skip
        for path in REFUSED:
            firm.sim.add_fault(Fault("401", path, times=None))
        done = firm.run(LAST - timedelta(days=2), LAST)
        assert len(manager.asked) == 1, "a run asks once for a key"
        for asset in ("raw_cursor_members", "raw_anthropic_users", "raw_claude_enterprise_users"):
            assert_sentence(done, f"failed {asset}", "401")
        read = {source for (source,) in rows(firm.db, "SELECT DISTINCT source FROM raw_fetches WHERE state = 'complete'")}
        assert {"cursor", "anthropic", "claude_enterprise"} <= read, "a key that was never used well proves less"
        written = firm.cli("report")
        assert written.returncode == 0, written.stderr
        assert_shown_nowhere(firm.folder, done.stdout, done.stderr, written.stdout, written.stderr)


def test_a_process_that_logs_for_a_collector_shows_no_key(prepared: Prepared) -> None:
    """A run in a process of its own that went well, its JSON lines and its metrics file too."""
    assert_shown_nowhere(prepared.folder)


def test_a_key_whose_file_is_not_there_fails_its_assets_in_a_sentence(firm: Company) -> None:
    with firm.runtime(cursor_admin_api_key="file:///no/such/key") as runtime, dg.DagsterInstance.ephemeral() as instance:
        [members] = [a for a in assets if a.key == dg.AssetKey("raw_cursor_members")]
        done = dg.materialize([members], resources={"runtime": runtime}, instance=instance, raise_on_error=False)
    said = execution._outcome(done).failures["raw_cursor_members"]  # what the command prints
    assert said.startswith("CURSOR_ADMIN_API_KEY: there is no file /no/such/key"), said
