"""Where messages go: each audience's addresses, and handing a message to one of them within a bounded time.

Belongs here: addresses (secrets: they are in no log, error or repr), e-mail in two forms, and apprise for everything else. Does not belong here:
what is said, and whether it was said before.

An address is a URL of apprise: `mailtos://user:password@host?to=…`, `slack://…`, `msteams://…`, `json://host/path` and a hundred more. E-mail is
sent by smtplib with what apprise read from the URL, since apprise makes the plain text from the HTML and loses every link on the way.
"""

from __future__ import annotations

import logging
import os
import re
import smtplib
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid
from typing import Any
from urllib.parse import urlsplit

import yaml

from ai_usage.alerts.wording import Message
from ai_usage.errors import SettingsError
from ai_usage.guards import outgoing, outside

PATIENCE_S = 30.0
TIMEOUT_S = 10.0
VARIABLE = "AI_USAGE_ALERT_URLS"


@dataclass(frozen=True)
class Destination:
    """One address of an audience. `name` says which without saying where: `finance 1 (mailtos)`."""

    name: str
    audience: str
    url: str = field(repr=False)


def destinations(given: str | None, audiences: Mapping[str, str], in_clear: Collection[str] = ()) -> list[Destination]:
    """The addresses of every audience from the text of `AI_USAGE_ALERT_URLS`: a mapping of audience to a URL or a list of them, YAML or JSON.
    `in_clear`: the hosts to which a message may go without TLS.

    Raises `SettingsError`; no address is in its message.
    """
    if not given or not given.strip():
        return []
    try:
        found = yaml.safe_load(given)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or not all(_is_urls(value) for value in found.values()):
        raise SettingsError(
            f"{VARIABLE}: each line is an audience and its address; write for example `finance: mailtos://…`, or a list of them."
        )
    made = []
    for audience, value in found.items():
        if audience not in audiences:
            raise SettingsError(
                f"{VARIABLE}: there is no audience {str(audience)[:40]!r}; use {', '.join(audiences)}, or add it in AI_USAGE_ALERTS_FILE."
            )
        for number, url in enumerate([value] if isinstance(value, str) else value, start=1):
            name = f"{audience} {number} ({_scheme(url)})"
            _check_secure(_plugin(url, name), name, in_clear)
            made.append(Destination(name, str(audience), url))
    return made


def _check_secure(plugin: Any, name: str, in_clear: Collection[str]) -> None:
    """A webhook's address is a secret, and so is a mail account's password; a mail relay without a login may be asked as it is."""
    from apprise.plugins.email import NotifyEmail

    if isinstance(plugin, NotifyEmail):
        host, clear = plugin.smtp_host, bool(plugin.password) and plugin.secure_mode == "insecure"
    else:
        host, clear = (
            plugin.host or "",
            bool(plugin.protocol) and not plugin.secure,
        )  # apprise's services that only know TLS have no `protocol`
    if clear and (wrong := outgoing.in_clear(f"http://{host}", in_clear)):
        raise SettingsError(f"{VARIABLE}: to {name} {wrong.replace('https://', 'the same address with an s before ://')}.")


