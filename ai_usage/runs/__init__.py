"""Running Dagster's jobs in this process, the launcher of its daemon, and its pages behind a guard."""
