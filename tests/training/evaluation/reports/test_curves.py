"""Loss curves are drawn from the logs of runs."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from training.cli.app import app
from training.evaluation.reports.curves import PANELS


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["evaluate", "curves", *(str(one) for one in arguments)])
    return done.exit_code, done.output.replace("\n", " ")


def test_curves_are_drawn(tmp_path: Path) -> None:
    lines = ["step,metric,value"]
    lines += [f"{step},{name},{1 / step}" for step in (10, 20, 30) for name in ("loss", "validation/full")]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    assert run(tmp_path, tmp_path, "--out", tmp_path / "curves.png")[0] == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_names_are_not_parsed_as_formulas_and_spreadsheets_may_have_saved_the_log(tmp_path: Path) -> None:
    folder = tmp_path / r"5 $\frac$ run_1"
    folder.mkdir()
    (folder / "metrics.csv").write_bytes(b"\xef\xbb\xbfstep,metric,value\r\n1,loss,0.5\r\n2,loss,0.25\r\n\xff\xfe\r\n")
    code, output = run(folder, "--out", tmp_path / "curves.png")
    assert code == 0, output
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_log_without_losses_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,metric,value\n")
    code, output = run(tmp_path, "--out", tmp_path / "c.png")
    assert code == 1 and "metrics.csv contains no losses: wait until" in output and not (tmp_path / "c.png").exists()


def test_each_panel_shows_one_kind_of_number() -> None:
    """Fractions and cross-entropies of the attention are not mean squared errors."""
    names = ["loss", "total_loss", "validation/full", "validation/rendered/no_reference", "first_step/full"]
    names += [f"{where}correspondence/{what}" for where in ("", "validation/") for what in ("loss", "within_5_percent")]
    shown = [[name for name in names if panel.names.fullmatch(name)] for panel in PANELS]
    assert shown == [
        ["loss"],
        ["validation/full", "validation/rendered/no_reference"],
        ["first_step/full"],
        ["correspondence/within_5_percent", "validation/correspondence/within_5_percent"],
    ]


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    code, output = run(tmp_path / "nowhere", "--out", tmp_path / "c.png")
    assert code == 1 and "has no metrics.csv" in output and not (tmp_path / "c.png").exists()
