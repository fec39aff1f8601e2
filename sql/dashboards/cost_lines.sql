-- Grain: day x platform x department x person x cost type x settle state. Additive: cost_usd, gross_usd, unattributed_usd, final_usd.
-- Billed money only. Every card of these dashboards reads these rows, so that all of them tell one story.
SELECT
  cost_date,
  platform,
  department,
  cost_center,
  user_email,
  user_name,
  cost_type,
  settle_state,
  CASE settle_state
    WHEN 'closed' THEN 'Final: finance has closed the month'
    WHEN 'settled' THEN 'Final: past the days in which the vendor corrects'
    WHEN 'provisional' THEN 'May move: the vendor can still correct it'
    ELSE 'Will grow: the day or billing cycle still runs'
  END AS settle_meaning,
  CASE WHEN SUM(cost_usd) <> 0 AND user_kind = 'person' THEN user_email END AS person_with_cost,
  SUM(cost_usd) AS cost_usd,
  -- Shares are of gross cost: over what a credit leaves, a part can be more than the whole, and a credit that is nobody's would hide usage that is.
  SUM(CASE WHEN cost_type IN ('usage', 'overage', 'subscription') THEN cost_usd ELSE 0 END) AS gross_usd,
  SUM(CASE WHEN attribution = 'unattributed' AND cost_type IN ('usage', 'overage', 'subscription') THEN cost_usd ELSE 0 END) AS unattributed_usd,
  SUM(CASE WHEN settle_state IN ('settled', 'closed') AND cost_type IN ('usage', 'overage', 'subscription') THEN cost_usd ELSE 0 END) AS final_usd
FROM vw_cost_allocation
GROUP BY cost_date, platform, department, cost_center, user_email, user_name, user_kind, cost_type, settle_state
