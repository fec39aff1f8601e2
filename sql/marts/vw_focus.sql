-- Booked money as the FinOps Open Cost and Usage Specification writes it: the columns of FOCUS 1.2 and those that 1.4 puts in their place, then
-- ours with x_. Why each column says what it says: docs/how-to/focus.md. Every row of vw_cost_booked is one row, so that BilledCost is its money.
-- A quantity stands where exactly one charge is what the vendor measured. Where none does, the charge itself is the unit, as a seat's day is.
-- Grain: one row of vw_cost_booked.
-- Inputs: vw_cost_booked, stg_charge_measures, stg_platforms, stg_bill_sources, stg_workspaces, stg_email_aliases, dim_api_keys,
-- stg_sheet_invoices_rows.
-- noqa: disable=CP02
WITH booked AS (
  SELECT
    *,
    COUNT(*) OVER (
      PARTITION BY
        booked_on, cost_date, is_correction, platform, source, workspace_id, api_key_id, user_email, model, cost_type, token_type
    ) AS alike
  FROM vw_cost_booked
),

measures AS (
  SELECT
    m.usage_date,
    m.platform,
    m.cost_source,
    COALESCE(m.workspace_id, '') AS workspace_id,
    COALESCE(m.api_key_id, '') AS api_key_id,
    COALESCE(a.email, m.user_email, k.email, '') AS user_email,
    COALESCE(m.model, '') AS model,
    COALESCE(m.token_type, '') AS token_type,
    MAX(m.unit) AS unit,
    SUM(m.quantity) AS quantity,
    CASE WHEN COUNT(*) = COUNT(m.list_usd) THEN SUM(m.list_usd) END AS list_usd
  FROM stg_charge_measures AS m
  LEFT JOIN stg_email_aliases AS a ON m.user_email = a.alias
  LEFT JOIN dim_api_keys AS k ON m.api_key_id = k.api_key_id AND m.usage_date BETWEEN k.valid_from AND k.valid_to
  GROUP BY
    m.usage_date, m.platform, m.cost_source, COALESCE(m.workspace_id, ''), COALESCE(m.api_key_id, ''),
    COALESCE(a.email, m.user_email, k.email, ''), COALESCE(m.model, ''),
    COALESCE(m.token_type, '')
),

invoice_lines AS (
  SELECT
    DATE_TRUNC(r.invoice_month, MONTH) AS month,
    r.platform,
    COALESCE(r.cost_type, 'usage') AS cost_type,
    NULLIF(TRIM(r.invoice_number), '') AS invoice_number
  FROM stg_sheet_invoices_rows AS r
),

-- One invoice for this kind of charge, or none of this kind and one for the platform's whole month; else it is not known which.
invoices_by_type AS (
  SELECT
    month,
    platform,
    cost_type,
    CASE WHEN COUNT(DISTINCT invoice_number) = 1 AND COUNT(invoice_number) = COUNT(*) THEN MIN(invoice_number) END AS invoice_id
  FROM invoice_lines
  GROUP BY month, platform, cost_type
),

invoices_by_month AS (
  SELECT
    month,
    platform,
    CASE WHEN COUNT(DISTINCT invoice_number) = 1 AND COUNT(invoice_number) = COUNT(*) THEN MIN(invoice_number) END AS invoice_id
  FROM invoice_lines
  GROUP BY month, platform
),

