"""A key in each form through the real commands: the vendor accepts it, `doctor` says where it came from, and it is shown nowhere."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_usage.simulator import Fault
from ai_usage_tests.fixtures.company import FIRST, KEY, PATHS, Company, assert_sentence, company, plain
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
    assert "accepts CURSOR_ADMIN_API_KEY; the team has" in said, "and the vendor takes the key that was read"
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


@pytest.mark.parametrize("form", FORMS)
def test_a_run_and_its_failure_show_the_key_nowhere(firm: Company, form: str) -> None:
    """Logs, errors, Dagster's records (metadata and stack traces among them), spool, tables, report: no byte of the key."""
    given = firm.forms[form]  # type: ignore[attr-defined]
    assert firm.manager is not None  # type: ignore[attr-defined]
    before = len(firm.manager.asked)  # type: ignore[attr-defined]
    good = firm.run(FIRST, FIRST, CURSOR_ADMIN_API_KEY=given)
    assert good.returncode == 0, good.stderr
    assert len(firm.manager.asked) - before == (form == "secret manager"), "a run asks once for a key"  # type: ignore[attr-defined]
    firm.sim.add_fault(Fault("401", PATHS["members"], times=None))
    bad = firm.run(FIRST, FIRST, CURSOR_ADMIN_API_KEY=given)
    firm.sim.clear_faults()
    assert_sentence(bad, "raw_cursor_members", "401")
    lost = firm.run(FIRST, FIRST, CURSOR_ADMIN_API_KEY="file:///no/such/key")
    assert_sentence(lost, "CURSOR_ADMIN_API_KEY: there is no file /no/such/key")
    assert KEY not in good.stdout + good.stderr + bad.stdout + bad.stderr
    seen = 0
    for path, content in everything_below(firm.data):
        seen += 1
        assert KEY.encode() not in content, f"{path} holds the key"
    assert seen > 10
    shutil.rmtree(firm.data)
