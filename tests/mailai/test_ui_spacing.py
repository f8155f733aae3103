"""Gaps in Chinese sentences that are put together from parts."""

import pytest
from django.utils.translation import override

from mailai.ui.spacing import spaced


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("或者90 天内至少为 1", "或者 90 天内至少为 1"),
        ("浏览 一件商品 （过去 30 天内）， 之后", "浏览一件商品（过去 30 天内），之后"),
        ("概率在20% 至 90%之间", "概率在 20% 至 90% 之间"),
        ("并且 (至少为3)", "并且（至少为 3）"),
        ("从11月1日 星期日", "从 11月1日 星期日"),
        ("属于分群“At risk客户”中", "属于分群“At risk客户”中"),
    ],
)
def test_chinese_has_gaps_beside_latin_letters_only(given: str, wanted: str) -> None:
    with override("zh-hans"):
        assert spaced(given) == wanted
    with override("en"):
        assert spaced(given) == given
