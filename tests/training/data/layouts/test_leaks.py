"""The skipped names of VITON-HD match the published counts."""

import re

from training.data.layouts.leaks import VITON_HD_LEFT_OUT


def test_the_remaining_pairs_are_the_cleaned_split() -> None:
    left = {"train": 11_647 - len(VITON_HD_LEFT_OUT["train"]), "test": 2_032 - len(VITON_HD_LEFT_OUT["test"])}
    assert left == {"train": 11_552, "test": 1_990}


def test_names_are_those_of_the_data_set_and_in_one_split_only() -> None:
    names = [name for split in VITON_HD_LEFT_OUT.values() for name in split]
    assert all(re.fullmatch(r"\d{5}_00", name) for name in names)
    assert len(set(names)) == len(names) == 137
