"""Converting a record to bytes and back, and the errors for invalid bytes."""

import json

import numpy as np
import pytest

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.records.record import Record, from_members, to_members


def record(seed: int = 4) -> Record:
    return stand_in.make_record(seed, RenderSettings(stand_in.SIZE))[0]


def test_a_record_is_read_back_unchanged() -> None:
    before = record()
    after = from_members(to_members(before), "here")
    assert (after.seed, after.category, after.attributes) == (before.seed, before.category, before.attributes)
    assert [panel.name for panel in after.panels] == ["front", "wall"]
    assert after.panels[0].box == before.panels[0].box and after.panels[0].lines[0].role == "hem"
    assert np.array_equal(after.panels[0].lines[0].points, before.panels[0].lines[0].points)
    assert np.array_equal(after.product.labels, before.product.labels) and after.product.table == before.product.table
    assert len(after.photos) == len(before.photos) == 2
    for mine, others in zip(after.photos, before.photos, strict=True):
        assert np.allclose(mine.correspondence, others.correspondence, atol=1 / 32, equal_nan=True)
        for name in ("parsing", "garment_mask", "agnostic_mask"):
            assert np.array_equal(getattr(mine, name), getattr(others, name))
        assert mine.joints == others.joints and mine.attributes == others.attributes
        assert np.abs(mine.view.light - others.view.light).max() < 0.01


def test_a_record_that_was_read_is_written_as_the_same_bytes() -> None:
    members = to_members(record(), {"garment hidden": 1})
    assert to_members(from_members(members, "here"), {"garment hidden": 1}) == members
    assert json.loads(members["json"])["rejects"] == {"garment hidden": 1}


@pytest.mark.parametrize("entry", ["seed", "category", "attributes", "photos"])
@pytest.mark.parametrize("value", [None, -1, [], {"a": [1]}, "hat"])
def test_a_wrong_entry_is_named(entry: str, value: object) -> None:
    members = to_members(record())
    metadata = json.loads(members["json"])
    metadata[entry] = value
    members["json"] = json.dumps(metadata).encode()
    with pytest.raises(IGRError, match=f"a.tar:garment-000000004.json has no valid entry '{entry}'"):
        from_members(members, "a.tar:garment-000000004")


@pytest.mark.parametrize(
    ("ending", "data", "said"),
    [
        ("product.view", b"nothing", r"product\.view: A stored view cannot be read"),
        ("photo-1.flow", b"nothing", r"photo-1\.flow: The bytes are not a stored correspondence"),
        ("photo-0.mask.png", b"nothing", r"photo-0\.mask\.png is not a supported image"),
        ("photo-0.parsing.png", None, r"has no photo-0\.parsing\.png: copy the shard again"),
        ("json", b"{", r"json is not valid JSON"),
        ("panels.json", b"{}", r"panels\.json must be a list"),
        ("panels.json", b'[{"name": "front"}]', r"panels\.json\[0\] lacks entries of a panel"),
        ("panels.json", b"[]", r"product\.view names a panel that the garment does not have"),
    ],
)
def test_damaged_members_are_named(ending: str, data: bytes | None, said: str) -> None:
    members = to_members(record())
    if data is None:
        del members[ending]
    else:
        members[ending] = data
    with pytest.raises(IGRError, match=f"^a.tar:garment-000000004.*{said}"):
        from_members(members, "a.tar:garment-000000004")


@pytest.mark.parametrize(
    ("entry", "value", "said"), [("kind", "hat", "kind is 'hat'"), ("role", "hat", "role is 'hat'")]
)
def test_a_wrong_panel_is_named(entry: str, value: object, said: str) -> None:
    members = to_members(record())
    panels = json.loads(members["panels.json"])
    panels[0][entry] = value
    members["panels.json"] = json.dumps(panels).encode()
    with pytest.raises(IGRError, match=rf"here\.panels\.json\[0\]\.{said}"):
        from_members(members, "here")


def test_numpy_numbers_are_written_and_values_that_json_does_not_support_are_rejected() -> None:
    attributes = {"length": np.float32(0.5), "tucked": np.bool_(True)}
    kept = from_members(to_members(Record(**{**vars(record()), "attributes": attributes})), "here")
    assert kept.attributes == {"length": 0.5, "tucked": True}
    with pytest.raises(IGRError, match="garment-000000004 cannot be written as JSON"):
        to_members(Record(**{**vars(record()), "attributes": {"length": float("nan")}}))
