"""The Google Sheet that people keep: owners of keys, departments, seats, invoices, budgets. See README.md."""
