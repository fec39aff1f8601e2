"""The HTTP client: what is tried again, for how long, how fast, and what never appears in a message.

A real server on localhost answers; only the clock is not real, so that nothing waits.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import time as real_time
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pyarrow as pa
import pytest
import requests
import tenacity.nap
from google.auth.credentials import AnonymousCredentials
from google.auth.transport import requests as google_requests
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_usage.guards import bounds as bounds_module
from ai_usage.guards.bounds import BoundError, Bounds
from ai_usage.guards.outgoing import guarded, hide
from ai_usage.sources import http as http_module
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.cursor.client import CursorClient
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import AuthError, PermanentError, RefusedError, SourceError, TransientError
from ai_usage.sources.http import Body, HttpClient
from ai_usage.sources.pace import RateLimit, http_date, retry_after
from ai_usage_tests.fixtures.desk import Answers

DAY = Window(date(2026, 11, 1), date(2026, 11, 1))
SECRET = "key_5ecre7-value-of-some-length"


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def time(self) -> float:
        return real_time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(http_module, "time", made)
    monkeypatch.setattr(tenacity.nap, "time", made)
    return made


def client(answers: Answers, **more) -> HttpClient:
    given = {"auth": (SECRET, ""), "secrets": (SECRET,), "key_setting": "VENDOR_KEY", "backoff_s": 1.0, "tries": 7, "patience_s": 300.0}
    return HttpClient("Vendor", answers.url, **{**given, **more})


def text(body: Body) -> str:
    return body.content.decode()


# Retry-After --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), (None, None), ("", None), ("soon", None)]
)
def test_retry_after_in_seconds(header, seconds) -> None:
    """Seconds are taken as they are, never negative; what is neither seconds nor a date is no advice."""
    assert retry_after(header) == seconds


def test_retry_after_as_a_date_is_the_time_until_then() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
    assert retry_after("Sun, 22 Nov 2026 12:01:30 GMT", now) == 90
    assert retry_after("Sun, 22 Nov 2026 11:59:00 GMT", now) == 0, "a date that has passed asks for no wait"
    assert retry_after("Sun, 22 Nov 2026 12:01:30 -0000", now) == 90, "no zone is UTC"


@pytest.mark.parametrize(
    "header",
    [
        "Mon, 30 Nov 2026 10:00:00 +99999999999999999999", "Mon, 30 Nov " + "9" * 30 + " 10:00:00 GMT", "Thu, 1 Jan 70 00:00:99999999999999999999999 GMT",
        "Mon, 30 Nov 2026 10:00:00 -2500", "Mon, 99 Foo 2026", "1e999", "9" * 5000, "\x00", ",", "\u0661",
    ],
)  # fmt: skip
def test_a_date_that_is_none_is_no_advice_and_no_traceback(header: str) -> None:
    """`Retry-After` of a vendor and `Date`, by which doctor judges the clock: what Python cannot hold is a date that nobody gave."""
    assert http_date(header) is None
    assert (retry_after(header) or 0) in (0, 1), "the Arabic 1 is a number to Python"


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_vendor_asks_for_is_kept(answers: Answers, clock: Clock, status: int) -> None:
    """Retry-After: 17 means 17 seconds, not the client's own backoff."""
    answers.give(b"{}", status, Retry_After="17")
    answers.give(b"fine")
    assert client(answers).ask("GET", "/x", text) == "fine"
    assert clock.slept == [17.0]


def test_the_date_that_the_vendor_names_is_waited_for(answers: Answers, clock: Clock) -> None:
    answers.give(b"{}", 429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True))
    answers.give(b"fine")
    client(answers).ask("GET", "/x", text)
    assert len(clock.slept) == 1 and 37 < clock.slept[0] <= 40


