"""Known duplicates and train / test leaks of VITON-HD, which are skipped by default.

The list was made by the authors of TryOffDiff (arXiv 2411.18350), who compared perceptual hashes and checked every
match: 95 names in train and 6 in test are duplicates of others in the same split, and 36 in test also appear in train.
This leaves 11,552 and 1,990 pairs, as in their cleaned split. The list is published in their repository,
rizavelioglu/tryoffdiff, references/vitonhd_duplicate_filenames.json.
"""

from __future__ import annotations

_TRAIN_DUPLICATES = """
    00424 00587 00756 01679 01931 02419 02519 03360 03865 04030 04033 04200 04264 04787 05016 05269
    05699 05773 05795 05880 06384 06635 06720 06932 07055 07305 07310 07559 07725 07730 07776 07976
    07979 08148 08315 08645 08652 08879 08990 08991 08992 09101 09155 09157 09158 09159 09489 09491
    09828 09998 09999 10478 10499 10500 10666 10667 11087 11088 11090 11150 11339 11423 11505 11507
    11510 11677 11922 11924 11925 11926 11930 12174 12177 12182 12185 12264 12515 12516 12601 12934
    12936 12938 12939 13020 13021 13047 13293 13294 13473 13608 13776 14194 14198 14361 14363
"""
_TEST_DUPLICATES = """
    02015 07980 09660 11934 14196 14471
"""
_TEST_LEAKED = """
    01008 01260 01261 02245 02770 02771 03444 03527 03696 04452 06132 07309 07475 07560 07726 07977
    08735 08989 09493 09744 09996 10330 10665 11085 11504 11606 11675 11676 11921 12178 12181 12598
    13102 13105 14041 14112
"""


def _stems(*numbers: str) -> frozenset[str]:
    return frozenset(f"{number}_00" for group in numbers for number in group.split())


VITON_HD_LEFT_OUT = {"train": _stems(_TRAIN_DUPLICATES), "test": _stems(_TEST_DUPLICATES, _TEST_LEAKED)}
"""Names, without extension, to skip in each split."""
