"""Text from files is harmless wherever it is shown: on terminals, in HTML and in HTTP headers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.model.bundle import Bundle
from igr_core.text import as_cell, counted, decode_table, from_cell, is_decoded, one_line, plain, without_markup
from tests.support.cli_kit import invoke
from tests.support.models.tiny import INFO, save_bundle, stub_parts

ROOT = Path(__file__).parents[2]
HARMFUL = {
    "escape sequence": ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
    "C1 control": ("a\x9b31m", r"a\x9b31m"),
    "right to left": ("gpj.\u202egnp", r"gpj.\u202egnp"),
    "Latin-1 byte": ("caf\udce9.png", r"caf\xe9.png"),
    "lone surrogate": ("\ud800x", r"\ud800x"),
    "carriage return": ("a\rb", r"a\rb"),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_harmful_characters_are_spelled_out(kind: str) -> None:
    text, shown = HARMFUL[kind]
    assert plain(text) == one_line(text) == shown
    shown.encode("ascii")


def test_names_in_any_language_stay_as_they_are() -> None:
    for name in (
        "Kleid größer.png",
        "ドレス.jpg",
        "платье.webp",
        "e\u0301.png",
        "robe\u00a0bleue.png",
        "a\u3000b",
        "👗.png",
    ):
        assert plain(name) == one_line(name) == without_markup(name) == name


def test_line_breaks_stay_in_text_and_leave_lines() -> None:
    assert plain("a\n\tb") == "a\n\tb" and one_line("a\nb\tc") == r"a\nb\tc"


def test_names_with_undecoded_bytes_are_recognised() -> None:
    assert is_decoded("платье.png") and is_decoded("") and not is_decoded("caf\udce9.png")


def test_tags_are_escaped() -> None:
    assert without_markup("<svg onload=alert(2)>.png") == "‹svg onload=alert(2)›.png"


NAMES = ["[/red]hello", "[bold]x[/bold]", *(text for text, _ in HARMFUL.values())]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_inspect_shows_a_bundles_own_text_literally(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle.safetensors"
    save_bundle(path, INFO, stub_parts())
    text = path.read_bytes()
    given = json.dumps(json.dumps(name))[1:-1]
    place = json.dumps(json.dumps("tiny"))[1:-1].encode()
    assert text.count(place) == 1
    header = text[8:].replace(place, given.encode())
    size = int.from_bytes(text[:8], "little") + len(given) - len(place)
    path.write_bytes(size.to_bytes(8, "little") + header)
    assert Bundle.open(path).info.name == name
    shown = invoke("inspect", path)
    assert shown.exit_code == 0 and plain(name) in shown.stdout and "\x1b" not in shown.stdout
    assert json.loads(invoke("inspect", path, "--json").stdout)["name"] == name


def test_a_terminal_without_the_characters_of_a_name_is_no_error(tmp_path: Path) -> None:
    """A name in another alphabet on a terminal in Windows-1252, in the error of both commands."""
    for command in ("igr_core", "training"):
        words = ["inspect", "платье.safetensors"] if command == "igr_core" else ["data", "check", "платье"]
        environment = {"PYTHONIOENCODING": "cp1252", "PATH": "", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(
            [sys.executable, "-m", command, *words], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert ran.returncode in (1, 2) and b"Traceback" not in ran.stderr
        assert rb"\u043f\u043b" in ran.stderr and b"Error: " in ran.stderr


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-rf.jpg", "@a", "\tx", "\rx", "'=1", "'", "", "anna's.jpg", "''", "1=1"]
)
def test_what_a_spreadsheet_would_compute_is_text_in_a_table(text: str) -> None:
    assert not as_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert from_cell(as_cell(text)) == text
    assert as_cell("anna.jpg") == "anna.jpg"


def test_a_number_is_followed_by_the_right_form_of_its_noun() -> None:
    assert [counted(number, "photo") for number in (0, 1, 2000)] == ["0 photos", "1 photo", "2,000 photos"]
    assert counted(1, "category", "categories") == "1 category" and counted(2, "mass", "masses") == "2 masses"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n", ","),
        ("a;b\n", ";"),
        ("a\tb\n", "\t"),
        ('B;"x,y,z";A\n', ";"),
        ('a,b,"x;y;z;u"\n', ","),
        ("c;d;e,f\n", ";"),
        ('"x,\ny,z";a;b\n', ";"),
        ("", ","),
    ],
)
def test_the_separator_of_a_table_is_the_one_that_yields_its_columns(text: str, separator: str) -> None:
    assert decode_table(text.encode(), {"a", "b"}) == (text, separator, 0)


def test_the_separator_that_the_first_line_names_is_used() -> None:
    assert decode_table(b'\xef\xbb\xbf"Sep=|"\r\na|b\r\n', {"a"}) == ("a|b\r\n", "|", 1)
    assert decode_table(b"sep=;x\n", {"a"}).skipped == 0
