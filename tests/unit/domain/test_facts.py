"""Step 6: what agrees must pass, what was swapped must be found."""

import time

import pytest

from rag.domain.extraction import facts
from rag.domain.facts import agreement
from rag.domain.words import Span

AGREEING = [
    # Numbers and units, said otherwise.
    ("Invoices are paid within 45 days.", "Invoices are paid within forty-five (45) days."),
    ("Invoices are paid within forty-five days.", "We pay invoices within 45 days."),
    ("The limit is 1,000 files.", "The limit is 1000 files."),
    ("The limit is 1000 files.", "A limit of 1,000 files applies."),
    ("Das Limit liegt bei 1.000 Dateien.", "The limit is 1,000 files."),
    ("Notice is 2 weeks.", "Notice is 14 days."),
    ("The grant is €1.5 million.", "The grant is EUR 1,500,000."),
    ("The grant is EUR 1.500.000,00.", "The grant is €1.5 million."),
    ("It costs $5K.", "It costs 5,000 US dollars, i.e. USD 5000."),
    ("About 12% of users left.", "12.3 percent of users left."),
    ("The trip is 1.5 km.", "The trip is 1500 metres."),
    ("A trial lasts one month.", "A trial lasts 30 days."),
    ("Bake at 350 degrees.", "Preheat the oven to 350°F."),
    ("They drove at 60 mph.", "They drove at 60 miles per hour."),
    ("It weighs 2 kg.", "Weight: 2,000 g"),
    ("Wait half an hour.", "Wait for 30 minutes."),
    ("It takes 7 days.", "It takes a week."),
    ("Between 5 and 10 days are needed.", "This needs 5-10 days."),
    ("It takes 7 days.", "It takes 5 to 10 days."),
    ("**999** million rows are kept.", "999 million rows are kept."),
    ("Around 70 people came.", "68 people came."),
    ("More than 40 people came.", "45 people came."),
    ("There are three ways to apply.", "Apply by post. Apply online. Apply in person."),
    ("In total, 75 seats exist.", "There are 30 seats in Bonn and 45 seats in Berlin."),
    ("1. Rinse the cup.\n2. Dry the cup.", "Rinse the cup, then dry it."),
    ("Leave is 30 days [2].", "Leave | 30 days"),
    ("Annual leave is 30 days.", "Benefit | Days\nAnnual leave | 30"),
    ("The allowance is EUR 300.", "Allowance (EUR): 300"),
    ("A 45-day period applies.", "A period of 45 days applies."),
    ("Half of the staff, 50%, agreed.", "50 percent of the staff agreed, one half."),
    ("The share is 15%.", "share: 0.15"),
    ("Reports are due every month.", "Reports are due monthly."),
    ("The fee is $25 per hour.", "Fee: $25/hour"),
    ("The 3rd floor is closed.", "The third floor is closed; see plan 3."),
    # Dates and times.
    ("It began on 5 Jan 2024.", "Start: 2024-01-05"),
    ("It began on January 5, 2024.", "Beginn am 05.01.2024"),
    ("It began in January 2024.", "It began on 5 January 2024."),
    ("Es begann am 3. März 2023.", "It began on March 3rd, 2023."),
    ("It was founded in 1998.", "Founded 1998 in Oslo."),
    ("Results for Q3 2025 are out.", "Results for the third quarter of 2025 are out."),
    ("Results for Q3 2025 are out.", "Results of August 2025 are out."),
    ("It opens at 2 pm.", "Opens at 14:00."),
    ("It opens at 9 am.", "Open from 9 to 5 pm."),
    ("Open on Tuesday.", "Open Monday to Friday."),
    ("It ends on 3 March.", "It ran 1-3 March 2024."),
    ("It starts on 1 March 2024.", "It runs 1-3 March 2024."),
    ("It ends on 01/05/2024.", "It ends on 1 May 2024."),
    ("You may ask in May.", "Ask in May."),
    ("The budget for 2025 is fixed.", "Budget FY2025: fixed"),
    # Names.
    ("Ms Calder approves travel.", "Ines Calder approves travel."),
    ("Please ask Ines Calder.", "Calder is to be asked."),
    ("Please ask Calder's team.", "Ask the team of Ines Calder."),
    ("It follows European Central Bank rules.", "It follows ECB rules."),
    ("It follows ECB rules.", "It follows the rules of the European Central Bank."),
    ("Contact Human Resources for this.", "Contact HR for this."),
    ("See ABC-123 for more.", "Ticket ABC-123 has more."),
    ("It needs v2.1 of the tool.", "It needs version 2.1 of the tool."),
    ("Write to help@example.org.", "Mail help@example.org for help."),
    ("Call (510) 889-8690.", "Phone: 510-889-8690"),
    ("Employees must badge in.", "Staff must badge in."),
    ("The German office is in Berlin.", "The office in Germany is in Berlin."),
    ("Die Kündigung muss in der Personalabteilung sein.", "Kündigungen gehen an das Büro."),
    ("Contractors get Wi-Fi access.", "contractors get wi-fi access"),
    # Polarity.
    ("Visitors must sign in.", "All visitors must sign in at the desk."),
    ("Visitors must not smoke.", "Visitors must not smoke."),
    ("Pets are not allowed.", "Pets are prohibited."),
    ("Overtime is not only paid but also recorded.", "Overtime is paid and recorded."),
    ("Approval is not needed.", "No approval is needed."),
    ("Sales increased by 5%.", "Sales rose by 5%."),
    ("The old rule applies before June 2024.", "The new rule applies after June 2024."),
    ("Employees may work remotely.", "Employees may work remotely but may not work abroad."),
    ("Leave can be carried over.", "Leave can be carried over unless it was not requested."),
    ("At least 5 people must attend.", "A minimum of 5 people must attend."),
]

