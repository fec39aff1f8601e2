"""The pages that code writes, and the model of BigQuery's cost behind docs/scale.md."""
