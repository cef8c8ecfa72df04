"""IGR Contact Sheet in the host: the sheet and the report of a run, and a folder's messages, which appear only once."""

from __future__ import annotations

import csv
import json
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.host.graphs import node, restore
from tests.support.host.photo_folders import LEVELS, pictures, put, reading
from tests.support.host.server import Graph, PromptFailed, PromptRefused, Server


def with_sheet(graph: Graph, garment: list[Any] | None = None, **inputs: Any) -> Graph:
    """The graph of `reading` with a contact sheet of the photos, inverted, as the garments; shows the report."""
    given = {"person": ["folder", 0], "garment": garment or ["invert", 0], "prefix": ["folder", 3]}
    return {
        **graph,
        "invert": node("ImageInvert", image=["folder", 0]),
        "sheet": node("IGRContactSheet", **{**given, "category": ["folder", 2], **inputs}),
        "report": node("PreviewAny", source=["sheet", 1]),
        "whole": node("PreviewImage", images=["sheet", 0]),
    }


def lines(server: Server, case: str) -> list[dict[str, str]]:
    """The report in the folder of a test's garments."""
    with (server.base / "output" / case / "report.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def notes(outputs: dict[str, Any], name: str = "sheet") -> list[str]:
    return [one["text"] for one in outputs[name]["igr_notes"]]


def test_all_garments_of_a_run_are_on_one_sheet(server: Server, case: str) -> None:
    for name in LEVELS:
        put(server, case, name)
    outputs = server.run(with_sheet(reading(case)))["outputs"]
    (shown,), (whole,) = (pictures(server, outputs[name]["images"]) for name in ("sheet", "whole"))
    assert np.array_equal(shown, whole)
    for level in (*LEVELS.values(), *(255 - level for level in LEVELS.values())):
        assert (np.abs(whole.astype(int) - level).max(-1) <= 1).sum() > 192 * 200, level
    sizes = {name: 300 + number for number, name in enumerate(LEVELS)}
    wanted = [f"{n}. {name}: upper, {sizes[name]}×400 pixels." for n, name in enumerate(LEVELS, 1)]
    assert outputs["report"]["text"] == ["\n".join(wanted)]
    assert notes(outputs) == [*wanted, f"Report: output/{case}/report.csv (4 garments)."]
    assert lines(server, case)[1] == {
        "name": "bert",
        "category": "upper",
        "size": "301x400",
        "evidence": "",
        "warnings": "",
    }
    assert len(outputs["save"]["images"]) == 4


def test_warnings_and_evidence_are_those_of_each_garment(server: Server, case: str) -> None:
    for name in ("anna", "bert"):
        put(server, case, name)
    cut = Image.new("L", (300, 400))
    cut.paste(255, (50, 0, 250, 200))
    cut.save(server.base / "input" / case / "masks" / "anna.png")
    view = restore()["view"]["inputs"] | {"person": ["folder", 0], "mask": ["folder", 1]}
    graph = with_sheet(reading(case), view=["view", 0], visible=["visible", 0])
    graph |= {"load": restore()["load"], "view": node("IGRGarmentView", **view)}
    outputs = server.run({**graph, "visible": node("PrimitiveFloat", value=0.256)})["outputs"]
    first, second, _ = notes(outputs)
    assert first.startswith("1. anna: upper, 26% visible, 300×400 pixels. The mask touches the top")
    assert second == "2. bert: upper, 26% visible, 301×400 pixels."
    assert [one["warning"] for one in outputs["sheet"]["igr_notes"]] == [True, False, False]
    anna, bert = lines(server, case)
    assert anna["evidence"] == "0.256" and anna["warnings"].startswith("The mask touches the top")
    assert bert["warnings"] == ""


def test_the_report_has_the_garments_of_all_runs_and_nothing_left_is_a_success(server: Server, case: str) -> None:
    for name in ("anna", "bert", "carl"):
        put(server, case, name)
    graph = with_sheet(reading(case, limit=2))
    assert len(notes(server.run(graph)["outputs"])) == 3
    assert notes(server.run(graph)["outputs"])[-1] == f"Report: output/{case}/report.csv (3 garments)."
    before = [one["name"] for one in lines(server, case)]
    done = server.run(graph)
    assert done["status"]["status_str"] == "success" and not {"sheet", "whole", "save"} & set(done["outputs"])
    assert "Nothing left to do" in notes(done["outputs"], "folder")[0]
    assert before == [one["name"] for one in lines(server, case)] == ["anna", "bert", "carl"]


def test_more_garments_than_the_sheet_shows_are_counted_and_reported(server: Server, case: str) -> None:
    first = put(server, case, "anna")
    for number in range(49):
        for folder in ("photos", "masks"):
            source = first.parents[1] / folder / "anna.png"
            shutil.copy(source, source.with_name(f"copy {number:02}.png"))
    outputs = server.run(with_sheet(reading(case)))["outputs"]
    (whole,) = pictures(server, outputs["whole"]["images"])
    box = 192 * 256
    assert 48 * box * 0.9 < (np.abs(whole.astype(int) - LEVELS["anna"]).max(-1) <= 1).sum() < 49 * box
    assert len(outputs["report"]["text"][0].splitlines()) == len(lines(server, case)) == 50


def test_a_file_that_is_not_a_report_stops_the_run_before_the_garments(server: Server, case: str) -> None:
    put(server, case, "anna")
    other = server.base / "output" / case / "report.csv"
    other.parent.mkdir(parents=True)
    other.write_text("name,price\nanna,3\n")
    prompt = server.start(with_sheet(reading(case)))
    with pytest.raises(PromptFailed, match=r"IGRContactSheet: IGRError: .*report\.csv exists, but is not a report"):
        server.finish(prompt)
    messages = dict(server.get(f"/history/{prompt}")[prompt]["status"]["messages"])
    assert "invert" not in messages["execution_error"]["executed"]
    assert other.read_text() == "name,price\nanna,3\n"


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"prefix": "../anna"}, 'prefix "../anna" points outside the output folder: connect'),
        ({"prefix": "%year%/anna"}, "has %year%, which ComfyUI replaces"),
        ({"garment": ["other", 0]}, "The person input has 2 items for 1 garment: connect outputs"),
    ],
)
def test_wrong_inputs_are_reported_in_one_sentence(
    server: Server, case: str, inputs: dict[str, Any], sentence: str
) -> None:
    for name in ("anna", "bert"):
        put(server, case, name)
    graph = with_sheet(reading(case, again=True), **inputs)
    graph["other"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0)
    with pytest.raises(PromptFailed, match=sentence) as failed:
        server.run(graph)
    assert str(failed.value).startswith("IGRContactSheet: IGRError: ")