charges AS (
  SELECT
    b.*,
    COALESCE(p.service_name, b.platform) AS service_name,
    COALESCE(
      c.account_name, CASE WHEN b.source = 'sheet_subscriptions' THEN p.seats_account_name ELSE p.account_name END, b.vendor
    ) AS account_name,
    p.resource_type,
    CASE b.cost_type
      WHEN 'usage' THEN 'Usage'
      WHEN 'overage' THEN 'Usage'
      WHEN 'subscription' THEN 'Purchase'
      WHEN 'tax' THEN 'Tax'
      WHEN 'credit' THEN 'Credit'
      ELSE 'Adjustment'
    END AS charge_category,
    CASE
      WHEN b.workspace_id IS NOT NULL THEN b.workspace_id
      WHEN c.has_default_workspace THEN 'default'
    END AS sub_account_id,
    CASE
      WHEN b.workspace_id IS NOT NULL THEN COALESCE(w.name, b.workspace_id)
      WHEN c.has_default_workspace THEN 'Default'
    END AS sub_account_name,
    k.api_key_name,
    CASE WHEN b.is_correction THEN NULL WHEN t.month IS NOT NULL THEN t.invoice_id ELSE i.invoice_id END AS invoice_id,
    CASE WHEN b.alike = 1 AND NOT b.is_correction THEN m.quantity END AS quantity,
    CASE WHEN b.alike = 1 AND NOT b.is_correction AND m.quantity IS NOT NULL THEN m.unit ELSE 'Units' END AS unit,
    CASE WHEN b.alike = 1 AND NOT b.is_correction THEN m.list_usd END AS list_usd
  FROM booked AS b
  LEFT JOIN measures AS m
    ON
      b.cost_date = m.usage_date
      AND b.platform = m.platform
      AND b.source = m.cost_source
      AND COALESCE(b.workspace_id, '') = m.workspace_id
      AND COALESCE(b.api_key_id, '') = m.api_key_id
      AND COALESCE(b.user_email, '') = m.user_email
      AND COALESCE(b.model, '') = m.model
      AND CASE WHEN b.cost_type IN ('usage', 'overage') THEN COALESCE(b.token_type, '') END = m.token_type
  LEFT JOIN stg_platforms AS p ON b.platform = p.platform
  LEFT JOIN stg_bill_sources AS c ON b.source = c.cost_source
  LEFT JOIN stg_workspaces AS w ON b.workspace_id = w.workspace_id
  LEFT JOIN dim_api_keys AS k ON b.api_key_id = k.api_key_id AND b.cost_date BETWEEN k.valid_from AND k.valid_to
  LEFT JOIN invoices_by_type AS t ON b.booked_month = t.month AND b.platform = t.platform AND b.cost_type = t.cost_type
  LEFT JOIN invoices_by_month AS i ON b.booked_month = i.month AND b.platform = i.platform
),

