"""Canonical text: cleaning, spans, sections, titles."""

import pytest

from rag.adapters.parsers.canonical import (
    Block,
    Reading,
    clean,
    compose,
    heading,
    name_in,
    paragraph,
)
from rag.domain.document import ElementKind


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00b\x07c", "abc"),
        ("pay \u202egnp.exe\u202c now", "pay gnp.exe now"),
        ("in\u200bvis\u2060ible\ufeff", "invisible"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("soft\u00adhyphen", "softhyphen"),
        ("10\u00a0000\u202f\u20ac", "10 000 \u20ac"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("trailing  \t\nblank", "trailing\nblank"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("Latin\u200djoiner", "Latinjoiner"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ],
)  # fmt: skip
def test_clean_leaves_only_what_is_shown(given: str, cleaned: str) -> None:
    assert clean(given) == cleaned
    assert clean(cleaned) == cleaned


def test_blocks_get_exact_spans_and_sections() -> None:
    reading = Reading(
        blocks=(
            heading("Guide", 1),
            paragraph("Intro."),
            heading("Hotels", 2),
            Block(kind=ElementKind.LIST_ITEM, text="one"),
            paragraph("\u200b \x00"),
            Block(kind=ElementKind.LIST_ITEM, text="two"),
            heading("Trains", 2),
            paragraph("Second class."),
            heading("Annex", 1),
        )
    )
    parsed = compose(reading, uri="file:///docs/guide.md", parser="p")
    assert parsed.text == (
        "Guide\n\nIntro.\n\nHotels\n\none\ntwo\n\nTrains\n\nSecond class.\n\nAnnex"
    )
    found = [(e.span.of(parsed.text), e.section) for e in parsed.elements]
    assert found == [
        ("Guide", ()),
        ("Intro.", ("Guide",)),
        ("Hotels", ("Guide",)),
        ("one", ("Guide", "Hotels")),
        ("two", ("Guide", "Hotels")),
        ("Trains", ("Guide",)),
        ("Second class.", ("Guide", "Trains")),
        ("Annex", ()),
    ]
    assert parsed.title == "Guide"


def test_title_is_named_or_outermost_heading_or_file_name() -> None:
    def title(reading: Reading) -> str:
        return compose(reading, uri="https://x.org/a%20b/My%20Report.pdf?v=1", parser="").title

    headed = (heading("Minor", 3), heading("Major", 1))
    assert title(Reading(blocks=headed, title=" Named \n title ")) == "Named title"
    assert title(Reading(blocks=headed)) == "Major"
    assert title(Reading(blocks=())) == "My Report.pdf"
    assert name_in("C:\\docs\\plan.docx") == "plan.docx"
    assert name_in("") == "untitled"
