"""`python -m ai_usage.docsgen`: write every generated page."""

from ai_usage.docsgen.pages import main

main()
