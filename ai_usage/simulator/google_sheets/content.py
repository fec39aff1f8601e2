"""What the company's finance team keeps in its spreadsheet.

Belongs here: the tabs and their rows, written from the cast, the subscriptions and the books.
Does not belong here: how Google serves them (google_sheets.py).

Invoices are what the vendor billed for complete, closed months as first told: later restatements do not
rewrite them.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from ..cast import UNKNOWN
from ..key_owners import key_owners
from ..subscriptions import months, next_month
from .sheet import DOLLARS, THOUSANDS, US_DATE, Cell, Sheet

if TYPE_CHECKING:
    from ..world import World

HEADERS = {
    "api_keys": "api_key_name email description valid_from valid_to",
    "people": "email first_name last_name department cost_center aliases valid_from valid_to",
    "subscriptions": "platform plan seats email price_usd valid_from valid_to",
    "claude_ai_usage": "usage_date email conversations messages projects files",
    "invoices": "platform invoice_month invoice_number description amount_usd cost_type",
    "budgets": "month department platform budget_usd",
}


def company_sheet(world: World) -> Sheet:
    sheet = Sheet()
    writers = (_api_keys, _people, _subscriptions, _claude_ai_usage, _invoices, _budgets)
    for (title, header), rows in zip(HEADERS.items(), writers, strict=True):
        sheet.add_tab(title, header.split(), rows(world))
    return sheet


def _api_keys(world: World):
    yield from key_owners(world)


def _people(world: World):
    by_email = {person.email: person for person in world.cast.people}
    for row in world.cast.assignments:
        person = by_email.get(row.email)
        first, last = (person.first, person.last) if person else ("Agent", "Runner")
        aliases = ";".join(person.aliases) if person else ""
        yield (
            row.email,
            first,
            last,
            row.department,
            row.cost_center,
            aliases or None,
            row.valid_from,
            row.valid_to,
        )


def _subscriptions(world: World):
    for s in world.subscriptions:
        yield s.platform, s.plan, s.seats, s.email, Cell(s.price_usd, DOLLARS), s.valid_from, s.valid_to


def _claude_ai_usage(world: World):
    if world.anthropic and world.claude.enterprise:
        return  # the API tells it: nobody exports it by hand
    for (day, email), counts in world.claude_ai_usage.items():
        yield day, email, *counts.values()


def _invoices(world: World):
    books = world.truth_at(0)

    def row(platform: str, month, text: str, amount: Decimal, kind: str):
        number = f"INV-{month:%Y-%m}-{platform[:3].upper()}-{kind[0].upper()}"
        rounded = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        return platform, Cell(month, US_DATE), number, text, Cell(rounded, DOLLARS), kind

    for month in months(world.first_day, world.last_day):
        last = next_month(month) - timedelta(days=1)
        if month < world.first_day or last > world.last_day:
            continue
        yield row("cursor", month, "On-demand usage", books.billed_usd(month, last), "usage")
        for platform in sorted({s.platform for s in world.subscriptions}):
            yield row(platform, month, "Seats", books.subscription_usd(platform, month, last), "subscription")
        beyond = sum(books.claude_ai_spend_usd_by_day_user(month, last).values(), Decimal(0))
        if beyond:
            yield row("claude_ai", month, "Extra usage", beyond, "overage")
    if world.anthropic:
        for month in months(world.first_day, world.last_day):
            last = next_month(month) - timedelta(days=1)
            if month < world.first_day or last > world.last_day:
                continue
            split = books.anthropic.usd_by_day_platform(month, last)
            for platform, text in (("claude_api", "Claude API usage"), ("claude_code", "Claude Code usage")):
                amount = sum((v for (_, p), v in split.items() if p == platform), Decimal(0))
                yield row(platform, month, text, amount, "usage")


def _budgets(world: World):
    """One budget, told three times: the company's, by platform and by department. Both parts add up to it."""
    heads = Counter(p.department for p in world.cast.people if p.index != UNKNOWN)
    everyone = len(world.cast.people)
    rate = Decimal(repr(world.events_per_person_day)) / 6
    tenth = Decimal("0.1")

    def budget(heads: int, flat: int, each: int) -> Decimal:
        return (heads * (flat + each * rate)).quantize(tenth, rounding=ROUND_HALF_UP)

    platforms = {"cursor": budget(everyone, 40, 27), "claude_ai": budget(everyone, 15, 0)}
    if world.anthropic:
        platforms["claude_api"] = budget(len(world.anthropic_org.keys), 40, 20)
        platforms["claude_code"] = budget(len(world.anthropic_org.claude_code_users), 40, 1)
    company = sum(platforms.values(), Decimal(0))
    departments = {name: (company * n / heads.total()).quantize(tenth, rounding=ROUND_HALF_UP) for name, n in sorted(heads.items())}
    departments[max(departments)] += company - sum(departments.values(), Decimal(0))
    for month in months(world.first_day, world.last_day):
        for name, amount in departments.items():
            yield month, name, None, Cell(amount, THOUSANDS)
        for name, amount in platforms.items():
            yield month, None, name, Cell(amount, THOUSANDS)
        yield month, None, None, Cell(company, THOUSANDS)