DISAGREEING = [
    ("Invoices are paid within 30 days.", "Invoices are paid within 45 days.", "number", "30 days"),
    ("Invoices are due in 30 days.", "Within forty-five (45) days we pay.", "number", "30 days"),
    ("The grant is EUR 300.", "The grant is USD 300.", "unit", "EUR 300"),
    ("The grant is $300.", "The grant is 300 EUR.", "unit", "$300"),
    ("Notice is 3 weeks.", "Notice is 14 days.", "number", "3 weeks"),
    ("Sessions last 30 minutes.", "Sessions last 30 hours.", "unit", "30 minutes"),
    ("The limit is 10,000 files.", "The limit is 1,000 files.", "number", "10,000"),
    ("Growth was 15%.", "Growth was 1.5%.", "number", "15%"),
    ("**999** million rows are kept.", "67 million rows are kept.", "number", "999** million"),
    ("The grant is €1.5 million.", "The grant is €1.5 billion.", "number", "€1.5 million"),
    ("Pay within 30 business days.", "Pay within 30 calendar days.", "unit", "30 business days"),
    ("Two approvers are needed.", "Three approvers are needed.", "number", "Two"),
    ("The plan has level 4 support.", "The plan has level 3 support.", "number", "4"),
    ("Reports are due weekly.", "Reports are due every month.", "unit", "weekly"),
    ("At least 5 guests may attend.", "At most 5 guests may attend.", "number", "5"),
    ("Es dauert 20 Tage.", "Es dauert 30 Tage.", "number", "20 Tage"),
    ("Parental leave covers 30 days.",
     "Parental leave covers 45 days.\n\nStaff enjoy gym access.\n\nSick pay: 30 days.",
     "number", "30 days"),
    ("Sear it for 2 minutes.", "Sear it for 1 minute. 2 Turn it over.", "number", "2 minutes"),
    ("The site is over 13,100 years old.", "The site is over 13,000 years old.", "number",
     "13,100 years"),
    ("It needs at least 5 hours of sun.", "It needs at least 6 hours of sun.", "number", "5 hours"),
    ("It began on 5 Jan 2024.", "It began on 6 Jan 2024.", "date", "5 Jan 2024"),
    ("It began in March.", "It began in May.", "date", "March"),
    ("It began in March 2024.", "It began in May 2024.", "date", "March 2024"),
    ("It was founded in 1998.", "It was founded in 1989.", "date", "1998"),
    ("Es begann im März 2024.", "Es begann im Mai 2024.", "date", "März 2024"),
    ("Results for Q3 2025 are out.", "Results for Q2 2025 are out.", "date", "Q3 2025"),
    ("It opens at 2 pm.", "It opens at 3 pm.", "date", "2 pm"),
    ("It is shut on Tuesday.", "It is shut on Thursday.", "date", "Tuesday"),
    ("It began on 5 January 2024.", "It began in January 2024.", "date", "5 January 2024"),
    ("Calder approves travel.", "Okafor approves travel.", "name", "Calder"),
    ("Please ask Ines Calder.", "Please ask Ben Okafor.", "name", "Ines Calder"),
    ("Please ask Ben Calder.", "Please ask Ines Calder.", "name", "Ben Calder"),
    ("Please ask Ines Okafor.", "Please ask Ines Calder.", "name", "Ines Okafor"),
    ("See ABC-124 for more.", "See ABC-123 for more.", "name", "ABC-124"),
    ("It needs v2.2 of the tool.", "It needs v2.1 of the tool.", "name", "v2.2"),
    ("Write to help@example.org.", "Write to sales@example.org.", "name", "help@example.org"),
    ("The office is in Berlin.", "The office is in Bonn.", "name", "Berlin"),
    ("It runs on AWS.", "It runs on GCP.", "name", "AWS"),
    ("Visitors must not sign in.", "Visitors must sign in.", "negation", "not"),
    ("Visitors must sign in.", "Visitors must not sign in.", "negation", "sign"),
    ("Visitors must never smoke here.", "Visitors may smoke here.", "negation", "never"),
    ("Staff may not work remotely.", "Staff may work remotely up to three days a week with the"
     " written approval of their manager.", "negation", "not"),
    ("No refunds are given.", "Refunds are given.", "negation", "No"),
    ("Sales increased by 5%.", "Sales decreased by 5%.", "negation", "increased"),
    ("Pets are allowed in offices.", "Pets are prohibited in offices.", "negation", "allowed"),
    ("Badges are returned before noon.", "Badges are returned after noon.", "negation", "before"),
    ("Hunde sind im Büro nicht erlaubt.", "Hunde sind im Büro erlaubt.", "negation", "nicht"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "evidence"), AGREEING)
