"""Sources that disagree, and copies that count once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.making import NOW, claim, evidence, judgement, known

from rag.answer.decision import DISAGREE, UNANSWERED, Decision, Part, decide
from rag.answer.reconciling import clashes, ordered, supersedes
from rag.answer.selection import is_copy, select
from rag.answer.verification import Known, verify_claims
from rag.domain.answer import Policy, Status
from rag.domain.claim import Evidence, Pointer, Verdict
from rag.domain.clash import disagree, is_earlier
from rag.domain.ids import SiloId

OLD = "Receipts must be handed in within 30 days of the trip."
NEW = "Receipts must be handed in within 45 days of the trip."
RULES = (
    "Every employee may book a hotel for a business trip through the travel desk. "
    "The desk answers within one working day and knows the rates that we have agreed. "
    "Breakfast is paid, the minibar is not."
)


def test_two_values_for_one_thing_clash() -> None:
    assert disagree(OLD, NEW) == "number"
    assert disagree("The gate closes at 18:00.", "The gate closes at 20:00.") == "date"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (OLD, OLD),
        (OLD, "Hotels cost at most 150 euros a night."),
        ("Meals are refunded up to 40 euros a day.", "Hotels are refunded up to 150 euros a night."),
        ("Employees get 28 days of leave.", "Leave requests go to the team lead."),
        ("", NEW),
    ],
)  # fmt: skip
def test_what_may_both_be_true_does_not_clash(one: str, other: str) -> None:
    assert disagree(one, other) == ""


def two(first: Evidence, second: Evidence) -> tuple[tuple[Verdict, ...], Known]:
    shown = known(first, second)
    claims = [
        claim(e.text, Pointer(evidence=n, span=e.span, quote=e.text))
        for n, e in enumerate((first, second))
    ]
    return verify_claims(claims, [judgement(), judgement()], shown), shown


def from_silo(passage: Evidence, silo: str, age_days: int = 0) -> Evidence:
    modified_at = NOW - timedelta(days=age_days)
    source = replace(passage.source, silo=SiloId(silo), modified_at=modified_at)
    return replace(passage, source=source)


def decided(first: Evidence, second: Evidence, trust: dict[SiloId, float]) -> Decision:
    verdicts, shown = two(first, second)
    part = Part(
        question="How soon?", verdicts=verdicts, clashes=clashes(verdicts, shown.evidence, trust)
    )
    return decide([part], shown, Policy.STRICT)


def test_the_newer_source_speaks_first_and_the_conflict_is_named() -> None:
    old = from_silo(evidence(OLD, chunk=1, document="doc_a"), "drive", age_days=400)
    new = from_silo(evidence(NEW, chunk=2, document="doc_b"), "handbook")
    found = decided(old, new, {})
    lines = found.text.splitlines()
    assert lines[:2] == [f"{NEW} [1]", f"{OLD} [2]"]
    assert lines[2] == f"{DISAGREE} (number): [1] handbook, 2026-01-01; [2] drive, 2024-11-27."
    assert [c.claims for c in found.conflicts] == [(0, 1)]
    for one in found.claims:
        assert one.span.of(found.text) == one.verdict.claim.text


def test_trust_goes_before_age() -> None:
    old = from_silo(evidence(OLD, chunk=1, document="doc_a"), "handbook", age_days=400)
    new = from_silo(evidence(NEW, chunk=2, document="doc_b"), "drive")
    found = decided(old, new, {SiloId("drive"): 0.5})
    assert found.text.startswith(OLD)


def test_who_says_that_it_supersedes_the_other_is_believed() -> None:
    new = evidence(f"This rule supersedes the Receipts 2019 policy. {NEW}", chunk=2, document="b")
    older = evidence(OLD, chunk=1, document="a")
    old = replace(older, source=replace(older.source, title="Receipts 2019 policy"))
    assert supersedes(new, old)
    assert not supersedes(old, new)


@pytest.mark.parametrize(
    ("title", "key", "earlier"),
    [
        ("Leave policy", "hr/Leave Policy v2 (2023).docx", True),
        ("Leave policy 2025", "leave-2025.md", True),
        ("Leave policy", "leave-policy.md", False),
        ("Leave policy", "leave-2026.md", False),
        ("Bonus scheme 2023", "bonus-2023.md", False),
    ],
)
def test_an_earlier_edition_is_known_by_its_name(title: str, key: str, earlier: bool) -> None:
    current = evidence(NEW).source
    current = replace(current, title="Leave policy", key="leave-policy.md")
    assert is_earlier(replace(current, title=title, key=key), current) is earlier
    assert not is_earlier(current, replace(current, title=title, key=key))


def test_an_archived_source_comes_second_though_it_was_touched_last() -> None:
    old = from_silo(evidence(OLD, chunk=1, document="doc_a"), "drive")
    old = replace(old, source=replace(old.source, key="archive/receipts.md"))
    new = from_silo(evidence(NEW, chunk=2, document="doc_b"), "handbook", age_days=100)
    assert decided(old, new, {}).text.startswith(NEW)


def test_one_document_does_not_clash_with_itself() -> None:
    verdicts, shown = two(
        evidence(OLD, chunk=1, document="doc_a"),
        evidence(NEW, chunk=2, document="doc_a", start=900),
    )
    assert clashes(verdicts, shown.evidence, {}) == ()


def test_the_order_stays_but_for_who_is_believed_first() -> None:
    verdicts, shown = two(
        from_silo(evidence(OLD, chunk=1, document="doc_a"), "x", age_days=9),
        from_silo(evidence(NEW, chunk=2, document="doc_b"), "y"),
    )
    assert ordered(clashes(verdicts, shown.evidence, {}), 3) == [1, 0, 2]
    assert ordered((), 3) == [0, 1, 2]


# --- copies -----------------------------------------------------------------------------------------


def test_a_near_copy_is_shown_through_the_first_and_named() -> None:
    again = RULES.replace("knows the rates", "knows  the rates")
    first = evidence(RULES, chunk=1, document="doc_a")
    second = evidence(again, chunk=2, document="doc_b")
    (chosen,) = select([first, second], limit=8, per_document=4)
    assert chosen.copies == (second,)
    shown = known(chosen)
    standing = replace(
        shown.standing, current=frozenset({*chosen.chunk_ids, *second.chunk_ids}),
        permitted=frozenset({*chosen.chunk_ids, *second.chunk_ids}),
    )  # fmt: skip
    quoted = RULES.split(". ", maxsplit=1)[0] + "."
    cited = claim(quoted, Pointer(evidence=0, span=None))
    verdicts = verify_claims([cited], [judgement()], replace(shown, standing=standing))
    part = Part(question="Who?", verdicts=verdicts)
    for place, names in ((standing, ["doc_b"]), (shown.standing, [])):
        found = decide([part], replace(shown, standing=place), Policy.STRICT)
        assert [s.document_id for s in found.citations[0].also_in] == names


@pytest.mark.parametrize(
    ("a", "b"),
    [("one working day", "two working days"), ("is not.", "is too."), ("may book", "may not book")],
)
def test_where_a_fact_differs_there_is_no_copy(a: str, b: str) -> None:
    long = " ".join([RULES, *(f"Room {n} has a desk and a lamp." for n in range(30))])
    assert is_copy(long, long.replace("desk answers", "desk  answers"))
    assert not is_copy(long, long.replace(a, b))


# --- parts ------------------------------------------------------------------------------------------


def test_a_part_without_support_is_named_and_the_rest_is_given() -> None:
    verdicts = verify_claims([claim()], [judgement()], known())
    found = decide(
        [
            Part(question="What is paid for meals?", verdicts=verdicts),
            Part(question="Who signs?", verdicts=()),
        ],
        known(),
        Policy.STRICT,
    )
    assert found.status is Status.PARTIAL
    assert found.text == f"{claim().text} [1]\n{UNANSWERED}Who signs?"
    assert [p.status for p in found.parts] == [Status.ANSWERED, Status.ABSTAINED]
    assert [p.claims for p in found.parts] == [(0,), ()]


def test_a_claim_that_answers_two_parts_is_said_once() -> None:
    verdicts = verify_claims([claim()], [judgement()], known())
    both = [Part(question=q, verdicts=verdicts) for q in ("What?", "How much?")]
    found = decide(both, known(), Policy.STRICT)
    assert found.status is Status.ANSWERED
    assert found.text == f"{claim().text} [1]"
    assert [p.claims for p in found.parts] == [(0,), (0,)]


def test_a_plain_question_has_no_parts() -> None:
    verdicts = verify_claims([claim()], [judgement()], known())
    assert decide([Part(question="What?", verdicts=verdicts)], known(), Policy.STRICT).parts == ()


def test_an_abstention_names_the_nearest_places_and_quotes_nothing() -> None:
    found = decide([Part(question="What do hotels cost?", verdicts=())], known(), Policy.STRICT)
    (place,) = found.nearest
    assert place.span.shifted(-100).of(evidence().text).startswith("Hotels")
    assert place.source == evidence().source
    hidden = known(permitted=False)
    assert decide([Part(question="What?", verdicts=())], hidden, Policy.STRICT).nearest == ()
