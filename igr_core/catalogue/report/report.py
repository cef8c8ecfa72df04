"""The report on a catalogue run, as report.parquet and report.csv, complete however a run ends.

Workers write a record for each garment beside its images. The run moves the records into the report now and then, and
at its end. A record that is left when a run is killed is moved by the next run.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable

from ...errors import IGRError
from ...storage import Folder
from ..settings import RECORDS, Output
from .outcome import COLUMNS, Outcome

PARQUET, CSV = "report.parquet", "report.csv"
"""Names of the report's files."""


class Report:
    """The outcomes of all garments of an output folder."""

    def __init__(self, output: Output) -> None:
        """Read the report and the records of earlier runs. Raises IGRError if they are from another program."""
        self._root, self._records = output.root, output.folder(RECORDS)
        self.outcomes: dict[str, Outcome] = {one.name: one for one in _read(self._root)}
        """Outcomes by the garments' names."""
        self._left = set[str]()
        for name in self._records.names():
            if not name.startswith("."):
                self._add_record(name)

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, which replaces an earlier one of the same garment."""
        self.outcomes[outcome.name] = outcome
        self._left.add(f"{outcome.name}.json")

    def remove(self, names: Iterable[str]) -> None:
        """Remove outcomes."""
        for name in names:
            self.outcomes.pop(name, None)

    def collect(self) -> None:
        """Add the records of garments that were written, but whose outcomes were not passed on before the run ended."""
        for name in self._records.names():
            if not name.startswith(".") and name not in self._left:
                self._add_record(name)

    def write(self) -> None:
        """Write the report, sorted by name, and remove the records that it contains."""
        lines = [self.outcomes[name] for name in sorted(self.outcomes)]
        self._root.write(CSV, _as_csv(lines))
        self._root.write(PARQUET, _as_parquet(lines))  # last, because it is the file that is read again
        for name in self._left:
            self._records.remove(name)
        self._left.clear()

    def _add_record(self, name: str) -> None:
        where = self._records.at(name)
        try:
            values = json.loads(self._records.read(name))
        except ValueError as error:
            raise IGRError(f"{where} is damaged ({error}): remove it; its garment will be restored again.") from error
        if not isinstance(values, dict):
            raise IGRError(f"{where} is not from a catalogue run: choose another output folder.")
        self.add(Outcome.from_dict(values, where))


def _read(root: Folder) -> list[Outcome]:
    import pyarrow
    import pyarrow.parquet

    if PARQUET not in root.names():
        return []
    where = root.at(PARQUET)
    try:
        lines = pyarrow.parquet.read_table(io.BytesIO(root.read(PARQUET))).to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise IGRError(f"{where} cannot be read as a report ({error}): choose another output folder.") from error
    return [Outcome.from_dict(line, where) for line in lines]


def _as_csv(lines: Iterable[Outcome]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in lines:
        values = dataclasses.asdict(one)
        writer.writerow("" if values[name] is None else values[name] for name in COLUMNS)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _as_parquet(lines: list[Outcome]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = {"photos": pyarrow.int32()} | dict.fromkeys(("evidence", "agreement", "seconds"), pyarrow.float64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    content = io.BytesIO()
    table = pyarrow.Table.from_pylist([dataclasses.asdict(one) for one in lines], schema=schema)
    pyarrow.parquet.write_table(table, content)
    return content.getvalue()
