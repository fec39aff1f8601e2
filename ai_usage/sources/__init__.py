"""The only code that knows a vendor: how to ask, how answers are paged, what a record looks like.

Belongs here: HTTP, paging, the spool, and declarations of records. Does not belong here: Dagster, warehouses, SQL on
facts. Adding a vendor is one folder beside `cursor/`.
"""