@pytest.mark.parametrize("header", ["0", "-5", "0.001", "nan", "Infinity", "1e400", "Sun, 22 Nov 2020 11:59:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_a_vendor_asks_for_never_shortens_our_own(answers: Answers, clock: Clock, header: str, status: int) -> None:
    """Seven tries within 0.3 s would fail a day that a minute's patience would have read."""
    for _ in range(6):
        answers.give(b"{}", status, Retry_After=header)
    answers.give(b"fine")
    assert client(answers).ask("GET", "/x", text) == "fine"
    assert all(slept >= 2**n for n, slept in enumerate(clock.slept)), clock.slept


@pytest.mark.parametrize("key", ["k", "test", "placeholder"])
def test_a_short_key_damages_no_answer(answers: Answers, key: str) -> None:
    """A placeholder behind a gateway that adds the real key: its letters are in every answer."""
    said = json.dumps({"tokens": 12, "kind": "test", "placeholder": "k"})
    answers.give(said.encode())
    assert client(answers, auth=(key, ""), secrets=(key,)).ask("GET", "/x", text) == said


def test_a_key_in_an_answer_costs_no_field_its_name(answers: Answers) -> None:
    answers.give(json.dumps({SECRET: 1, "echo": f"Bearer {SECRET}", "list": [SECRET]}).encode())
    assert json.loads(client(answers).ask("GET", "/x", text)) == {SECRET: 1, "echo": "Bearer ***", "list": ["***"]}


ECHOES = {
    "upper": SECRET.upper(),
    "url": SECRET.replace("_", "%5F").replace("-", "%2d"),
    "json": SECRET.replace("_", r"\u005f").replace("-", r"\u002D"),
    **{f"basic {n}": base64.b64encode(f"{'x' * n}{SECRET}:{'y' * n}".encode()).decode() for n in range(4)},
    "for urls": base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("form", ECHOES)
def test_a_key_is_known_in_the_forms_in_which_it_comes_back(answers: Answers, clock: Clock, form: str) -> None:
    """In an answer and in an error alike; of base64 not eight letters remain that the key made."""
    echo = ECHOES[form]
    answers.give(b'{"a": "<' + echo.encode() + b'>", "tokens": 12}')
    answers.give(b'{"a": "<' + echo.encode() + b'>"}', 400)
    said = client(answers).ask("GET", "/x", text)
    with pytest.raises(PermanentError) as caught:
        client(answers).ask("GET", "/x", text)
    assert said.startswith('{"a": "<') and said.endswith('***>", "tokens": 12}')
    assert not [n for n in range(8, len(echo) - 8) if echo[n : n + 8] in said + str(caught.value)]


def test_a_key_inside_a_longer_field_name_leaves_it_whole(answers: Answers) -> None:
    named = {f"before {SECRET} after": f"{SECRET}: 1", f'"{SECRET}" : ': [f'say "{SECRET}"', {"x": SECRET}]}
    answers.give(named)
    found = json.loads(client(answers).ask("GET", "/x", text))
    assert found == {f"before {SECRET} after": "***: 1", f'"{SECRET}" : ': ['say "***"', {"x": "***"}]}


def test_a_key_with_letters_that_are_escaped_is_hidden() -> None:
    key = 'pa"ss/wo+rd\\and=more'
    assert hide(json.dumps(key) + " " + json.dumps(key).replace("/", "\\/"), (key,)) == '"***" "***"'
    assert hide("pa%22ss%2Fwo%2brd%5Cand%3Dmore", (key,)) == "***"


def test_a_password_in_a_base_url_is_never_shown(answers: Answers, clock: Clock) -> None:
    made = HttpClient("Vendor", answers.url.replace("http://", "http://bob:pass-word-5@"), tries=1)
    said = [repr(made)]
    for status in (301, 404):
        answers.give(b"{}", status, Location="http://127.0.0.2/")
        with pytest.raises(SourceError) as caught:
            made.ask("GET", "/x", text)
        said.append(str(caught.value))
    with pytest.raises(SourceError) as caught:
        HttpClient("Vendor", "http://bob:pass-word-5@:80", tries=1).ask("GET", "/x", text)
    assert not [s for s in [*said, str(caught.value)] if "pass-word" in s or "bob" in s]
    assert [a.headers.get("authorization") for a in answers.asked] == [None, None]


def test_a_key_for_this_machine_goes_through_no_proxy(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's loopback is another machine; for every other address the environment's proxies count."""
    with Answers() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        answers.give(b"fine")
        assert client(answers).ask("GET", "/x", text) == "fine"
        proxy.give(b"fetched")
        assert HttpClient("Vendor", "http://vendor.invalid", tries=1).ask("GET", "/x", text) == "fetched"
        assert len(proxy.asked) == 1


# Bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_transient_statuses_are_tried_at_most_so_often(answers: Answers, clock: Clock, status: int) -> None:
    """Seven tries for one answer, then one sentence that counts them."""
    for _ in range(9):
        answers.give(b'{"error": "x"}', status)
    with pytest.raises(TransientError, match=rf"answered {status}.*7 tries .* run again later\.$"):
        client(answers).ask("GET", "/x", text)
    assert len(answers.asked) == 7


def test_what_is_given_up_on_still_says_what_the_last_answer_was(answers: Answers, clock: Clock) -> None:
    """Its status and the vendor's name for the request, of the last try; where no answer came there is neither."""
    for n, status in enumerate((500, 503, 429), start=1):
        answers.give(b"{}", status, request_id=f"req_{n}")
    with pytest.raises(TransientError, match="3 tries") as caught:
        client(answers, tries=3).ask("GET", "/x", text)
    assert (caught.value.status, caught.value.request_id) == (429, "req_3")
    with pytest.raises(TransientError, match="2 tries") as caught:
        HttpClient("Vendor", "http://127.0.0.1:1", tries=2).ask("GET", "/x", text)
    assert (caught.value.status, caught.value.request_id) == (None, None)


def test_backoff_doubles_between_bounds(answers: Answers, clock: Clock) -> None:
    """The nth pause lies between 2^(n-1) and that plus one second of jitter, and never above a minute and one second."""
    for _ in range(10):
        answers.give(b"", 500)
    with pytest.raises(TransientError):
        client(answers, tries=10, patience_s=10_000).ask("GET", "/x", text)
    assert len(clock.slept) == 9
    for n, pause in enumerate(clock.slept):
        assert min(2**n, 60) <= pause <= min(2**n, 60) + 1


def test_patience_bounds_the_whole(answers: Answers, clock: Clock) -> None:
    """No request begins later than `patience_s` after the first, however many tries are left."""
    for _ in range(50):
        answers.give(b"", 503, Retry_After="10")
    begun = clock.now
    with pytest.raises(TransientError):
        client(answers, tries=1000, patience_s=35).ask("GET", "/x", text)
    assert len(answers.asked) == 4, "at 0, 10, 20 and 30 s"
    assert clock.now - begun <= 35


@settings(max_examples=25)
@given(patience=st.floats(0.5, 40), backoff=st.floats(0.1, 5))
def test_no_request_begins_after_the_patience_has_ended(patience: float, backoff: float) -> None:
    """The law of the class' docstring, for any jitter."""
    made = Clock()
    with Answers() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_module, "time", made)
        patch.setattr(tenacity.nap, "time", made)
        begins = []

        def read(body: Body) -> str:
            begins.append(made.now)
            raise TransientError("Vendor sent half a body")

        for _ in range(60):
            server.give(b"half")
        with pytest.raises(TransientError):
            client(server, tries=60, patience_s=patience, backoff_s=backoff).ask("GET", "/x", read)
    assert max(begins) - 1000.0 <= patience


def test_a_wait_longer_than_the_patience_is_given_up_at_once(answers: Answers, clock: Clock) -> None:
    answers.give(b"", 429, Retry_After="3600")
    with pytest.raises(TransientError, match="1 tries"):
        client(answers).ask("GET", "/x", text)
    assert len(answers.asked) == 1 and clock.slept == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PermanentError),
        (401, AuthError),
        (403, RefusedError),
        (404, PermanentError),
        (409, PermanentError),
        (410, PermanentError),
        (418, PermanentError),
        (422, PermanentError),
        (501, PermanentError),
    ],
)
def test_permanent_statuses_are_asked_once(answers: Answers, clock: Clock, status: int, kind: type) -> None:
    answers.give(b'{"message": "no"}', status)
    with pytest.raises(SourceError) as caught:
        client(answers).ask("POST", "/teams/x", text, json={"a": 1})
    assert type(caught.value) is kind
    assert len(answers.asked) == 1 and clock.slept == []
    assert "Vendor POST /teams/x" in str(caught.value) and str(caught.value).count("\n") == 0