def test_images_of_a_batch_are_numbered(server: Server, case: str) -> None:
    put(server, case, "anna")
    graph = with_sheet(reading(case), ["twice", 0])
    graph["twice"] = node("RepeatImageBatch", image=["invert", 0], amount=2)
    outputs = server.run(graph)["outputs"]
    assert [one["name"] for one in lines(server, case)] == ["anna 1", "anna 2"]
    assert [text.split(":")[0] for text in notes(outputs)] == ["1. anna 1", "2. anna 2", "Report"]


# Messages of the folder -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["photos", "masks"])
def test_a_missing_folder_is_reported_once(server: Server, case: str, missing: str) -> None:
    put(server, case, "anna")
    graph = with_sheet(reading(case, **{missing: f"{case}/elsewhere"}))
    try:
        prompt = server.start(graph)
    except PromptRefused as refused:
        answer = json.loads(str(refused))
        assert list(answer["node_errors"]) == ["folder"] and len(answer["node_errors"]["folder"]["errors"]) == 1
        assert "elsewhere" in str(answer) and str(answer).count("put the folder there") == (missing == "photos")
        return
    with pytest.raises(PromptFailed, match="put the folder there"):  # older hosts do not check the options before
        server.finish(prompt)
    messages = server.get(f"/history/{prompt}")[prompt]["status"]["messages"]
    (error,) = (data for kind, data in messages if kind == "execution_error")
    assert error["node_type"] == "IGRPhotoFolder" and error["exception_message"].count("put the folder there") == 1


def test_a_bad_photo_is_reported_once(server: Server, case: str) -> None:
    put(server, case, "anna")
    put(server, case, "bert").write_bytes(b"no image")
    outputs = server.run(with_sheet(reading(case)))["outputs"]
    sentence = "bert.png is not a supported image"
    assert sum(sentence in note for note in notes(outputs, "folder")) == 1
    assert not any(sentence in json.dumps(shown) for name, shown in outputs.items() if name != "folder")
