"""The wrong changes: what this field is known to get wrong, and one break of each law that the product promises.

Belongs here: data. Each change is one replacement in one file of the product, small enough that a reviewer might miss it, with the tests that are to
see it. A change whose text has moved is a failure of `unit/test_mutants.py`: follow the code, do not drop the mutant.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One mutant.

    Args:
        name: what it is called on the command line.
        law: what it breaks, as a person would say it.
        path: the file, from the repository's root.
        old: text that stands in the file exactly once.
        new: what takes its place.
        tests: pytest arguments, files or tests, that must fail.
    """

    name: str
    law: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


def _properties(*names: str) -> tuple[str, ...]:
    return tuple(f"ai_usage_tests/properties/test_{name}.py" for name in names)


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"ai_usage_tests/unit/test_{name}.py" for name in names)


CHECKS = _unit("checks")
CONTRACT_CURSOR = ("ai_usage_tests/contract/test_cursor.py",)
CONTRACT_ANTHROPIC = ("ai_usage_tests/contract/test_anthropic_contract.py",)
ANTHROPIC = "ai_usage/sources/anthropic/"
CURSOR = "ai_usage/sources/cursor/"

CHANGES: tuple[Change, ...] = (
    # Money and units -------------------------------------------------------------------------------------------------
    Change(
        "anthropic-cents-as-dollars",
        "vendor units are converted once",
        ANTHROPIC + "records.py",
        "    return f'\"{path}\" * 0.01'",
        "    return f'\"{path}\" * 1'",
        CONTRACT_ANTHROPIC,
    ),
    Change(
        "cursor-cents-as-dollars",
        "vendor units are converted once",
        CURSOR + "records.py",
        "    return f'\"{path}\" * 0.01'",
        "    return f'\"{path}\"'",
        CONTRACT_CURSOR,
    ),
    Change(
        "vendor-total-in-cents",
        "vendor total = staging",
        ANTHROPIC + "records.py",
        """return f'"{path}" * 0.01'""",
        """return f'"{path}"'""",
        CONTRACT_ANTHROPIC,
    ),
    Change(
        "numeric-of-three-decimals",
        "money keeps nine decimals",
        "ai_usage/warehouse/dialect.py",
        "    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL and not node.expressions:",
        "    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.FLOAT and not node.expressions:",
        _unit("dialect"),
    ),
    Change(
        "export-through-float",
        "exports keep every digit",
        "ai_usage/outputs/text.py",
        '    return f"{value:f}" if isinstance(value, Decimal) else str(value)',
        "    return str(float(value)) if isinstance(value, Decimal) else str(value)",
        _unit("exporting"),
    ),
    # Reading the whole answer ----------------------------------------------------------------------------------------
    Change(
        "cursor-first-page-only",
        "a chain is walked to its end",
        CURSOR + "client.py",
        """                if not (page.pagination or {}).get("hasNextPage"):
                    break
            if total""",
        """                break
            if total""",
        CONTRACT_CURSOR,
    ),
    Change(
        "cursor-count-not-compared",
        "fewer events than announced are not published",
        CURSOR + "client.py",
        "            if total is not None and seen != total:",
        "            if total is not None and seen > total:",
        CONTRACT_CURSOR,
    ),
    Change(
        "anthropic-first-page-only",
        "a chain is walked to its end",
        ANTHROPIC + "client.py",
        "            if not page.has_more:\n                return",
        "            return",
        CONTRACT_ANTHROPIC,
    ),
    Change(
        "day-end-exclusive",
        "the last second of a UTC day belongs to it",
        "ai_usage/sources/endpoint.py",
        "        return datetime.combine(self.last, time(23, 59, 59, 999000), UTC)",
        "        return datetime.combine(self.last, time(23, 59, 59, 0), UTC)",
        CONTRACT_CURSOR,
    ),
    # Versions and replaying ------------------------------------------------------------------------------------------
    Change(
        "rerun-appends",
        "seen again, unchanged, writes no rows",
        "ai_usage/loading/versions.py",
        "    changed = before.content_sha256 != sha",
        "    changed = True",
        _unit("loader"),
    ),
    Change(
        "delete-without-insert",
        "a range is replaced, not emptied",
        "ai_usage/warehouse/duckdb.py",
        """            con.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM fresh' + (f" ORDER BY {order}" if order else ""))\n""",
        "",
        _unit("warehouse"),
    ),
    Change(
        "insert-without-delete",
        "a range is replaced, not appended to",
        "ai_usage/warehouse/duckdb.py",
        """                    f'DELETE FROM "{table.name}" WHERE "{table.date_column}" BETWEEN $start_date AND $end_date',""",
        """                    f'DELETE FROM "{table.name}" WHERE FALSE AND "{table.date_column}" BETWEEN $start_date AND $end_date',""",
        _unit("warehouse"),
    ),
    Change(
        "facts-not-proved",
        "an invariant that fails rolls back",
        "ai_usage/warehouse/duckdb.py",
        "                _prove(table, fact, con.execute(proof.text, _used(proof, parameters)).fetchall())",
        "                pass",
        _unit("warehouse"),
    ),
    Change(
        "left-join-is-empty",
        "nothing that may have a row is left out",
        "ai_usage/warehouse/emptiness.py",
        """        if join.side == "LEFT":
            continue""",
        """        if join.side == "RIGHT":
            continue""",
        _unit("emptiness"),
    ),
    Change(
        "emptiness-outlives-a-write",
        "a table that may have been filled is asked again",
        "ai_usage/warehouse/duckdb_file.py",
        "kept.empty = None if fills is None or kept.empty is None else kept.empty - set(fills)",
        "pass",
        _unit("emptiness"),
    ),
    Change(
        "failed-fetch-is-current",
        "a failed fetch leaves the earlier version",
        "sql/staging/stg_current_fetches.sql",
        "WHERE state IN ('complete', 'empty')",
        "WHERE state IN ('complete', 'empty', 'failed')",
        _unit("sql_staging"),
    ),
    Change(
        "empty-day-keeps-old-rows",
        "a day restated to empty is empty",
        "sql/staging/stg_current_fetches.sql",
        "WHERE state IN ('complete', 'empty')",
        "WHERE state = 'complete'",
        _unit("loader", "sql_curated"),
    ),
    Change(
        "clock-set-back",
        "a later version is newer whatever the clock says",
        "ai_usage/loading/loader.py",
        "            now = max(now, max(c.fetched_at for c in held.values()) + timedelta(microseconds=1))",
        "            pass",
        _unit("loader"),
    ),
    # One bill, once --------------------------------------------------------------------------------------------------
    Change(
        "estimate-added-to-the-bill",
        "an estimate is not billed money",
        "sql/marts/vw_productivity_metrics.sql",
        "cache_read_tokens, cache_write_tokens, CAST(NULL AS NUMERIC) AS cost_usd, included_usd, list_usd\n  FROM agg_person_days",
        "cache_read_tokens, cache_write_tokens, included_usd AS cost_usd, included_usd, list_usd\n  FROM agg_person_days",
        _unit("sql_marts"),
    ),
    Change(
        "idle-seats-dropped",
        "seats that nobody holds stay, unattributed",
        "sql/staging/google_sheets/stg_sheet_cost.sql",
        "attribution, nano_usd FROM idle WHERE nano_usd != 0",
        "attribution, nano_usd FROM idle WHERE nano_usd < 0",
        _unit("sql_staging"),
    ),
    # Who ---------------------------------------------------------------------------------------------------------------
    Change(
        "case-makes-two-people",
        "e-mails are folded before they are compared",
        "ai_usage/warehouse/models.py",
        "    if column in _EMAILS:\n        return texts.fold_sql(column)",
        "    if column in _EMAILS:\n        return column",
        _unit("sql_identity"),
    ),
    Change(
        "owner-of-today",
        "the owner as of the day",
        "sql/curated/fct_cost_daily.sql",
        " AND w.cost_date BETWEEN k.valid_from AND k.valid_to",
        " AND @as_of_date BETWEEN k.valid_from AND k.valid_to",
        _unit("sql_curated"),
    ),
    Change(
        "unattributed-dropped",
        "cost without an owner stays",
        "sql/curated/fct_cost_daily.sql",
        "  LEFT JOIN dim_api_keys AS k ON",
        "  INNER JOIN dim_api_keys AS k ON",
        _unit("sql_curated"),
    ),
    Change(
        "small-groups-shown",
        "groups of fewer than three people are not shown",
        "sql/marts/vw_team_productivity.sql",
        "HAVING COUNT(DISTINCT active_person) >= 3",
        "HAVING COUNT(DISTINCT active_person) >= 2",
        _unit("sql_marts"),
    ),
    # Time, months ----------------------------------------------------------------------------------------------------
    Change(
        "days-in-local-time",
        "a partition is a UTC day",
        CURSOR + "records.py",
        "    return f'TRY(epoch_ms(CAST(\"{path}\" AS BIGINT)))'",
        "    return f'TRY(epoch_ms(CAST(\"{path}\" AS BIGINT)) - INTERVAL 8 HOUR)'",
        CONTRACT_CURSOR,
    ),
    Change(
        "settled-too-early",
        "a figure that may still move says so",
        "sql/curated/fct_cost_daily.sql",
        "      WHEN w.settled_on <= @as_of_date THEN 'settled'",
        "      WHEN w.cost_date <= @as_of_date THEN 'settled'",
        _unit("sql_curated"),
    ),
    Change(
        "closed-month-moves",
        "a closed month never moves",
        "sql/marts/vw_cost_booked.sql",
        "  WHERE k.month IS NULL\n",
        "",
        _unit("closing"),
    ),
    Change(
        "correction-clamped",
        "a correction may be negative",
        "sql/curated/fct_cost_corrections.sql",
        "HAVING SUM(t.cost_usd) != 0",
        "HAVING SUM(t.cost_usd) > 0",
        _unit("closing"),
    ),
    Change(
        "moving-month-closed",
        "a month that may still move is not closed",
        "ai_usage/finance/readiness.py",
        "FROM vw_cost_booked WHERE {BOOKED} AND settle_state IN ('open', 'provisional')",
        "FROM vw_cost_booked WHERE {BOOKED} AND settle_state IN ('open')",
        _unit("closing"),
    ),
    Change(
        "frozen-hash-not-compared",
        "changed frozen rows are found",
        "ai_usage/finance/ledger.py",
        "        if (rows, cost_usd, sha256) != (was.rows, was.cost_usd, was.sha256):",
        "        if (rows, cost_usd) != (was.rows, was.cost_usd):",
        _unit("closing"),
    ),
    # Unknown, checks -------------------------------------------------------------------------------------------------
    Change(
        "null-read-as-zero",
        "unknown is NULL, not 0",
        "sql/staging/cursor/stg_cursor_usage.sql",
        "    CASE WHEN r.tabs_shown IS NOT NULL OR r.applies IS NOT NULL THEN COALESCE(r.tabs_shown, 0) + COALESCE(r.applies, 0) END\n",
        "    COALESCE(r.tabs_shown, 0) + COALESCE(r.applies, 0)\n",
        _unit("sql_staging"),
    ),
    Change(
        "totals-not-proved",
        "stored totals are the facts",
        "ai_usage/transform/totals.py",
        "warehouse.replace(model.table, model.sql, given, FACTS[name])",
        "warehouse.replace(model.table, model.sql, given)",
        _unit("totals"),
    ),
    # Vendors and secrets ---------------------------------------------------------------------------------------------
    Change(
        "key-in-an-error",
        "secrets appear in no message",
        "ai_usage/sources/http.py",
        "        return hide(text, self._hidden())",
        "        return text",
        _unit("http"),
    ),
    Change(
        "key-in-the-spool",
        "secrets appear in no stored answer",
        "ai_usage/sources/http.py",
        "        return Body(hide_in_answer(content, self._hidden()), self._request_id(answer))",
        "        return Body(content, self._request_id(answer))",
        ("ai_usage_tests/unit/test_http.py",),
    ),
    Change(
        "redirect-followed",
        "a key goes only to the configured host",
        "ai_usage/guards/outgoing.py",
        "            each.get_redirect_target = lambda _: None",
        "            each.max_redirects = 30",
        _unit("http"),
    ),
    Change(
        "wrong-key-asked-again",
        "a permanent refusal is asked once",
        "ai_usage/sources/http.py",
        "        if status == 401:\n            return AuthError(",
        "        if status == 401:\n            return TransientError(",
        _unit("http"),
    ),
    Change(
        "question-may-write",
        "a question cannot change tables",
        "ai_usage/warehouse/models.py",
        "    if not dialect.is_read_only(sql):",
        "    if False:",
        _unit("warehouse"),
    ),
    # Figures ---------------------------------------------------------------------------------------------------------
    Change(
        "budget-scopes-mixed",
        "a budget speaks for its own scope",
        "sql/marts/vw_budget_variance.sql",
        "p.department = s.department AND p.platform = s.platform\nLEFT JOIN unplaced",
        "p.department = s.department\nLEFT JOIN unplaced",
        _unit("sql_marts_finance"),
    ),
    Change(
        "cost-per-row-of-models",
        "a person's day counts once",
        "sql/marts/vw_platform_roi.sql",
        "  SUM(active_days) AS active_days,",
        "  COUNT(*) AS active_days,",
        _unit("sql_marts_use"),
    ),
    # By kind, by range, by rule ----------------------------------------------------------------------------------------
    Change(
        "parser-not-in-hash",
        "a corrected parser makes a new version",
        "ai_usage/loading/versions.py",
        'hashlib.sha256(f"{parser_version}{day.sha256}".encode()).hexdigest()',
        "hashlib.sha256(day.sha256.encode()).hexdigest()",
        _unit("loader"),
    ),
    Change(
        "default-workspace-dropped",
        "a NULL workspace is the default one",
        "sql/staging/anthropic/stg_anthropic_cost.sql",
        "LEFT JOIN stg_anthropic_workspaces AS w ON l.workspace_id = w.workspace_id",
        "INNER JOIN stg_anthropic_workspaces AS w ON l.workspace_id = w.workspace_id",
        _unit("sql_anthropic"),
    ),
    Change(
        "tiers-mixed",
        "a line is split by usage of its own tier",
        "sql/staging/anthropic/stg_anthropic_cost.sql",
        "(l.tier IS NULL OR COALESCE(l.tier = c.tier, FALSE))",
        "TRUE",
        _unit("sql_anthropic"),
    ),
    Change(
        "usage-used-twice",
        "no usage explains two lines",
        "sql/staging/anthropic/stg_anthropic_cost.sql",
        "api_key_id, user_email, is_found ORDER BY lacks",
        "api_key_id, user_email, is_found, line ORDER BY lacks",
        _properties("attribution"),
    ),
    Change(
        "included-usage-billed",
        "what a plan includes is not billed",
        CURSOR + "kinds.py",
        "THEN 'included' WHEN",
        "THEN 'billed' WHEN",
        _properties("cursor_billing"),
    ),
    Change(
        "billed-by-the-flag",
        "Cursor bills by kind",
        "sql/staging/cursor/stg_cursor_cost.sql",
        "  WHERE billing = 'billed'",
        "  WHERE is_chargeable",
        _properties("cursor_billing"),
    ),
    Change(
        "spend-compared-from-one-side",
        "events above the vendor's own total are wrong",
        "ai_usage/sources/cursor/checks.py",
        "        not above and not below,",
        "        not below,",
        _unit("cursor_checks"),
    ),
    Change(
        "range-and-days-both-count",
        "two reports of one bill, a range and days, count once",
        "sql/staging/stg_set_aside.sql",
        "COUNTIF(COALESCE(a.has_money, FALSE)) > 0 AND (",
        "(",
        _properties("two_reports"),
    ),
    Change(
        "remainder-lost",
        "parts of a month's price sum to it",
        "sql/staging/google_sheets/stg_sheet_cost.sql",
        "      WHEN p.is_last_day\n",
        "      WHEN FALSE\n",
        _unit("sql_staging"),
    ),
    Change(
        "cents-rounded-line-by-line",
        "lines in cents sum to the month",
        "sql/marts/vw_chargeback.sql",
        "        WHEN CAST(place AS NUMERIC) <= lacking_usd * 100 THEN CAST('0.01' AS NUMERIC)\n",
        "        WHEN FALSE THEN CAST('0.01' AS NUMERIC)\n",
        _properties("cents"),
    ),
    Change(
        "removed-member-keeps-the-seat",
        "a removed member holds no seat",
        "sql/staging/cursor/stg_cursor_seats.sql",
        "  AND (NOT COALESCE(x.is_removed, FALSE) OR COALESCE(r.is_active, FALSE))",
        "  AND TRUE",
        _unit("sql_identity"),
    ),
    Change(
        "services-are-people",
        "people means people",
        "sql/curated/dim_users.sql",
        "CASE WHEN v.email IS NOT NULL THEN 'service' ELSE 'person' END",
        "'person'",
        _unit("sql_identity"),
    ),
    Change(
        "pasted-row-counts-twice",
        "identical rows of the sheet count once",
        "ai_usage/warehouse/sheet_models.py",
        "FROM now WHERE place = 1 AND NOT is_disputed",
        "FROM now WHERE NOT is_disputed",
        _unit("sheet_doubles"),
    ),
    # The laws, each by a property ---------------------------------------------------------------------------------------
    Change(
        "euro-as-dollar",
        "a displayed currency is never relabelled",
        "ai_usage/sources/google_sheets/cells.py",
        """currency or (iso(said) if said else "USD")""",
        """currency or "USD\"""",
        _properties("currencies"),
    ),
    Change(
        "rate-of-another-month",
        "the rate of the cost's month, or no figure",
        "sql/staging/google_sheets/stg_subscription_prices.sql",
        "  LEAST(t.valid_to, LAST_DAY(x.month)) AS valid_to",
        "  t.valid_to",
        _properties("currencies"),
    ),
    Change(
        "no-rate-read-as-one",
        "no rate, no figure",
        "ai_usage/warehouse/sheet_models.py",
        "CAST(c.written_amount * x.usd AS NUMERIC))",
        "CAST(c.written_amount * COALESCE(x.usd, 1) AS NUMERIC))",
        _properties("currencies"),
    ),
    Change(
        "a-bad-name-costs-the-money",
        "readable money counts, whatever else its record lacks",
        "ai_usage/sources/endpoint.py",
        "        return not self.vendor_total or path in self.money_fields or",
        "        return True or path in self.money_fields or",
        _properties("readable_money"),
    ),
    Change(
        "rejected-money-not-counted",
        "a day says how many records of it hide their money",
        "ai_usage/sources/decode.py",
        " AND ({ok} OR __total = 0)",
        "",
        _properties("readable_money"),
    ),
    Change(
        "refused-read-as-failed",
        "refused is a state of its own",
        "sql/marts/vw_certificate.sql",
        "    WHEN h.fetch_id IS NULL THEN f.state\n",
        "    WHEN h.fetch_id IS NULL THEN 'failed'\n",
        _properties("four_states"),
    ),
    Change(
        "part-of-a-day-is-the-day",
        "a day that was read before it ended is not held",
        "sql/marts/vw_certificate.sql",
        "    WHEN h.origin = 'api' AND DATE(h.told_at) <= d.usage_date THEN 'open'\n",
        "",
        _properties("four_states"),
    ),
    Change(
        "failed-day-is-zero",
        "what nobody could read is unknown",
        "sql/staging/stg_unknown_days.sql",
        "WHERE d.usage_date IS NULL",
        "WHERE d.usage_date IS NULL AND day NOT IN (SELECT usage_date FROM raw_fetches)",
        _properties("four_states"),
    ),
    Change(
        "shares-of-net",
        "shares are of gross cost",
        "sql/dashboards/cost_lines.sql",
        "  SUM(CASE WHEN cost_type IN ('usage', 'overage', 'subscription') THEN cost_usd ELSE 0 END) AS gross_usd,",
        "  SUM(cost_usd) AS gross_usd,",
        _properties("sums_and_ratios"),
    ),
    Change(
        "ratio-over-a-credit",
        "no ratio over a base of zero or less",
        "ai_usage/dashboards/query.py",
        "CASE WHEN {base} > 0 THEN {base} END)",
        "CASE WHEN {base} != 0 THEN {base} END)",
        _properties("sums_and_ratios"),
    ),
    Change(
        "ratio-over-other-rows",
        "the two sides of a ratio are of the same rows",
        "sql/marts/vw_use_and_cost.sql",
        "  CASE WHEN r.has_lines THEN c.gross_usd END,\n",
        "  c.gross_usd,\n",
        _properties("sums_and_ratios"),
    ),
    Change(
        "gaps-count-from-the-first-day-held",
        "a month closes when every day of it was read",
        "ai_usage/finance/readiness.py",
        "if day not in held[source]]",
        "if day not in held[source] and day >= min(held[source], default=day)]",
        _properties("month_closes"),
    ),
    Change(
        "other-report-speaks-for-the-bill",
        "a second report that knows of no money says nothing of the first",
        "ai_usage/finance/readiness.py",
        """            if row["has_money"] or key in plain or""",
        """            if True or key in plain or""",
        _properties("month_closes"),
    ),
    Change(
        "anybody-answers-for-a-gap",
        "a day that can be read is read before its month closes",
        "ai_usage/finance/readiness.py",
        """            return "the vendor no longer answers about them" if day < oldest else None""",
        """            return "the vendor no longer answers about them\"""",
        _properties("month_closes"),
    ),
    # Dagster -----------------------------------------------------------------------------------------------------------
    Change(
        "missing-days-not-counted",
        "missing is a state",
        "ai_usage/defs/checks.py",
        '        "complete", not missing and not report.refused,',
        '        "complete", True,',
        CHECKS,
    ),
    Change(
        "conservation-always-passes",
        "checks can fail",
        "ai_usage/defs/checks.py",
        '        "conservation", not wrong,',
        '        "conservation", True,',
        CHECKS,
    ),
    Change(
        "refusal-of-a-bill-tolerated",
        "a bill that is refused is a failure",
        "ai_usage/loading/loader.py",
        "            if refusals and endpoint.without and not self._ever_answered(endpoint):",
        "            if refusals:",
        _unit("loader"),
    ),
    Change(
        "refused-days-are-owed",
        "who may not ask owes nothing",
        "ai_usage/operations/completeness.py",
        "        return self.is_owed and self.state not in HELD",
        "        return self.state not in HELD",
        _unit("completeness"),
    ),
    Change(
        "retry-after-shortens-the-wait",
        "a vendor's 0 never shortens our own back-off",
        "ai_usage/sources/http.py",
        "            return max(asked or 0.0, backoff)",
        "            return asked if asked is not None else backoff",
        _unit("http"),
    ),
    Change(
        "retry-after-ignored",
        "the wait that a vendor asks for is kept",
        "ai_usage/sources/http.py",
        "            return max(asked or 0.0, backoff)",
        "            return backoff",
        _unit("http"),
    ),
    Change(
        "later-file-takes-rows-away",
        "a second file of a day takes nothing away",
        "ai_usage/loading/loader.py",
        "            if not replace and again is None and not endpoint.whole_window:",
        "            if False:",
        _unit("uploads"),
    ),
    Change(
        "nothing-is-final-read-as-all",
        "a null refresh means that nothing is final",
        ANTHROPIC + "analytics.py",
        "        if not page.data_refreshed_at:\n",
        "        if False:\n",
        ("ai_usage_tests/contract/test_analytics_contract.py",),
    ),
    Change(
        "grain-always-passes",
        "checks can fail",
        "ai_usage/defs/checks.py",
        '        "grain", twice.num_rows == 0,',
        '        "grain", True,',
        CHECKS,
    ),
    Change(
        "buckets-not-counted",
        "every day of a window comes once",
        ANTHROPIC + "client.py",
        "        if sorted(seen) != expected:",
        "        if len(seen) > len(expected):",
        (*CONTRACT_ANTHROPIC, "ai_usage_tests/faults/test_anthropic_faults.py"),
    ),
    Change(
        "deletions-are-use",
        "deleting something is no use of it",
        "sql/staging/claude_ai/stg_claude_ai_days.sql",
        "    AND NOT REGEXP_CONTAINS(w.event, r'(^|_)(delet|remov)')\n",
        "",
        _unit("claude_ai_exports"),
    ),
    Change(
        "stale-translation-used",
        "a kept translation is of this code",
        "ai_usage/remembered.py",
        "said = [sqlglot.__version__, also(), *texts]",
        "said = [also(), *texts]",
        _unit("remembered"),
    ),
)