def test_a_redirect_is_a_wrong_base_url_and_is_not_followed(answers: Answers, clock: Clock) -> None:
    """Following it would send the key to another host."""
    answers.give(b"", 302, Location=f"{answers.url}/elsewhere")
    with pytest.raises(PermanentError, match="base URL"):
        client(answers).ask("GET", "/x", text)
    assert [a.path for a in answers.asked] == ["/x"]


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com", "http://", "http://:80"])
def test_a_base_url_that_is_none_is_permanent(clock: Clock, url: str) -> None:
    with pytest.raises(PermanentError, match="base URL"):
        HttpClient("Vendor", url, tries=2).ask("GET", "/x", text)


def test_a_refused_connection_is_tried_again_and_named(clock: Clock) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransientError, match=r"refused.*3 tries"):
        HttpClient("Vendor", f"http://127.0.0.1:{port}", tries=3).ask("GET", "/x", text)
    assert len(clock.slept) == 2


def test_a_body_shorter_than_announced_is_tried_again(answers: Answers, clock: Clock) -> None:
    """A cut answer is never handed to the reader."""
    answers.give(b'{"a": 1', Content_Length="500", Connection="close")
    answers.give(b"whole")
    found = []

    def read(body: Body) -> str:
        found.append(body.content)
        return text(body)

    made = client(answers, timeout_s=(5.0, 0.5))
    assert made.ask("GET", "/x", read) == "whole"
    assert found == [b"whole"] and made.stats.retries == 1


