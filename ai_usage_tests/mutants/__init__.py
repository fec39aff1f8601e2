"""Small wrong changes to the product, and the tests that must see each of them: `make mutants`.

Belongs here: the list (`changes.py`) and the runner (`__main__.py`). A mutant that no test kills is a missing test.
"""
