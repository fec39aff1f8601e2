"""Where `dagster.yaml` files of earlier versions look for the launcher; it lies in `ai_usage.runs.launcher`."""

from ai_usage.runs.launcher import *  # noqa: F403