def test_the_same_fact_said_otherwise_agrees(claim: str, evidence: str) -> None:
    assert agreement(claim, evidence).disagreements == ()


@pytest.mark.parametrize(("claim", "evidence", "kind", "words"), DISAGREEING)
def test_a_changed_fact_disagrees_at_its_words(
    claim: str, evidence: str, kind: str, words: str
) -> None:
    found = agreement(claim, evidence).disagreements
    assert [(d.kind, d.claim_span.of(claim)) for d in found] == [(kind, words)]


@pytest.mark.parametrize("text", sorted({side for pair in AGREEING for side in pair}))
def test_every_text_agrees_with_itself(text: str) -> None:
    assert agreement(text, text).holds


@pytest.mark.parametrize(("claim", "evidence", "kind", "words"), DISAGREEING)
def test_a_claim_within_longer_evidence_agrees(
    claim: str, evidence: str, kind: str, words: str
) -> None:
    del kind, words, evidence
    assert agreement(claim, f"Foreword of the guide.\n\n{claim}\n\nFurther notes follow.").holds


def test_empty_claim_and_empty_evidence_do_not_raise() -> None:
    assert agreement("", "").holds
    assert agreement("", "Something.").holds
    assert not agreement("It costs 40 EUR.", "").holds


def test_a_claim_with_too_many_facts_to_compare_does_not_pass() -> None:
    claim = " ".join(f"{i} kg" for i in range(100))
    assert not agreement(claim, claim).holds


@pytest.mark.parametrize(
    "text",
    ["1" * 20_000, "a-" * 10_000, "a." * 10_000, "z" * 20_000, "(123) 456-" * 2_000, "a@" * 9_000],
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    # Quadratic reading of these took 2 to 24 seconds.
    started = time.process_time()
    facts(text)
    assert time.process_time() - started < 1.5


def test_several_disagreements_come_in_the_order_of_the_claim() -> None:
    found = agreement(
        "Ines Calder pays EUR 30 by 5 May 2024.", "Ben Okafor pays EUR 40 by 6 May 2024."
    ).disagreements
    assert [d.kind for d in found] == ["name", "number", "date"]


def test_facts_are_found_with_their_places() -> None:
    text = "- **Ms Calder** pays 2,5 Mio. EUR on 5 May 2024 at 9:30 (see ABC-123)."
    found = facts(text)
    assert [n.span.of(text) for n in found.names] == ["Calder", "ABC-123"]
    assert [q.values for q in found.quantities] == [(2_500_000.0,)]
    assert [q.unit.name for q in found.quantities if q.unit] == ["EUR"]
    assert [d.span.of(text) for d in found.dates] == ["5 May 2024"]
    assert [c.minutes for c in found.clocks] == [570]


def test_judging_moves_no_position() -> None:
    text = "# Title\n1. **bold** – “quoted” [3]"
    judged = facts(text).judged
    assert len(judged) == len(text)
    assert Span(text.index("bold"), text.index("bold") + 4).of(judged) == "bold"
