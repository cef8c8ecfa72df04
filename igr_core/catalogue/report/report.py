"""The report on a catalogue run, as report.parquet and report.csv, which is complete however a run ends.

Workers write a record for each batch after its images. The run moves the records into the report from time to time and
at its end. Records that a killed run leaves behind are moved by the next run.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ...errors import IGRError
from ...storage import Folder
from ...text import is_decoded, plain
from ..settings import RECORDS, Output
from .contact_sheet import SHEET, contact_sheet
from .outcome import COLUMNS, MEASURED, Outcome
from .records import from_record

PARQUET, CSV = "report.parquet", "report.csv"
"""Names of the report's tables."""
FILES = (PARQUET, CSV, SHEET)
"""Names of all files of the report."""
_AT_ONCE = 16
"""Number of records that are read at the same time, because object stores are slow to answer."""
_FORMULA = ("=", "+", "-", "@")
"""First characters of cells that spreadsheets evaluate as formulas."""


class Report:
    """The outcomes of all garments of an output folder."""

    def __init__(self, output: Output) -> None:
        """Read the report and the records of earlier runs. Raises IGRError if they are from another program."""
        self.output = output
        """The output folder."""
        self._root, self._records = output.root, output.folder(RECORDS)
        self.outcomes: dict[str, Outcome] = {one.name: one for one in _read(self._root)}
        """Outcomes by the garments' names."""
        self._read_records: set[str] = set()
        self.collect()

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, replacing any earlier one of the same garment; undecoded bytes in its texts are escaped."""
        texts = {name: value for name, value in vars(outcome).items() if isinstance(value, str)}
        escaped = {name: plain(value) for name, value in texts.items() if not is_decoded(value)}
        self.outcomes[outcome.name] = dataclasses.replace(outcome, **escaped) if escaped else outcome

    def remove(self, names: Iterable[str]) -> None:
        """Remove outcomes."""
        for name in names:
            self.outcomes.pop(name, None)

    def collect(self) -> None:
        """Add the outcomes of records that are not in the report yet."""
        names = [name for name in self._records.names() if name.endswith(".json") and not name.startswith(".")]
        new = [name for name in names if name not in self._read_records]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, data in zip(new, pool.map(self._records.read, new), strict=True):
                for outcome in from_record(data, self._records.at(name)):
                    self.add(outcome)
                self._read_records.add(name)

    def write(self, title: str) -> None:
        """Write the report, sorted by name, with its contact sheet, and remove the records that it contains."""
        self.collect()
        lines = [self.outcomes[name] for name in sorted(self.outcomes)]
        self._root.write(CSV, _as_csv(lines))
        self._root.write(SHEET, contact_sheet(lines, title).encode())
        self._root.write(PARQUET, _as_parquet(lines))  # last, because it is the file that is read again
        self._records.remove(*self._read_records)
        self._read_records.clear()


def _read(root: Folder) -> list[Outcome]:
    import pyarrow
    import pyarrow.parquet

    if PARQUET not in root.names():
        return []
    where = root.at(PARQUET)
    try:
        lines = pyarrow.parquet.read_table(io.BytesIO(root.read(PARQUET))).to_pylist()
    except IGRError:
        raise
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        raise IGRError(f"{where} cannot be read as a report ({error}): choose another output folder.") from error
    return [Outcome.from_dict(line, where) for line in lines]


def _as_csv(lines: Iterable[Outcome]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in lines:
        values = dataclasses.asdict(one)
        writer.writerow(_cell(values[name]) for name in COLUMNS)
    return text.getvalue().encode("utf-8-sig")  # with the byte order mark by which spreadsheets recognise UTF-8


def _cell(value: object) -> object:
    """A value as a cell; text that a spreadsheet would evaluate is prefixed with an apostrophe."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _as_parquet(lines: list[Outcome]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = {"photos": pyarrow.int32()} | dict.fromkeys(MEASURED, pyarrow.float64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    content = io.BytesIO()
    table = pyarrow.Table.from_pylist([dataclasses.asdict(one) for one in lines], schema=schema)
    pyarrow.parquet.write_table(table, content)
    return content.getvalue()
