"""The generator's labels converted to ATR's: each has one, and mirroring swaps left and right."""

import numpy as np
import torch

from igr_core.segmentation.labels import ATR, garment_mask
from training.data.caches.parsed import wears_skirt
from training.data.synthetic import make_pair
from training.data.synthetic.painting.canvas import LABELS
from training.data.synthetic.scene import draw_scene
from training.small_models.parser.labels import MEANS, TAUGHT, atr_labels, label_shares, mirrored

NUMBER = {label: number for number, label in enumerate(ATR.labels)}


def test_every_drawn_label_has_an_atr_label() -> None:
    assert set(MEANS) == set(LABELS) and set(MEANS.values()) <= set(ATR.labels)
    assert set(ATR.labels) - set(TAUGHT) == {"hat", "sunglasses", "belt", "scarf"}  # drawn people do not wear these


def test_labels_are_reported_in_atrs_numbers() -> None:
    parsing = torch.arange(len(LABELS), dtype=torch.uint8).view(1, 4, 4).repeat(2, 1, 1)
    trousers, skirt = atr_labels(parsing, torch.tensor([False, True])).flatten(1).tolist()
    assert [ATR.labels[number] for number in trousers] == [MEANS[label] for label in LABELS]
    place = LABELS.index("lower")
    assert skirt[place] == NUMBER["skirt"] and trousers[place] == NUMBER["pants"]
    assert skirt[:place] + skirt[place + 1 :] == trousers[:place] + trousers[place + 1 :]


def test_a_mirrored_left_arm_is_a_right_one() -> None:
    labels = torch.tensor([[[NUMBER["left-arm"], NUMBER["dress"], NUMBER["right-shoe"]]]], dtype=torch.uint8)
    assert mirrored(labels).tolist() == [[[NUMBER["left-shoe"], NUMBER["dress"], NUMBER["right-arm"]]]]
    every = torch.arange(len(ATR.labels))[None, None]
    assert torch.equal(mirrored(mirrored(every)), every)
    swapped = (mirrored(every).flip(-1) != every).flatten()
    assert [label for label, other in zip(ATR.labels, swapped, strict=True) if other] == [
        label for label in ATR.labels if label.startswith(("left-", "right-"))
    ]


def test_shares_of_a_cell_are_those_of_its_pixels() -> None:
    labels = torch.zeros(1, 4, 8, dtype=torch.uint8)
    labels[:, :, 4:] = NUMBER["dress"]
    labels[:, 0, :2] = NUMBER["hair"]
    shares = label_shares(labels, 4)
    assert shares.shape == (1, len(ATR.labels), 1, 2) and torch.allclose(shares.sum(1), torch.ones(1, 1, 2))
    assert shares[0, NUMBER["hair"], 0].tolist() == [2 / 16, 0] and shares[0, NUMBER["dress"], 0].tolist() == [0, 1]


def test_skirts_are_those_that_are_drawn() -> None:
    worn = {seed: wears_skirt(seed, 0.0) for seed in range(12)}
    for seed in range(12):
        pair = make_pair(seed, (24, 32))
        if pair.category == "lower":
            assert worn[seed] == ("skirt" in str(pair.attributes["cut"]))
        elif pair.category == "full":
            assert not worn[seed] and draw_scene(seed).other is None
    assert len(set(worn.values())) == 2


def test_true_labels_give_the_requested_garment() -> None:
    """Except below an open coat, which ATR labels upper-clothes like the top below it."""
    for seed in range(8):
        pair = make_pair(seed, (96, 128))
        labels = atr_labels(torch.from_numpy(np.array(pair.parsing))[None], torch.tensor([wears_skirt(seed, 0.0)]))
        found = garment_mask(labels.long(), ATR, pair.category)[0][0, 0].numpy() > 0.5
        mask = np.asarray(pair.garment_mask) > 127
        if pair.attributes["occlusion"] != "jacket":
            assert (found & mask).sum() / (found | mask).sum() > 0.85
