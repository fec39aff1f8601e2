"""Anthropic as the platform knows it: an organisation of the API, and a Claude Enterprise one. What each endpoint means is in README.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ai_usage.errors import SettingsError
from ai_usage.sources.anthropic import analytics_records, records
from ai_usage.sources.anthropic.settings import AnthropicSettings
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.vendor import Link, Maker, Platform, Question, Reach, Source, Vendor

if TYPE_CHECKING:
    from ai_usage.sources.anthropic.analytics import AnalyticsClient
    from ai_usage.sources.anthropic.client import AnthropicClient

A = TypeVar("A", bound="AnthropicClient")
SPAN = 31  # days that one question of a report may span


def client(settings: AnthropicSettings, link: Link) -> AnthropicClient:
    """For the usage and cost reports and the directories."""
    from ai_usage.sources.anthropic.client import AnthropicClient

    return _made(AnthropicClient, settings, link)


def analytics(settings: AnthropicSettings, link: Link) -> AnalyticsClient:
    """For the analytics endpoints, of whichever organisation the source is."""
    from ai_usage.sources.anthropic.analytics import AnalyticsClient

    return _made(AnalyticsClient, settings, link)


def _made(kind: type[A], settings: AnthropicSettings, link: Link) -> A:
    enterprise = link.source == analytics_records.ENTERPRISE
    key = settings.anthropic_analytics_api_key if enterprise else settings.anthropic_admin_api_key
    name = "ANTHROPIC_ANALYTICS_API_KEY" if enterprise else "ANTHROPIC_ADMIN_API_KEY"
    if key is None:
        raise SettingsError(f"{'Claude Enterprise' if enterprise else 'Claude'} is off: {name} is not set.")
    return kind(
        settings.anthropic_base_url, key.get_secret_value(), link.spool, key_setting=name, rate_factor=settings.anthropic_rate_factor,
        connections=link.connections, **link.http,
    )  # fmt: skip


def _probe(settings: AnthropicSettings, made: Callable[[Maker], AnalyticsClient], today: date) -> str:
    name, yesterday = made(client).organization(), today - timedelta(days=1)
    reach = made(analytics).reach(analytics_records.COST, Window(yesterday, yesterday))
    generation = (
        "the usage and cost reports (analytics is not for this key)" if reach.refused else "analytics, beside the usage and cost reports"
    )
    return f"{settings.anthropic_base_url} accepts ANTHROPIC_ADMIN_API_KEY for '{name}'; cost comes from {generation}."


def _probe_enterprise(settings: AnthropicSettings, made: Callable[[Maker], AnalyticsClient], today: date) -> str:
    day = today - timedelta(days=3)  # engagement is aggregated a day later, in older answers three days
    refused = [r for e in analytics_records.ENTERPRISE_ENDPOINTS if (r := made(analytics).reach(e, Window(day, day)).refused)]
    if refused:
        raise SettingsError(refused[0])
    return f"{settings.anthropic_base_url} accepts ANTHROPIC_ANALYTICS_API_KEY for cost, usage and engagement."


def _reach(asked: AnalyticsClient, endpoint: Endpoint, window: Window) -> Reach:
    return asked.reach(endpoint, window)


def _report(endpoint: Endpoint) -> Question:
    return Question(endpoint, lambda asked, window: asked.report(endpoint)(window), walk_days=SPAN, client=analytics, reach=_reach)


# Seats are claude.ai's, whatever they are used for.
_console = partial(Platform, invoices_as="Anthropic", account="Claude Console", seats_account="claude.ai")

VENDOR = Vendor(
    name="anthropic",
    title="Anthropic",
    platforms=(
        _console("claude_code", label="Claude Code", colour=1, service="Claude Code"),
        _console("claude_api", label="Claude API", colour=2, service="Claude API"),
    ),
    claims=("claude",),
    settings=AnthropicSettings,
    sources=(
        Source(
            "anthropic",
            client=client,
            probe=_probe,
            platforms=("claude_api", "claude_code"),
            has_default_workspace=True,
            questions=(
                Question(records.USAGE, lambda asked, window: asked.usage(window), walk_days=SPAN, answers_today=True),
                Question(records.COST, lambda asked, window: asked.cost(window), walk_days=SPAN, answers_today=True),
                Question(records.CLAUDE_CODE, lambda asked, window: asked.claude_code(window), answers_today=True),
                Question(records.USERS, lambda asked, window: asked.users(window)),
                Question(records.API_KEYS, lambda asked, window: asked.api_keys(window)),
                Question(records.WORKSPACES, lambda asked, window: asked.workspaces(window)),
                Question(records.WORKSPACE_MEMBERS, lambda asked, window: asked.workspace_members(window)),
                _report(analytics_records.COST),
                _report(analytics_records.USAGE),
            ),
        ),
        Source(
            "claude_enterprise",
            client=analytics,
            probe=_probe_enterprise,
            platforms=("claude_ai", "claude_code"),
            account="claude.ai",
            questions=(
                _report(analytics_records.ENTERPRISE_COST),
                _report(analytics_records.ENTERPRISE_USAGE),
                Question(analytics_records.ENTERPRISE_USERS, lambda asked, window: asked.people(window), client=analytics, reach=_reach),
            ),
        ),
    ),
)
