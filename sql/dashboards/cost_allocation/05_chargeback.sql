-- Grain: month x cost center x department x person x platform x vendor x cost type x corrected month. Additive: cost_usd, booked_usd.
-- The same lines as `ai-usage export chargeback`, in the same order of columns.
SELECT
  month,
  cost_center,
  department,
  user_email,
  user_name,
  platform,
  vendor,
  cost_type,
  settle_state,
  corrects_month,
  cost_usd,
  booked_usd
FROM vw_chargeback
