"""Any JSON in a model folder's files or in the marks on a photo: one sentence or a result, in little memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igr_core.errors import IGRError
from igr_core.segmentation.clicks import Clicks, parse_clicks
from igr_core.segmentation.human_parser import HumanParser
from igr_core.segmentation.segmenter import Segmenter
from tests.support.fuzzing import VALUES, changed, fuzzed, memory_limit, places
from tests.support.models.tiny_parser import save_parser
from tests.support.models.tiny_sam2 import save_sam2

PREPARED = {"size": {"height": 64, "width": 48}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
MARKS = {"positive": [[4, 5], [1.5, 2]], "negative": [[0, 0]], "box": [0, 0, 20, 20], "size": [64, 48]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    parser = save_parser(place / "parser")
    (parser / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    return {"parser": parser, "segmenter": save_sam2(place / "segmenter")}


def load_with(folder: Path, file: str, data: st.DataObject, load: Any) -> Any:
    """Result of `load` for a copy of a folder with one entry of a JSON file changed; None if it is rejected."""
    plain = json.loads((folder / file).read_text())
    path = data.draw(st.sampled_from(sorted(places(plain), key=str)))
    copy = folder.with_name(f"{folder.name}_changed")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    (copy / file).write_text(json.dumps(changed(plain, path, data.draw(VALUES))))
    try:
        return load(copy)
    except IGRError as error:
        assert "\n" not in str(error) and len(str(error)) < 1500
        return None


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
@fuzzed(25)
@given(data=st.data())
def test_parser_folders(folders: dict[str, Path], file: str, data: st.DataObject) -> None:
    with memory_limit():
        found = load_with(folders["parser"], file, data, HumanParser.from_folder)
        if found is not None:
            assert found.parse(torch.rand(1, 3, 40, 30)).shape == (1, 40, 30)


@fuzzed(25)
@given(data=st.data())
def test_segmenter_folders(folders: dict[str, Path], data: st.DataObject) -> None:
    with memory_limit():
        found = load_with(folders["segmenter"], "config.json", data, Segmenter.from_folder)
        if found is not None:
            embedding = found.embed(torch.rand(1, 3, 40, 30))
            assert found.masks(embedding, Clicks(((3.0, 4.0),)).prompt((30, 40)))[0].shape[-2:] == (40, 30)


@fuzzed(400)
@given(data=st.data())
def test_marks_on_a_photo(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(places(MARKS), key=str)))
    text = json.dumps(changed(MARKS, path, data.draw(VALUES)))
    try:
        parse_clicks(text).prompt((64, 48))
    except IGRError as error:
        assert len(str(error)) < 500


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"positive": [[' + "9" * 5000 + ", 1]]}", '{"box": [1e999, 0, 1, 1]}', '{"size": [NaN, 4]}', "\0"],
    ids=["nested", "5,000 digits", "infinite", "NaN", "no text"],
)
def test_marks_that_exceed_the_range_of_numbers(text: str) -> None:
    with pytest.raises(IGRError, match="The points are not valid|The entry .* of the points is not valid"):
        parse_clicks(text)