def test_every_try_is_counted(answers: Answers, clock: Clock) -> None:
    """Requests, retries and refusals are what materialization metadata show."""
    answers.give(b"", 429)
    answers.give(b"", 500)
    answers.give(b"12345")
    made = client(answers)
    made.ask("GET", "/x", text)
    stats = made.stats
    assert (stats.requests, stats.retries, stats.rate_limited, stats.bytes) == (3, 2, 1, 5)


# How much of an answer is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("status", [200, 302, 500])
def test_a_body_beyond_its_bytes_is_refused_whatever_its_status(answers: Answers, clock: Clock, packed: bool, status: int) -> None:
    """1 MB is 1,000,000 bytes, counted as they are sent and as they are unpacked: a kilobyte of gzip may hold a gigabyte."""
    long = b" " * 1_000_001
    headers = {"Content_Encoding": "gzip"} if packed else {}
    answers.give(gzip.compress(long) if packed else long, status, Location="http://127.0.0.2/", **headers)
    with pytest.raises(PermanentError, match=r"Vendor GET /x: the answer has more megabytes than 1, .*AI_USAGE_HTTP_MAX_MB"):
        client(answers, bounds=Bounds(mb=1)).ask("GET", "/x", text)
    answers.give(gzip.compress(long[1:]) if packed else long[1:], **headers)
    assert client(answers, bounds=Bounds(mb=1)).ask("GET", "/x", text) == " " * 1_000_000, "as many as are allowed"


def test_gzip_of_several_members_is_one_body(answers: Answers, clock: Clock) -> None:
    answers.give(gzip.compress(b"one, ") + gzip.compress(b"two"), Content_Encoding="gzip")
    assert client(answers).ask("GET", "/x", text) == "one, two"


