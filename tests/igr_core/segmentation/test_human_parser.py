"""A human parser from a folder: a tiny random SegFormer with the labels of the published ones."""

import json
from pathlib import Path

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from igr_core.errors import IGRError
from igr_core.segmentation.human_parser import HumanParser, ParserInput
from igr_core.segmentation.labels import ATR, FASHN, KNOWN, LabelNames, Parsed, garment_mask
from tests.support.models.tiny_parser import build_parser, change_config


def saved(folder: Path, names: LabelNames = ATR, **preprocessor: object) -> Path:
    """The folder of a tiny parser."""
    build_parser(names).save_pretrained(folder)
    settings = preprocessor or {"size": {"height": 64, "width": 48}}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


PHOTOS = torch.rand(2, 3, 90, 70, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("names", KNOWN, ids=lambda names: names.name)
def test_folders_of_every_known_set_load(tmp_path: Path, names: LabelNames):
    parser = HumanParser.from_folder(saved(tmp_path / "parser", names))
    assert parser.names is names and parser.takes == ParserInput((64, 48))
    labels = parser.parse(PHOTOS)
    assert labels.shape == (2, 90, 70) and labels.dtype == torch.long
    assert 0 <= labels.min() and labels.max() < len(names.labels) and len(labels.unique()) > 1
    assert not parser.model.training and not any(weight.requires_grad for weight in parser.model.parameters())


def test_labels_are_those_of_the_librarys_own_way(tmp_path: Path):
    """Compared with transformers' image processor and post-processing, on a photo that needs no resizing."""
    processors = pytest.importorskip("transformers.models.segformer.image_processing_segformer")
    processor = processors.SegformerImageProcessor(size={"height": 96, "width": 64})
    photo = PHOTOS[:1, :, :64, :64].repeat(1, 1, 2, 1)[..., :96, :].mul(255).round().div(255)
    parser = HumanParser(build_parser(), ATR, ParserInput((96, 64)))
    pixels = processor(photo[0].mul(255).to(torch.uint8), return_tensors="pt")
    expected = processor.post_process_semantic_segmentation(parser.model(**pixels), target_sizes=[(96, 64)])[0]
    assert (parser.parse(photo)[0] == expected).float().mean() > 0.995


def test_photos_of_a_batch_are_parsed_one_by_one():
    parser = HumanParser(build_parser(), ATR, ParserInput((64, 48)))
    both = parser.parse(PHOTOS)
    assert torch.equal(both, torch.cat([parser.parse(one) for one in PHOTOS.split(1)]))
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("where", ["weights", "photo"])
def test_values_that_are_not_finite_are_not_taken_for_no_garment(where: str):
    parser, photo = HumanParser(build_parser(), ATR, ParserInput((64, 48))), PHOTOS[:1].clone()
    if where == "photo":
        photo[0, 1, 40, 30] = float("nan")
    else:
        next(parser.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(IGRError, match="parser's result contains NaN"):
        parser.garments(photo, "upper")


def test_garments_are_those_of_the_label_map():
    parser = HumanParser(build_parser(ATR, ("upper-clothes", "skirt")), ATR, ParserInput((64, 48)))
    masks, categories, certainty = parser.garments(PHOTOS, "full")
    assert categories == ("full", "full") and torch.equal(masks, garment_mask(parser.parse(PHOTOS), ATR, "full")[0])
    assert masks.shape == (2, 1, 90, 70) and masks.mean() > 0.9
    assert certainty == parser.parse_surely(PHOTOS).certainty_in(masks)


def test_certainty_is_averaged_over_the_mask() -> None:
    """The mask's left half is in a cell of 0.5, and the other half in a cell of 0.9."""
    parsed = Parsed(torch.zeros(2, 4, 8, dtype=torch.long), torch.tensor([[[0.5, 0.9]], [[1.0, 0.2]]]))
    masks = torch.zeros(2, 1, 4, 8)
    masks[0, :, 1:3, 2:6] = 1
    masks[1, :, :, 4:] = 1
    assert parsed.certainty_in(masks) == pytest.approx((0.7, 0.2))


def test_certainty_is_the_probability_of_the_label() -> None:
    parser = HumanParser(build_parser(), ATR, ParserInput((64, 48)))
    certainty = parser.parse_surely(PHOTOS).certainty
    assert len(certainty) == 2 and 1 / len(ATR.labels) < certainty.min() and certainty.max() < 1
    parser.model.decode_head.classifier.weight.data.zero_()  # all labels have the same score
    parser.model.decode_head.classifier.bias.data.zero_()
    assert torch.allclose(parser.parse_surely(PHOTOS).certainty, torch.tensor(1 / len(ATR.labels)))


@pytest.mark.parametrize(
    ("settings", "takes"),
    [
        ({"size": 128}, ParserInput((128, 128))),
        (
            {"size": [576, 384], "image_mean": [0.5] * 3, "image_std": [0.25] * 3},
            ParserInput((576, 384), (0.5,) * 3, (0.25,) * 3),
        ),
        ({"do_resize": True}, ParserInput()),
    ],
)
def test_preprocessing_is_read(tmp_path: Path, settings: dict[str, object], takes: ParserInput):
    assert HumanParser.from_folder(saved(tmp_path, FASHN, **settings)).takes == takes


def test_photos_are_not_normalised_if_the_folder_says_so(tmp_path: Path):
    found = HumanParser.from_folder(saved(tmp_path, do_normalize=False, rescale_factor=0.00392156862745098)).takes
    assert found.mean == (0, 0, 0) and found.deviation == (1, 1, 1)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"do_resize": False}, "do_resize"),
        ({"do_rescale": False}, "do_rescale"),
        ({"rescale_factor": 1.0}, "do_rescale"),
        ({"rescale_factor": "1/255"}, "do_rescale"),
    ],
)
def test_preprocessing_that_is_not_done_is_refused(tmp_path: Path, settings: dict[str, object], name: str):
    folder = saved(tmp_path, **settings)
    with pytest.raises(IGRError, match=rf"preprocessor_config.json does not resize photos and .* \({name}\), which is"):
        HumanParser.from_folder(folder)


