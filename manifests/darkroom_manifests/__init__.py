"""Rows in: a manifest file is read lazily into values, a `Row` or a `Problem` for each."""