@pytest.mark.parametrize("body", [gzip.compress(b"x" * 99)[:-5], b"no gzip", gzip.compress(b"x") + b"more"], ids=["cut", "none", "tail"])
def test_gzip_that_is_broken_is_no_body(answers: Answers, clock: Clock, body: bytes) -> None:
    answers.give(body, Content_Encoding="gzip")
    answers.give(b"deflated twice", Content_Encoding="deflate, gzip")
    with pytest.raises(TransientError, match=r"cannot be unpacked; 2 tries"):
        client(answers, tries=2).ask("GET", "/x", text)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"], ids=["head", "body"])
def test_an_answer_that_trickles_ends_in_time(begin: bytes) -> None:
    """A byte each 20 ms is never 60 s of silence; the whole answer has its own limit, here 0.2 s."""
    over = threading.Event()

    def trickle(server: socket.socket) -> None:
        to, _ = server.accept()
        with to:
            to.sendall(begin)
            while not over.wait(0.02):
                to.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle, args=(server,), daemon=True)
        thread.start()
        began = real_time.monotonic()
        with pytest.raises(TransientError, match=r"takes longer than 0\.2 s, the most that AI_USAGE_HTTP_MAX_S allows"):
            HttpClient("Vendor", f"http://127.0.0.1:{server.getsockname()[1]}", tries=1, bounds=Bounds(seconds=0.2)).ask("GET", "/", text)
        over.set()
        thread.join()
    assert real_time.monotonic() - began < 5


@pytest.mark.parametrize("walk", ["users", "workspaces", "claude_code", "daily_usage", "events", "spend"])
def test_a_chain_without_an_end_fails_and_is_never_complete(answers: Answers, clock: Clock, tmp_path, walk: str) -> None:
    """Every page is new and announces another: after so many requests the window has failed, and nothing of it is spooled."""

    def page(_: object) -> dict:
        n = len(answers.asked)
        rows = [{"id": f"a{n}"}, {"id": f"b{n}"}]
        return {
            "data": rows, "has_more": True, "last_id": f"c{n}", "next_page": f"c{n}", "usageEvents": rows, "teamMemberSpend": rows,
            "pagination": {"hasNextPage": True}, "totalPages": 10**9, "subscriptionCycleStart": 1,
        }  # fmt: skip

    answers.on = page
    made = (CursorClient if walk in ("daily_usage", "events", "spend") else AnthropicClient)(
        answers.url, SECRET, tmp_path, rate_factor=0, bounds=Bounds(pages=5)
    )
    with pytest.raises(PermanentError, match=r"announces more pages than 5, .*AI_USAGE_HTTP_MAX_PAGES.*nothing of it was stored"):
        getattr(made, walk)(DAY)
    assert len(answers.asked) == 5 and not [p for p in tmp_path.rglob("*") if p.is_file()]


LITTLE = Bounds(depth=3, values=4, text=5)