def test_a_folder_without_preprocessing_takes_segformers(tmp_path: Path):
    (saved(tmp_path) / "preprocessor_config.json").unlink()
    assert HumanParser.from_folder(tmp_path).takes == ParserInput((512, 512))


@pytest.mark.parametrize("what", ["symlink loop", "dangling link", "folder"])
def test_preprocessing_that_cannot_be_read_is_not_replaced_by_the_defaults(tmp_path: Path, what: str):
    path = saved(tmp_path) / "preprocessor_config.json"
    path.unlink()
    path.mkdir() if what == "folder" else path.symlink_to(path.name if what == "symlink loop" else "nothing.json")
    with pytest.raises(
        IGRError, match=r"preprocessor_config.json (is not a file|does not exist|cannot be read).*: copy the file"
    ):
        HumanParser.from_folder(tmp_path)


def test_unknown_labels_are_named_before_any_weight_is_read(tmp_path: Path):
    folder = saved(tmp_path)
    (folder / "model.safetensors").write_bytes(b"no weights")
    change_config(folder, id2label={"0": "wall", "1": "building", "2": "sky", "3": "floor", "4": "tree"})
    with pytest.raises(IGRError, match=r"are wall, building, sky, floor, …: choose .* labels of ATR-18, .* or fashn"):
        HumanParser.from_folder(folder)
    change_config(folder, id2label=None)
    with pytest.raises(IGRError, match="the labels in its config.json are none"):
        HumanParser.from_folder(folder)


def test_broken_folders_get_one_sentence(tmp_path: Path):
    def refused(folder: Path, words: str) -> None:
        with pytest.raises(IGRError, match=words) as caught:
            HumanParser.from_folder(folder)
        assert "\n" not in str(caught.value)

    refused(tmp_path / "nowhere", "nowhere does not exist")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "file is a file: specify the folder of a human parser")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json does not exist: copy the model's whole folder")
    pickled = saved(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    refused(pickled, "no .safetensors weights")
    cut = saved(tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    refused(cut, "cut cannot be loaded as a human parser")
    odd = saved(tmp_path / "odd", size={"shortest_edge": 64})
    refused(odd, "preprocessor_config.json is not valid")
    small = saved(tmp_path / "small", size=8)
    refused(small, "preprocessor_config.json: size is 8: use a number from 32 to 2,048")
    refused(saved(tmp_path / "large", size=8000), "size is 8000")
    garbled = saved(tmp_path / "garbled")
    (garbled / "config.json").write_text("{")
    refused(garbled, "config.json is not valid JSON")


def test_another_kind_of_model_and_missing_weights_are_refused(tmp_path: Path):
    from safetensors.torch import load_file, save_file

    other = tmp_path / "clip"
    CLIPVisionModel(
        CLIPVisionConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=32)
    ).save_pretrained(other)
    change_config(other, id2label=dict(enumerate(ATR.labels)))
    with pytest.raises(IGRError, match="clip cannot be loaded as a human parser"):
        HumanParser.from_folder(other)
    folder = saved(tmp_path / "parser")
    weights = load_file(folder / "model.safetensors")
    del weights["decode_head.classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(IGRError, match="parser is missing 1 weight, such as decode_head.classifier.weight"):
        HumanParser.from_folder(folder)


@pytest.mark.parametrize("shape", [(3, 90, 70), (1, 1, 90, 70), (1, 3, 0, 70)])
def test_other_shapes_are_refused(shape: tuple[int, ...]):
    with pytest.raises(IGRError, match="must be"):
        HumanParser(build_parser(), ATR).parse(torch.rand(shape))


def test_large_photos_use_little_memory_and_give_the_plain_argmax():
    parser = HumanParser(build_parser(), ATR, ParserInput((64, 64)))
    photo = torch.rand(1, 3, 300, 200, generator=torch.Generator().manual_seed(2))
    logits = parser._logits(photo)
    plain = torch.nn.functional.interpolate(logits, (300, 200), mode="bilinear", align_corners=False).argmax(1)
    assert torch.equal(parser.parse(photo), plain)
