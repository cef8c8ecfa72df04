"""The command `inspect` shows the contents of a bundle."""

import dataclasses
import json
from pathlib import Path

import pytest

from igr_core.cli.inspect import MOST_ROWS
from tests.support.cli_kit import fails, invoke
from tests.support.models.tiny import INFO, save_bundle, stub_parts


def test_inspect(stub: Path):
    result = invoke("inspect", stub)
    assert result.exit_code == 0
    for word in ("tiny", "garmnet", "Apache-2.0", "native_size", "48, 64", "ssim", "0.25", "not included (not named)"):
        assert word in result.stdout
    facts = json.loads(invoke("inspect", stub, "--json").stdout)
    assert facts["name"] == "tiny" and facts["scores"] == {"ssim": 0.25}
    fails(invoke("inspect", stub.with_name("none.safetensors")), 1, "none.safetensors does not exist")


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999"])
def test_numbers_that_json_lacks_are_null(tmp_path: Path, value: str):
    path = tmp_path / "odd.safetensors"
    save_bundle(path, dataclasses.replace(INFO, scores={"ssim": 1234567.5, "best": [7654321.5, 1.0]}), stub_parts())
    header = path.read_bytes()
    for number in (b"1234567.5", b"7654321.5"):
        assert header.count(number) == 1
        header = header.replace(number, value.encode().rjust(len(number)))
    path.write_bytes(header)
    result = invoke("inspect", path, "--json")
    assert result.exit_code == 0

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(result.stdout, parse_constant=refused)["scores"] == {"ssim": None, "best": [None, 1.0]}
    assert invoke("inspect", path).exit_code == 0


def test_line_breaks_in_a_bundles_text_do_not_start_a_line(tmp_path: Path):
    path = tmp_path / "odd.safetensors"
    save_bundle(path, dataclasses.replace(INFO, name="x\nforged", scores={"a\nforged": "b\nforged"}), stub_parts())
    result = invoke("inspect", path)
    assert result.exit_code == 0
    assert not any(line.strip(" │┃").startswith("forged") for line in result.stdout.splitlines())


def test_long_lists_and_texts_are_cut_except_in_json(tmp_path: Path):
    path = tmp_path / "long.safetensors"
    scores = {f"metric{number}": 0.5 for number in range(2 * MOST_ROWS)}
    save_bundle(path, dataclasses.replace(INFO, name="n" * 100_000, scores=scores), stub_parts())
    shown = invoke("inspect", path).stdout
    assert shown.count("metric") <= MOST_ROWS + 1 and "2,000 more entries; --json prints them" in shown
    assert shown.count("n") < 50_000 and "n…" in shown
    facts = json.loads(invoke("inspect", path, "--json").stdout)
    assert facts["scores"] == scores and len(facts["name"]) == 100_000


def test_long_names_leave_room_for_values(monkeypatch: pytest.MonkeyPatch):
    """The included bundle names its training's settings under `parent.training.parent. ...`."""
    monkeypatch.setenv("COLUMNS", "80")
    result = invoke("inspect")
    assert result.exit_code == 0 and max(map(len, result.output.splitlines())) <= 80
    assert "muon_learning_rate" in result.output and "0.0015" in result.output and "more entries" not in result.output