@pytest.mark.parametrize(
    ("body", "setting"),
    [
        (b"[[[]]]", None),
        (b"[[[[]]]]", "DEPTH"),
        (b'{"a":{"b":[{}]}}', "DEPTH"),
        (b'{"a":["[[[[","]",{}]}', None),
        (b'[ ["]"  ,["]" ,[ "]" ,[]]]]', "DEPTH"),
        (b'["\\"]",["\\"]",["]\\\\",[]]]]', "DEPTH"),
        (b"[" * 9, "DEPTH"),
        (b"[1,2,3,4]", None),
        (b"[1,2,3,4,5]", "VALUES"),
        (b'[",,,,,"]', None),
        (b'"' * 17, None),
        (b"[" + b'"' * 17, "VALUES"),
        (b'["12345","1"]', None),
        (b'["123456"]', "TEXT"),
        (b'{"123456":1}', "TEXT"),
        (b"<html>" + b"[" * 9, None),
    ],
)  # fmt: skip
def test_json_that_costs_too_much_is_refused_before_it_is_read(body: bytes, setting: str | None) -> None:
    """Three levels, four values, texts of five bytes; what stands inside a text is no structure, and what is no JSON is left to its reader."""
    if setting is None:
        bounds_module.check(body, LITTLE)
        return
    with pytest.raises(BoundError, match=f"AI_USAGE_HTTP_MAX_{setting} allows"):
        bounds_module.check(body, LITTLE)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b",".join([b'"' + b"a" * 100 + b'"'] * 10_000), False),
        (b",".join([b'"' + b"a" * 100 + b'"'] * 10_001), True),
        (b",".join([b'"' + b"a" * 99 + b'"'] * 20_000), False),
        (b"9" * 100 + b" " * 100_000, False),
        (b"-" + b"9" * 101 + b"e5" + b" " * 100_000, True),
        (b"1e" + b"9" * 101 + b" " * 100_000, True),
        (b'"' + b"9" * 101 + b'"' + b" " * 100_000, False),
    ],
)
def test_long_texts_and_numbers_have_bounds_of_their_own(body: bytes, refused: bool) -> None:
    """With texts of 100,000 bytes at most: those of 100 bytes and more together 1,000,000, and numbers of 100 digits."""
    limits = Bounds(text=100_000)
    if refused:
        with pytest.raises(BoundError, match=r"than (1,000,000|100), the most that AI_USAGE_HTTP_MAX_TEXT allows"):
            bounds_module.check(b"[" + body + b"]", limits)
    else:
        bounds_module.check(b"[" + body + b"]", limits)


def test_a_page_of_long_numbers_is_judged_in_no_time() -> None:
    """4 MB of numbers of 999 digits: a search that begins anew at each digit takes a minute."""
    began = real_time.process_time()
    bounds_module.check(b"[" + b",".join([b"9" * 999] * 4_000) + b"]", Bounds())
    assert real_time.process_time() - began < 5


def test_a_page_of_brackets_is_judged_in_no_time() -> None:
    """48 MB, which level by level take 15 s of CPU."""
    began = real_time.process_time()
    with pytest.raises(BoundError, match="AI_USAGE_HTTP_MAX_DEPTH"):
        bounds_module.check(b"[" * 24_000_000 + b"]" * 24_000_000, Bounds())
    assert real_time.process_time() - began < 5


def test_a_chunk_of_minus_five_bytes_is_a_broken_connection() -> None:
    """Python's own client reads the length with its sign, and then raises a ValueError that no library catches."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            to, _ = server.accept()
            with to:
                to.recv(65536)
                to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nxx\r\n0\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(TransientError, match="the connection broke"):
            HttpClient("Vendor", f"http://127.0.0.1:{server.getsockname()[1]}", tries=1).ask("GET", "/", text)
        thread.join()


def test_a_level_too_many_is_one_sentence(answers: Answers, clock: Clock, tmp_path) -> None:
    answers.give(b'{"data":[{"id":' + b"[" * 100_000 + b"]" * 100_000 + b'}],"has_more":false}')
    with pytest.raises(
        PermanentError, match=r"nested in more levels than 64, the most that AI_USAGE_HTTP_MAX_DEPTH allows; .*raise the setting\.$"
    ):
        AnthropicClient(answers.url, SECRET, tmp_path).users(DAY)


def test_half_an_emoji_costs_its_name_and_not_the_endpoint(answers: Answers, clock: Clock, tmp_path) -> None:
    """Of halves, pairs and an escaped backslash before the letters, only the halves are replaced."""
    answers.give(rb'{"teamMembers":[{"id":"u1","name":"\ud800 \ud83d\ude00 \\ud800 \udc00"},{"id":"u2"}]}')
    walk = CursorClient(answers.url, SECRET, tmp_path).members(DAY)
    with pa.OSFile(str(walk.path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream:
        lines = stream.read().splitlines()
    assert lines == [rb'{"id":"u1","name":"\ufffd \ud83d\ude00 \\ud800 \ufffd"}', b'{"id":"u2"}']


# Secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("before", [0, 100, 165, 175, 180, 199])
def test_no_message_holds_a_secret_even_when_the_vendor_repeats_it(answers: Answers, clock: Clock, status: int, before: int) -> None:
    """Neither whole nor cut by the excerpt's end: not eight characters of it in a row."""
    answers.give(b"." * before + f" invalid key {SECRET} ".encode(), status)
    with pytest.raises(SourceError) as caught:
        client(answers, tries=1).ask("GET", "/x", text)
    said = f"{caught.value} {caught.value!r}"
    assert not [n for n in range(len(SECRET) - 7) if SECRET[n : n + 8] in said], said


