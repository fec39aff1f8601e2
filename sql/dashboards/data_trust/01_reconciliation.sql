-- Grain: month and platform. Additive. The parts from tax_usd on add up to difference_usd.
SELECT
  month,
  platform,
  settle_state,
  reason,
  vendor_usd,
  vendor_difference_usd,
  warehouse_usd,
  CASE WHEN invoice_usd IS NULL THEN warehouse_usd END AS not_invoiced_usd,
  invoice_usd,
  difference_usd,
  tax_usd,
  credit_usd,
  seats_usd,
  timing_usd,
  rounding_usd,
  priority_tier_usd,
  unknown_usd
FROM vw_reconciliation
