"""Tables as files for other programs: CSV, JSON, Parquet and XLSX, exact and streamed.

Belongs here: which tables can be had, in which order their rows stand, the formats, the month's chargeback. Does not belong here: Dagster, printing.
"""

from __future__ import annotations

from ai_usage.outputs.export import CHARGEBACK, Export, exportable, write_export
from ai_usage.outputs.formats import FORMATS, ExportError, Written
from ai_usage.outputs.text import cell_text, csv_note, exact_sum, json_text, person_cell

__all__ = [
    "CHARGEBACK", "FORMATS", "Export", "ExportError", "Written", "cell_text", "csv_note", "exact_sum", "exportable", "json_text", "person_cell",
    "write_export",
]  # fmt: skip