-- JSON is text here: each value has its backslashes and quotation marks escaped and its control characters blanked.
worded AS (
  SELECT
    *,
    charge_category IN ('Usage', 'Purchase') AS is_priced,
    CASE
      WHEN charge_category = 'Purchase' THEN CONCAT(platform, '/subscription')
      WHEN charge_category = 'Usage'
        THEN CONCAT(
            platform, '/', cost_type, CASE WHEN model IS NULL THEN '' ELSE CONCAT('/', model) END,
            CASE WHEN token_type IS NULL THEN '' ELSE CONCAT('/', token_type) END
          )
    END AS sku_id,
    REGEXP_REPLACE(REPLACE(REPLACE(department, '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS department_text,
    REGEXP_REPLACE(REPLACE(REPLACE(cost_center, '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS cost_center_text,
    REGEXP_REPLACE(REPLACE(REPLACE(user_email, '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS person_text,
    REGEXP_REPLACE(REPLACE(REPLACE(COALESCE(api_key_name, api_key_id), '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS api_key_text,
    REGEXP_REPLACE(REPLACE(REPLACE(model, '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS model_text,
    REGEXP_REPLACE(REPLACE(REPLACE(token_type, '\\', '\\\\'), '"', '\\"'), r'[\x00-\x1f]', ' ') AS token_type_text
  FROM charges
)

SELECT
  cost_usd AS BilledCost,
  REPLACE(LOWER(account_name), ' ', '-') AS BillingAccountId,
  account_name AS BillingAccountName,
  'USD' AS BillingCurrency,
  TIMESTAMP(DATE_ADD(booked_month, INTERVAL 1 MONTH)) AS BillingPeriodEnd,
  TIMESTAMP(booked_month) AS BillingPeriodStart,
  charge_category AS ChargeCategory,
  CASE WHEN is_correction THEN 'Correction' END AS ChargeClass,
  CONCAT(
    CASE WHEN is_correction THEN 'Correction: ' ELSE '' END,
    service_name,
    CASE cost_type WHEN 'overage' THEN ' usage beyond the seats' ELSE CONCAT(' ', cost_type) END,
    CASE WHEN model IS NULL THEN '' ELSE CONCAT(', ', model) END,
    CASE WHEN token_type IS NULL THEN '' ELSE CONCAT(', ', REPLACE(token_type, '_', ' ')) END
  ) AS ChargeDescription,
  CASE charge_category WHEN 'Usage' THEN 'Usage-Based' WHEN 'Purchase' THEN 'Recurring' ELSE 'One-Time' END AS ChargeFrequency,
  TIMESTAMP(DATE_ADD(cost_date, INTERVAL 1 DAY)) AS ChargePeriodEnd,
  TIMESTAMP(cost_date) AS ChargePeriodStart,
  CAST(NULL AS STRING) AS CommitmentDiscountStatus,
  CASE
    WHEN charge_category != 'Usage' OR is_correction THEN NULL
    ELSE CAST(COALESCE(quantity, 1) AS NUMERIC)
  END AS ConsumedQuantity,
  CASE WHEN charge_category = 'Usage' AND NOT is_correction THEN unit END AS ConsumedUnit,
  cost_usd AS ContractedCost,
  cost_usd AS EffectiveCost,
  vendor AS HostProviderName,
  invoice_id AS InvoiceId,
  vendor AS InvoiceIssuerName,
  COALESCE(list_usd, cost_usd) AS ListCost,
  CASE WHEN is_priced THEN 'Standard' END AS PricingCategory,
  CASE
    WHEN is_correction OR NOT is_priced THEN NULL
    WHEN charge_category = 'Purchase' THEN CAST(1 AS NUMERIC)
    WHEN unit = 'Tokens' THEN CAST(CAST(quantity AS NUMERIC) * CAST('0.000001' AS NUMERIC) AS NUMERIC)
    ELSE CAST(COALESCE(quantity, 1) AS NUMERIC)
  END AS PricingQuantity,
  CASE
    WHEN is_correction OR NOT is_priced THEN NULL
    WHEN charge_category = 'Purchase' THEN 'Days'
    WHEN unit = 'Tokens' THEN '1000000 Tokens'
    ELSE unit
  END AS PricingUnit,
  vendor AS ProviderName,
  vendor AS PublisherName,
  api_key_id AS ResourceId,
  api_key_name AS ResourceName,
  CASE
    WHEN api_key_id IS NULL THEN NULL
    WHEN STARTS_WITH(api_key_id, 'svac_') THEN 'Service Account'
    ELSE COALESCE(resource_type, 'API Key')
  END AS ResourceType,
  'AI and Machine Learning' AS ServiceCategory,
  service_name AS ServiceName,
  vendor AS ServiceProviderName,
  'Generative AI' AS ServiceSubcategory,
  sku_id AS SkuId,
  CASE
    WHEN charge_category = 'Usage' THEN COALESCE(token_type, cost_type)
    WHEN charge_category = 'Purchase' THEN 'subscription'
  END AS SkuMeter,
  CASE
    WHEN sku_id IS NULL OR (model IS NULL AND token_type IS NULL) THEN NULL
    WHEN token_type IS NULL THEN CONCAT('{"x_Model":"', model_text, '"}')
    WHEN model IS NULL THEN CONCAT('{"x_TokenType":"', token_type_text, '"}')
    ELSE CONCAT('{"x_Model":"', model_text, '","x_TokenType":"', token_type_text, '"}')
  END AS SkuPriceDetails,
  sku_id AS SkuPriceId,
  sub_account_id AS SubAccountId,
  sub_account_name AS SubAccountName,
  CONCAT(
    '{"ai_usage/attribution":"', attribution, '"',
    CASE WHEN api_key_text IS NULL THEN '' ELSE CONCAT(',"api_key":"', api_key_text, '"') END,
    CASE WHEN cost_center_text IS NULL THEN '' ELSE CONCAT(',"cost_center":"', cost_center_text, '"') END,
    CASE WHEN department_text IS NULL THEN '' ELSE CONCAT(',"department":"', department_text, '"') END,
    CASE WHEN person_text IS NULL THEN '' ELSE CONCAT(',"person":"', person_text, '"') END,
    '}'
  ) AS Tags,
  attribution AS x_Attribution,
  booked_on AS x_BookedOn,
  cost_center AS x_CostCenter,
  cost_type AS x_CostType,
  department AS x_Department,
  CASE WHEN list_usd IS NULL THEN 'billed' ELSE 'vendor' END AS x_ListCostBasis,
  model AS x_Model,
  note AS x_Note,
  cost_date AS x_OriginalChargeDate,
  platform AS x_Platform,
  settle_state AS x_SettleState,
  source AS x_Source,
  token_type AS x_TokenType,
  user_email AS x_UserEmail
FROM worded
