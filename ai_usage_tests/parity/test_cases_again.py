"""Every case of the SQL unit tests again, with GoogleSQL asked beside DuckDB: what was worked out by hand holds on both.

Belongs here: the imports that let pytest collect those tests a second time, under this folder's `desk`, whose warehouse is `Witnessed`.
"""

from __future__ import annotations

from ai_usage_tests.unit import test_sql_alerts, test_sql_anthropic, test_sql_curated, test_sql_marts, test_sql_marts_use, test_sql_staging
from ai_usage_tests.unit.test_sql_alerts import *  # noqa: F403
from ai_usage_tests.unit.test_sql_curated import *  # noqa: F403
from ai_usage_tests.unit.test_sql_marts import *  # noqa: F403
from ai_usage_tests.unit.test_sql_staging import *  # noqa: F403

# The arithmetic of a split; the other rows of Anthropic's bill are in test_models_agree.py.
test_a_credit_is_split_like_the_charge_it_takes_back = test_sql_anthropic.test_a_credit_is_split_like_the_charge_it_takes_back
test_days_and_superseded_versions_do_not_mix = test_sql_anthropic.test_days_and_superseded_versions_do_not_mix
test_a_key_changes_hands_at_midnight = test_sql_anthropic.test_a_key_changes_hands_at_midnight
test_claude_codes_workspace_is_its_keys_and_then_its_actors = test_sql_anthropic.test_claude_codes_workspace_is_its_keys_and_then_its_actors
test_what_the_cut_leaves_goes_to_the_largest_part = test_sql_anthropic.test_what_the_cut_leaves_goes_to_the_largest_part
test_a_line_is_split_by_tokens = test_sql_anthropic.test_a_line_is_split_by_tokens
test_large_lines_over_many_tokens_stay_exact = test_sql_anthropic.test_large_lines_over_many_tokens_stay_exact
test_the_largest_line_over_the_most_tokens_stays_exact = test_sql_anthropic.test_the_largest_line_over_the_most_tokens_stays_exact
test_searches_are_split_by_requests_whatever_the_model = test_sql_anthropic.test_searches_are_split_by_requests_whatever_the_model
# Of whole months, which the four days of test_models_agree.py do not have.
test_what_to_save_is_unheld_idle_and_doubled_seats_of_months_that_have_passed = (
    test_sql_marts_use.test_what_to_save_is_unheld_idle_and_doubled_seats_of_months_that_have_passed
)


def test_no_case_hides_another() -> None:
    """Two modules with a test of one name would leave one of them out here."""
    modules = (test_sql_alerts, test_sql_curated, test_sql_marts, test_sql_staging)
    names = [name for module in modules for name in vars(module) if name.startswith("test_")]
    assert len(names) == len(set(names)) > 40
