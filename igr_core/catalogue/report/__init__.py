"""The report on a catalogue run: a table as Parquet and CSV, and a contact sheet."""