def test_no_repr_holds_a_secret(answers: Answers) -> None:
    made = client(answers)
    assert SECRET not in repr(made) and SECRET not in str(made.stats)


def test_a_key_in_a_200_answer_that_is_no_json_is_hidden(answers: Answers, clock: Clock, tmp_path) -> None:
    """Some gateways answer 200 with words that repeat the key."""
    answers.give(f"bad key {SECRET[:31]}".encode())
    made = CursorClient(answers.url, SECRET, tmp_path, rate_factor=0, tries=1)
    with pytest.raises(SourceError) as caught:
        made.events(Window(date(2026, 11, 1), date(2026, 11, 1)))
    assert SECRET not in str(caught.value) and SECRET not in repr(made.http)


def test_netrc_and_proxies_of_the_machine_do_not_replace_the_key(answers: Answers, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    answers.give(b"fine")
    HttpClient("Vendor", answers.url).ask("GET", "/x", text)
    google = google_requests.AuthorizedSession(AnonymousCredentials())
    for session in (requests.Session(), google, google._auth_request_session):
        answers.give(b"fine")
        guarded(session).get(answers.url)
    assert not [a for a in answers.asked if "authorization" in a.headers]


def test_a_guarded_session_goes_nowhere_else(answers: Answers) -> None:
    """Every client's: a redirect is an answer, and what it points to is not asked."""
    google = guarded(google_requests.AuthorizedSession(AnonymousCredentials()))
    for session in (guarded(requests.Session()), google, google._auth_request_session):
        for method in ("GET", "POST"):
            answers.give(b"{}", 307, Location=f"{answers.url}/elsewhere")
            assert session.request(method, answers.url, json={"key": SECRET}).status_code == 307
    assert {a.path for a in answers.asked} == {"/"}


# Rate limit ---------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(allowed=st.integers(1, 8), gaps=st.lists(st.floats(0, 90), min_size=1, max_size=60))
def test_never_more_than_n_requests_begin_in_any_60_seconds(allowed: int, gaps: list[float]) -> None:
    """Callers come whenever they like; each waits what `reserve` tells it. Any N + 1 begins span at least 60 s."""
    now = [0.0]
    limit = RateLimit(allowed, clock=lambda: now[0])
    begins = []
    for gap in gaps:
        now[0] += gap
        wait = limit.reserve()
        assert wait >= 0
        begins.append(now[0] + wait)
    begins.sort()
    for n in range(len(begins) - allowed):
        assert begins[n + allowed] - begins[n] >= 60.0 - 1e-9


@settings(max_examples=50)
@given(allowed=st.integers(1, 8), asked=st.integers(1, 40))
def test_the_limit_wastes_nothing(allowed: int, asked: int) -> None:
    """All at once: the first N begin now, the next N after exactly 60 s, and so on."""
    limit = RateLimit(allowed, clock=lambda: 5.0)
    assert [limit.reserve() for _ in range(asked)] == [60.0 * (n // allowed) for n in range(asked)]


def test_no_limit_never_waits() -> None:
    limit = RateLimit(None)
    assert [limit.reserve() for _ in range(100)] == [0.0] * 100
