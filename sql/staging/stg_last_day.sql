-- The last day that any run asked a source for, answered or not: "today" as the warehouse itself knows it. No model asks an engine for its clock,
-- whose day may be another one, and a report as of a date ends where its records do. Grain: one row. Inputs: raw_fetches.
SELECT MAX(usage_date) AS last_day
FROM raw_fetches
