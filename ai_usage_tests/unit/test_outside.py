"""Text from outside where people read it: it is shown, and it steers nothing. Expected texts are written by hand, character by character."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from rich.table import Table

from ai_usage.alerts import plan, wording
from ai_usage.alerts.conditions import Cause, Found, Mover
from ai_usage.alerts.config import load_config
from ai_usage.cli.console import _Folding, plain
from ai_usage.defs.common import check
from ai_usage.guards import outside
from ai_usage.logs import JsonFormatter
from ai_usage.outputs import json_text
from ai_usage.sources.errors import ContractError, TransientError

ESC = "\x1b[31mred\x1b[0m"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zoë O'Hara-\u200dLi 日本語 😀 a_b <c>", "Zoë O'Hara-\u200dLi 日本語 😀 a_b <c>"),
        ("one\r\nBcc: two\u2028three\u0085four\tfive", "one Bcc: two three four five"),
        (ESC, "[31mred[0m"),
        ("a\u009b31mb\x00\x7f", "a31mb"),
        ("gnp\u202egpj\u2066.exe\u200b\ufeff\U000e0041", "gnpgpj.exe"),
        ("half \ud800 a character", "half  a character"),
        ("  \n ", ""),
    ],
)
def test_a_line_is_one_line_of_what_can_be_seen(text: str, expected: str) -> None:
    assert outside.line(text) == expected


def test_a_terminal_gets_no_sequence_and_keeps_its_lines() -> None:
    assert outside.terminal(f"a\tb\r\n{ESC}\r!\u009bK\u202e\n") == "a\tb\r\n\ufffd[31mred\ufffd[0m\ufffd!\ufffdK\ufffd\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana_b@example.com spent $5.00 (10 %) of claude_ai_usage #3", "ana_b@example.com spent $5.00 (10 %) of claude_ai_usage ＃3"),
        ("<!channel> <https://x.example|Look>", "‹!channel› ‹https:⁄⁄x.example¦Look›"),
        ("[Look](https://x.example)", "(Look)(https:⁄⁄x.example)"),
        ("@everyone *b* _i_ ~s~ `c` \\*", "＠everyone ∗b∗ ＿i＿ ∼s∼ 'c' ∖∗"),
        ("# Head\n**Resolved: all is well**", "＃ Head ∗∗Resolved: all is well∗∗"),
        ("R&amp;D", "R＆amp;D"),
        ("WWW.x.example and awww.x \\\\x.example\\share", "WWW․x.example and awww.x ∖∖x.example∖share"),
        ("https:\u2060//x.example hxxps:/\u00ad/y", "https:⁄⁄x.example hxxps:⁄⁄y"),
    ],
)
def test_a_chat_gets_no_link_mention_style_or_line(text: str, expected: str) -> None:
    assert outside.chat(text) == expected


def test_a_markdown_cell_is_text() -> None:
    said = outside.markdown_cell("a|b\nc ![x](http://t.example/p) <img> *b* `c` \\")
    assert said == r"a\|b c \!\[x\](http:⁄⁄t.example/p) \<img\> \*b\* \`c\` " + "\\\\"
    assert outside.markdown_cell("www.x.example") == "www․x.example", "Dagster's viewer links bare addresses too"
    sample = check("c", False, expected=0, actual=1, remedy="r", sample=[{"name": "x|\n| y | <b>"}]).metadata["sample"].value
    assert sample.splitlines() == ["| name |", "|---|", r"| x\| \| y \| \<b\> |"]


def test_json_is_the_same_value_on_one_line() -> None:
    value = {"a": "\u009b\u2028\u202e\U000e0041 é 😀 \x1b"}
    for said in (json_text(value), outside.json_line(json.dumps(value, ensure_ascii=False))):
        assert json.loads(said) == value and "é 😀" in said and not set(said) & set("\u009b\u2028\u202e\U000e0041\x1b")
    record = logging.LogRecord("ai_usage", logging.WARNING, "", 0, "vendor said \u009b2J\nnext", (), None)
    line = JsonFormatter().format(record)
    assert "\u009b" not in line and "\n" not in line and json.loads(line)["message"] == "vendor said \u009b2J\nnext"


def test_an_error_of_a_source_is_one_line() -> None:
    """Vendors' words, the sheet's titles and names of files stand in them, and they reach logs, pages and terminals."""
    assert str(ContractError(f"tab 'x\r\n{ESC}' is unknown.")) == "tab 'x [31mred[0m' is unknown."
    assert str(TransientError("a\u2028b", 1.0)) == "a b"


def test_the_console_writes_its_own_colours_and_nobody_elses() -> None:
    written = io.StringIO()
    console = _Folding(file=written, force_terminal=True, color_system="standard", width=80, highlight=False)
    grid = Table("name")
    grid.add_row(plain(f"{ESC}[/x][link=h]y"))
    console.print(grid)
    console.print("[red]error[/red]: ", end="")
    console.print(f"{ESC}\rdone", markup=False)
    said = written.getvalue()
    assert "\x1b[31merror\x1b[0m: " in said and "\ufffd[31mred\ufffd[0m" in said and "[/x][link=h]y" in said
    assert "\x1b[31mred" not in said and "\r" not in said


def test_a_name_in_an_alert_forges_no_line_link_or_header() -> None:
    """A department, a reason and a mover that each try all of it: in the subject, the plain text and the Markdown."""
    config, now = load_config(), datetime(2026, 11, 30, 12, tzinfo=UTC)
    evil = "Eng\r\nBcc: v@example.com\n**Resolved** <!here> [x](https://x.example) @all\x1b[2J"
    cause = Cause(
        "budget", "k", evil, Decimal(5), Decimal(1), "USD", level=2, likely_reason=evil, since=date(2026, 11, 1),
        first_day=date(2026, 11, 1), last_day=date(2026, 11, 29), movers=(Mover(evil, Decimal(3), "USD"),),
    )  # fmt: skip
    words = wording.labelled([cause], config)
    found = Found([cause], {"budget": None})
    events = plan.happened(config, found, [], now, words)
    items = plan.due(config, events, plan.current_events(config, found, now + timedelta(0), words), "finance 1", now)
    said = wording.message(config, items, "https://report.example/r.html", now)
    seen, chat = (
        "Eng Bcc: v@example.com **Resolved** <!here> [x](https:⁄⁄x.example) @all[2J",
        "Eng Bcc: v@example.com ∗∗Resolved∗∗ ‹!here› (x)(https:⁄⁄x.example) ＠all(2J",
    )
    assert said.subject.endswith(f": {seen}")
    assert f"\n{seen} has spent 500 %" in said.text and f"\n  - {seen}: $3.00\n" in said.text
    assert f"\n{chat} has spent 500 %" in said.markdown and f"\n*Moved by:* {chat}: $3.00\n" in said.markdown
    assert said.markdown.count("](") == 1 and "[Look at it](https://report.example/r.html#" in said.markdown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=?utf-8?b?4oCuZ25w?=", "= ?utf-8?b?4oCuZ25w?="),  # a mark that turns the direction of writing
        ("=?utf-8?Q?a=0D=0ABcc:_v@example.com?=", "= ?utf-8?Q?a=0D=0ABcc:_v@example.com?="),
        ("=?us-ascii?q?=1b]0;owned=07?=", "= ?us-ascii?q?=1b]0;owned=07?="),
        ("=\u200b?utf-8?q?=E2=80=AE?=", "= ?utf-8?q?=E2=80=AE?="),
        ("a=b ? Zoë", "a=b ? Zoë"),
    ],
)
def test_a_header_holds_no_encoded_word_of_others(name: str, shown: str) -> None:
    """Python's own mail module decodes it when the header is set, and so does every mail program."""
    mail = EmailMessage()
    mail["Subject"] = outside.header(name)
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert read["Subject"] == shown and read["Bcc"] is None


def test_mail_makes_no_link_of_a_name() -> None:
    given = "Look at HTTPS://x.example, \\\\x.example\\share, www.x.example; ana.b@example.com uses gpt-4.1 at 5 c/h: C:\\x"
    assert (
        outside.unlinked(given)
        == "Look at HTTPS:⁄⁄x.example, ∖∖x.example\\share, www․x.example; ana.b@example.com uses gpt-4.1 at 5 c/h: C:\\x"
    )
