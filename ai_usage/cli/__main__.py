"""`python -m ai_usage.cli`: the command without its script."""

from ai_usage.cli.app import main

main()
