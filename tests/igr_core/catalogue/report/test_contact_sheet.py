"""The contact sheet: text from files is shown, and never runs."""

import json
import re

import pytest

from igr_core.catalogue.report.contact_sheet import contact_sheet
from igr_core.catalogue.report.outcome import FAILED, RESTORED, Outcome

pytest.importorskip("jinja2", reason="only the extra `catalogue` writes contact sheets")

EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m"


def data_of(page: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_name_cannot_end_the_script_or_add_an_element() -> None:
    page = contact_sheet([Outcome(EVIL, FAILED, EVIL, error=EVIL)], EVIL)
    assert "<img src=x" not in page and "\x1b" not in page
    assert page.count("<script") == 2
    (line,) = data_of(page)
    assert line["name"] == EVIL.replace("\x1b", "\\x1b")


def test_links_are_relative_and_only_garments_that_exist_have_one() -> None:
    done = Outcome("a b#1", RESTORED, "p.jpg", image="garments/a b#1.png", evidence_map="evidence/a b#1.png")
    failed, good = data_of(contact_sheet([done, Outcome("A", FAILED, "p.jpg", error="Gone: look.")], "shop"))
    assert failed["thumbnail"] == failed["image"] == ""
    assert good["image"] == "garments/a%20b%231.png" and good["thumbnail"] == "thumbnails/a%20b%231.webp"
    assert good["map"] == "evidence/a%20b%231.png"


def test_the_page_counts_each_status_and_loads_nothing_from_elsewhere() -> None:
    page = contact_sheet([Outcome("a", RESTORED, ""), Outcome("b", RESTORED, ""), Outcome("c", FAILED, "")], "shop")
    assert "all (3)" in page and "restored (2)" in page and "failed (1)" in page
    assert "http://" not in page and "https://" not in page


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        contact_sheet([Outcome("a", RESTORED, "", evidence=float("nan"))], "shop")
