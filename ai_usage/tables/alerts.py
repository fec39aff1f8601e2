"""What was told to whom: the log of alerts and the view that shows it.

Belongs here: the declarations of `alert_log` and `vw_alerts`. Does not belong here: what is worth telling (`sql/alerts/`) and how it is told
(`ai_usage/alerts/`).
"""

from __future__ import annotations

from ai_usage.tables.schema import Table, count, date, integer, numeric, string, timestamp

SEVERITIES = ("info", "warning", "error")
EVENTS = ("opened", "reopened", "worsened", "resolved", "sent", "repeated", "delivery_failed")
TOLD = ("open", "worse", "still", "resolved")
ENDINGS = ("over", "aged")
UNITS = ("USD", "share", "hours", "days", "requests", "records", "runs")

_CAUSE = (
    string("alert", "The alert's name in `alerts.yaml`.", nullable=False),
    string("cause_key", "What it is about, the same in every pass: a month and a department, a source and an endpoint.", nullable=False),
    string("severity", "How soon somebody should look.", nullable=False, allowed=SEVERITIES),
    integer(
        "level", "1, or higher where the cause is worse: a budget that is used up is worse than one that is nearly so.", nullable=False
    ),
    string("subject", "Who or what it is about, in words.", nullable=False),
    string("headline", "The alert as one sentence.", nullable=False),
    numeric("figure", "What was found, in `unit`."),
    numeric("usual", "What is normal or allowed, in `unit`."),
    string("unit", "Unit of `figure` and `usual`.", nullable=False, allowed=UNITS),
    string("likely_reason", "What probably lies behind it."),
    string("moved_by", "Who or what moved the figure most, one a line."),
    date("since", "UTC day since which it holds."),
    date("first_day", "First UTC day concerned."),
    date("last_day", "Last UTC day concerned."),
)

alert_log = Table(
    name="alert_log",
    layer="operations",
    description="Everything that happened to alerts: when each cause opened and ended, and what was told to whom. Append only.",
    grain="one event of one cause, and of one destination where something was told",
    key=("logged_at", "seq"),
    columns=(
        timestamp("logged_at", "When it happened.", nullable=False),
        integer("seq", "Order of the events of one moment, from 1.", nullable=False),
        string(
            "event",
            "opened, reopened (again within the quiet period), worsened, resolved: of the cause. sent, repeated, delivery_failed: of a destination.",
            nullable=False,
            allowed=EVENTS,
        ),
        *_CAUSE,
        string("ending", "Of `resolved`: over, or aged where the days concerned left the days that the alert looks at.", allowed=ENDINGS),
        string("audience", "Who was told; NULL for events of the cause."),
        string("destination", "Which of the audience's addresses, by number and kind; the address itself is a secret."),
        string("told", "What was said.", allowed=TOLD),
        string("error", "Of `delivery_failed`: why, in one sentence."),
        string("run_id", "The Dagster run, if one ran it."),
    ),
)
vw_alerts = Table(
    name="vw_alerts",
    layer="mart",
    description="Every cause that ever raised an alert, as it stands: open or over, and whether somebody was told.",
    grain="one alert and cause",
    key=("alert", "cause_key"),
    view=True,
    columns=(
        *_CAUSE,
        string("state", "open or resolved.", nullable=False, allowed=("open", "resolved")),
        timestamp("opened_at", "When it opened last.", nullable=False),
        timestamp("resolved_at", "When it ended; NULL while it is open."),
        integer("open_causes", "1 while it is open, else 0: the sum is the number of open causes.", nullable=False),
        count("messages_sent", "Messages about it that an audience's address accepted.", "messages", nullable=False),
        count("deliveries_failed", "Attempts that failed.", "messages", nullable=False),
        timestamp("last_told_at", "When somebody was last told; NULL is never."),
    ),
)

ALERTS: tuple[Table, ...] = (alert_log,)