def _is_urls(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _scheme(url: str) -> str:
    found = urlsplit(url.strip()).scheme.lower()
    return found if re.fullmatch(r"[a-z0-9]{1,20}", found) else "no scheme"


def _plugin(url: str, name: str) -> Any:
    """apprise's object for one address. Its own logger is silenced: it says hosts, and at DEBUG whole addresses."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    try:
        found = apprise.Apprise.instantiate(url.strip(), suppress_exceptions=True)
    except Exception:  # a plugin's own complaint may quote the address
        found = None
    if found is None:
        raise SettingsError(f"{VARIABLE}: the address of {name} cannot be read; write it as apprise's documentation says for its service.")
    found.redirects = False  # whatever its URL says: a message that was sent elsewhere told nobody, and its address is a secret
    return found


def deliver(to: Destination, message: Message, *, patience_s: float = PATIENCE_S) -> str | None:
    """Send; None when it was accepted, else one sentence without the address. Returns within `patience_s`, whatever the other side does."""
    answer: list[str | None] = []

    def work() -> None:
        try:
            answer.append(_send(to, message))
        except Exception as error:  # its words may hold the address
            answer.append(f"{to.name} could not be sent to ({type(error).__name__}); try ai-usage alerts --test {to.audience}.")

    thread = threading.Thread(target=work, daemon=True, name="alert delivery")
    thread.start()
    thread.join(patience_s)
    return answer[0] if answer else f"{to.name} did not answer within {patience_s:.0f} s; the next pass tries again."


def _send(to: Destination, message: Message) -> str | None:
    import apprise
    from apprise.plugins.email import NotifyEmail

    plugin = _plugin(to.url, to.name)
    if isinstance(plugin, NotifyEmail):
        return _mail(to, plugin, message)
    plugin.socket_connect_timeout = min(plugin.socket_connect_timeout, TIMEOUT_S)
    plugin.socket_read_timeout = min(plugin.socket_read_timeout, TIMEOUT_S)
    os.environ["NETRC"] = os.devnull  # apprise's requests take no session: this keeps ~/.netrc out of them
    sender = apprise.Apprise()
    sender.add(plugin)
    with _Listening() as heard:
        if sender.notify(title=outside.chat(message.subject), body=message.markdown, body_format=apprise.NotifyFormat.MARKDOWN):
            return None
    said = f"answered {heard.status}" if heard.status else "could not be reached or did not accept the message"
    return f"{to.name} {said}; the next pass tries again."


class _Listening(logging.Handler):
    """The HTTP status that apprise mentions in its log: the one thing in it that is no secret. `status` is None where it names none. Meanwhile
    urllib3, which logs the path of a request at DEBUG, and so a webhook's token, is kept from it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status: str | None = None
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"error=(\d{3})\b", record.getMessage())
        self.status = found[1] if found else self.status

    def __enter__(self) -> _Listening:
        self._http = logging.getLogger("urllib3.connectionpool")
        self._before = (self._logger.level, self._logger.propagate, self._http.level)
        self._http.setLevel(logging.WARNING)
        self._logger.setLevel(logging.WARNING)
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        level, self._logger.propagate, http = self._before
        self._logger.setLevel(level)
        self._http.setLevel(http)


def _mail(to: Destination, plugin: Any, message: Message) -> str | None:
    """One e-mail to all recipients of the address, as text and HTML; connection, security and login are those of apprise's URL."""
    name, sender = plugin.from_addr
    mail = EmailMessage()
    mail["Subject"] = outside.header(message.subject)
    mail["From"] = formataddr((name or "AI Usage Analytics", sender))
    mail["To"] = ", ".join(formataddr((who or "", address)) for who, address in plugin.targets)
    if plugin.cc:
        mail["Cc"] = ", ".join(sorted(plugin.cc))
    if plugin.reply_to:
        mail["Reply-To"] = ", ".join(sorted(plugin.reply_to))
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or None)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    recipients = [address for _, address in plugin.targets] + sorted(plugin.cc) + sorted(plugin.bcc)
    try:
        with _connected(plugin) as server:
            refused = server.send_message(mail, sender, recipients)
    except smtplib.SMTPAuthenticationError:
        return f"{to.name}: the mail server refuses the login; correct user and password in {VARIABLE}."
    except smtplib.SMTPResponseException as error:
        return f"{to.name}: the mail server answered {error.smtp_code}; the next pass tries again."
    except smtplib.SMTPRecipientsRefused:
        return f"{to.name}: the mail server refuses every recipient; correct `to` in {VARIABLE}."
    except ssl.SSLError:
        return f"{to.name}: the connection to the mail server could not be secured; correct `mode` in {VARIABLE}."
    except (OSError, smtplib.SMTPException):
        return f"{to.name}: the mail server cannot be reached; the next pass tries again."
    if refused:
        logging.getLogger("ai_usage.alerts").warning("%s: %d of %d recipients were refused.", to.name, len(refused), len(recipients))
    return None


def _connected(plugin: Any) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if not plugin.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    server: smtplib.SMTP
    if plugin.secure_mode == "ssl":
        server = smtplib.SMTP_SSL(plugin.smtp_host, plugin.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(plugin.smtp_host, plugin.port, timeout=TIMEOUT_S)
    try:
        if plugin.secure_mode == "starttls":
            server.starttls(context=context)
        if plugin.user and plugin.password:
            server.login(plugin.user, plugin.password)
    except BaseException:
        server.close()
        raise
    return server


Sender = Callable[[Destination, Message], str | None]
