"""What is worth telling, to whom, and once: conditions, the log of what was told, messages and their delivery.

Belongs here: everything between the warehouse and somebody's inbox. `config.py` reads the files, `conditions.py` asks the warehouse, `plan.py`
decides what is due (pure), `wording.py` writes the message, `delivery.py` sends it, `passes.py` does one pass. Does not belong here: Dagster,
and what is true of the money (`sql/`).
"""
