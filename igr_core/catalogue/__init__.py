"""Restore the garments of a whole catalogue: one table in, garments and a report out."""
