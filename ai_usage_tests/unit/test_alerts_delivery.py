"""Handing a message over: a real SMTP server and a webhook that answer, refuse, reset and hang; and addresses that stay secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_usage.alerts import delivery
from ai_usage.alerts.delivery import Destination, deliver, destinations
from ai_usage.alerts.wording import Message
from ai_usage.errors import SettingsError
from ai_usage_tests.fixtures.desk import Answers
from ai_usage_tests.fixtures.mail import Mailbox, Webhook, silent_port

AUDIENCES = {"finance": "", "platform": ""}
MESSAGE = Message(
    "AI usage: 2 alerts\n(ü)", "Plain: $1,200.00 – see https://x.example/#budget", "**Mark**down", "<p>Html: <b>$1,200.00</b></p>"
)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as found:
        yield found


def to(url: str) -> Destination:
    (one,) = destinations(f"finance: '{url}'", AUDIENCES)
    return one


def test_an_email_has_text_and_html_and_reaches_everybody(mailbox: Mailbox) -> None:
    url = mailbox.url("cfo@example.com,Jo <jo@example.com>") + "&cc=cc@example.com&bcc=hidden@example.com&name=Usage"
    assert deliver(to(url), MESSAGE) is None
    (mail,) = mailbox.mails
    assert mail["Subject"] == "AI usage: 2 alerts (ü)"
    assert mail.get_body(("plain",)).get_content().strip() == MESSAGE.text
    assert mail.get_body(("html",)).get_content().strip() == MESSAGE.html
    assert sorted(mailbox.recipients[0]) == ["cc@example.com", "cfo@example.com", "hidden@example.com", "jo@example.com"]
    assert "hidden" not in str(mail) and "alerts@example.com" in mail["From"] and mail["Auto-Submitted"] == "auto-generated"


def test_a_mail_server_that_refuses_is_said_in_one_sentence(mailbox: Mailbox) -> None:
    mailbox.refuse = "451 try later"
    said = str(deliver(to(mailbox.url()), MESSAGE))
    assert "the mail server answered 451" in said and "example.com" not in said
    mailbox.refuse = None
    mailbox.refused = {"cfo@example.com"}
    assert "refuses every recipient" in str(deliver(to(mailbox.url()), MESSAGE))
    assert deliver(to(mailbox.url("cfo@example.com,jo@example.com")), MESSAGE) is None, "one of two took it: it is not sent to her again"
    assert mailbox.recipients == [["jo@example.com"]]


def test_a_login_is_used_and_a_wrong_one_is_said_without_it() -> None:
    with Mailbox(password="right-word") as mailbox:
        assert deliver(to(mailbox.url(login="bot:right-word@")), MESSAGE) is None
        said = str(deliver(to(mailbox.url(login="bot:wrong-word@")), MESSAGE))
    assert "refuses the login" in said and "wrong-word" not in said and "bot" not in said


def test_a_mail_server_that_is_not_there_or_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "TIMEOUT_S", 0.2)
    with silent_port() as port:
        url = f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com&mode=insecure"
        assert "cannot be reached" in str(deliver(to(url), MESSAGE))
    assert "cannot be reached" in str(deliver(to(url), MESSAGE))


def test_a_webhook_gets_the_markdown(webhook: Webhook) -> None:
    assert deliver(to(webhook.url()), MESSAGE) is None
    (got,) = webhook.got
    assert got["title"] == MESSAGE.subject.replace("\n", " ") or got["title"] == MESSAGE.subject
    assert "Mark" in got["message"]


@pytest.mark.parametrize(("mood", "said"), [(500, "answered 500"), (404, "answered 404"), ("reset", "could not be reached")])
def test_a_webhook_that_fails_is_said_without_its_address(
    webhook: Webhook, mood: str | int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.mood = mood
    error = str(deliver(to(webhook.url()), MESSAGE))
    assert said in error and "finance 1 (json)" in error
    assert "hook-token" not in error + caplog.text + repr(to(webhook.url()))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_webhook_that_redirects_was_not_told(answers: Answers, status: int) -> None:
    """The other address would answer 200 to a GET without the message, and would learn the webhook's token."""
    answers.give(b"", status, Location=f"{answers.url}/elsewhere")
    url = answers.url.replace("http://", "json://user:hook-password@")
    assert f"answered {status}" in str(deliver(to(f"{url}/hook-token?redirect=yes"), MESSAGE))
    assert [a.path for a in answers.asked] == ["/hook-token"]


def test_a_webhook_is_told_nothing_from_netrc(answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    answers.give(b"")
    assert deliver(to(answers.url.replace("http://", "json://")), MESSAGE) is None
    assert "authorization" not in answers.asked[0].headers


@pytest.mark.parametrize(
    "url", ["json://hook.example/t", "form://10.0.0.1/t", "gotify://hook.example/secrettoken12345", "mailto://u:p@mail.example?to=a@b.co"]
)
def test_an_address_without_tls_is_refused_unless_its_host_is_named(url: str) -> None:
    given, host = f"finance: '{url}'", url.partition("?")[0].replace("u:p@", "").split("/")[2]
    with pytest.raises(
        SettingsError, match=rf"AI_USAGE_ALERT_URLS: to finance 1 .* name the host {host} in AI_USAGE_PLAINTEXT_HOSTS\.$"
    ) as error:
        destinations(given, AUDIENCES)
    assert "token" not in str(error.value) and "u:p" not in str(error.value)
    assert destinations(given, AUDIENCES, [host])
    assert destinations(f"finance: '{url.replace('://', 's://')}'", AUDIENCES)


def test_what_needs_no_tls_is_left_alone() -> None:
    """This machine, services that only know TLS, and a relay that wants no login."""
    for url in (
        "json://[::1]:1/t",
        "json://localhost/t",
        "mailto://relay.example?to=a@b.co&from=c@d.co",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    ):
        assert destinations(f"finance: '{url}'", AUDIENCES)


def test_a_webhook_that_hangs_holds_nobody_up(webhook: Webhook) -> None:
    """The bound of the whole delivery counts, whatever the plugin's own timeouts are."""
    webhook.mood = "hang"
    assert "did not answer within 0 s" in str(deliver(to(webhook.url()), MESSAGE, patience_s=0.3))


def test_addresses_are_read_from_yaml_and_json() -> None:
    found = destinations('{"finance": ["jsons://a/1", "jsons://a/2"], "platform": "jsons://b"}', AUDIENCES)
    assert [d.name for d in found] == ["finance 1 (jsons)", "finance 2 (jsons)", "platform 1 (jsons)"]
    assert [d.url for d in destinations("finance: jsons://a/1\nplatform:\n- jsons://b\n", AUDIENCES)] == ["jsons://a/1", "jsons://b"]
    assert destinations(None, AUDIENCES) == destinations("  ", AUDIENCES) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("json://secret-token", "each line is an audience"), ("finance: 7", "each line is an audience"), ("finance: [", "each line is an audience"),
        ("cfo: json://secret-token", "no audience 'cfo'"), ("finance: 'gopher://secret-token'", "finance 1 (gopher) cannot be read"),
        ("finance: 'secret-token'", "finance 1 (no scheme) cannot be read"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_said_without_it(given: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        destinations(given, AUDIENCES)
    assert said in str(error.value) and "secret-token" not in str(error.value)
