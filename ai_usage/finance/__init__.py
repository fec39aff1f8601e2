"""What finance does with a month: close it, book it, charge it back, write it as FOCUS."""
