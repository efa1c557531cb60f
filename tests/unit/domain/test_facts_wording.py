"""Step 6 on text as people write it: abbreviations, flattened lists, headings, commands."""

import pytest

from rag.domain.extraction import facts
from rag.domain.facts import agreement

AGREEING = [
    # Units shortened or left out.
    ("Add 1/2 cup of water.", "Add 1/2 c water and stir."),
    ("Add 2 cups of stock.", "rice. 2 c. stock. 3 tsp. oil."),
    ("Add 2 tablespoons of oil.", "Add 2 T. oil to 1 tsp salt."),
    ("Add 3 tablespoons of oil.", "Add 3 spoons of oil."),
    ("Add 1 tablespoon of oil.", "Add 1 Tbs oil."),
    ("Chill it for up to 24 hours.", "Chill it for 4 hours or as long as 24. Then serve."),
    ("Start at 3 inches from the end.", "Start at 3 from the end."),
    ("Donors must be 21 to 32 years old.", "Donors are between the ages of 21 and 32 and fit."),
    # Fractions.
    ("Add 1-1/2 inches of sand.", "Add 1 1/2 inches of sand."),
    ("Add 1.5 tablespoons of cream.", "Add 1 and a half tablespoons of cream."),
    ("It takes 2.5 hours.", "It takes two and a half hours."),
    ("Trim 1/4 inch of hair.", "Trim 1/4th of an inch of hair."),
    ("Add 1/2 cup of milk.", "Add 1\u20442 cup of milk."),
    # Two units in one amount, and the same amount in another unit.
    ("At 5 feet 6 inches (168 cm), take long skis.", "At 5 feet 6 inches, take long skis."),
    ("It takes 150 minutes.", "It takes 2 hours and 30 minutes."),
    ("Wait 4 hours.", "Wait 4 or so hours."),
    ("It burns 6-12 calories.", "It burns 6-to-12 calories."),
    ("A 2-to-5-degree bevel is cut.", "Cut a 2- to 5-degree bevel."),
    ("Eat 200-calorie meals.", "Eat 5 200-calorie meals."),
    ("Windows 7/8/8.1 is needed.", "In Windows 8, open it."),
    # Signs that look alike, and numbers that only number a list.
    ("Heat it to 350°F.", "Heat it to a steady 350\u02da and wait."),
    ("A room costs $229 per day.", "1  $205 in a nursing home.2  $229 per day for a room."),
    ("A room costs $21 per hour.", "It lists care. 4  $21 per hour for an aide."),
    ("2. June Whitfield is 89 years old.", "June Whitfield, born in 1925, is 89."),
    ("A 401k plan is offered.", "A 401(k) plan is offered."),
    ("After 1 hour, raise the oven heat and continue baking 15 minutes until done.",
     "Raise the oven heat and continue baking 15 minutes until done.\n\nThe ham rests 1 hour."),
    # Ordinals.
    ("It began in the 18th century.", "It began in the eighteenth century."),
    ("It grew in the 20th century.", "It grew in the 1920's."),
    # Dates.
    ("It was on September 23, 2015.", "On Sep, 23, 2015: it was."),
    ("The hottest month is July.", "July is the hottest month."),
    ("It is warm in June.", "It is warm from May to September."),
    ("It rained on January 24th.", "It rained on Wednesday 24 th January."),
    ("Use a 1:10 solution.", "Use a 1 to 10 solution."),
    ("The median is Q2.", "The median is Q 2."),
    # Names.
    ("It needs vitamin B12.", "It needs vitamin B 12."),
    ("Open Outlook 2007.", "In Outlook 2007, click on Tools."),
    ("Find Howrse in the list.", "Look for Howrse in the list."),
    ("B. Engage in sports.", "Sports are good."),
    ("Expect Initial Side Effects Daily: You feel hungry.", "You feel hungry."),
    ("Number of years counts.", "The no. of years counts, says the Number rule."),
    ("It has (x) Number of years.", "It has no. of years."),
    ("The range (1 Tbsp oil) is set.", "The range (1 tablespoon oil) is set."),
    ("The interquartile range (IQR) splits data.", "The interquartile range splits data."),
    ("Ask J.E. Churchwell.", "Ask JE Churchwell."),
    ("Use the WiFi network.", "Use the Wi-Fi network."),
    ("Use the Wi-Fi network.", "Use the wireless network."),
    ("File the 1040EZ form.", "File the 1040EZ form here."),
    ("It is a Whole30-compliant dish.", "It is a Whole30 dish."),
    # Polarity.
    ("C corporations can issue classes of stock, S corporations cannot.",
     "C corporations can issue classes of stock, while S corporations cannot issue many classes."),
    ("Do not contain carbon bonds.", "Organic compounds contain carbon bonds."),
    ("They provide structural support for the vehicle.",
     "Shocks provide no structural support for your vehicle."),
    ("You cannot resize the photo.", "You didnt resize the photo."),
    ("Break up the meat while cooking.",
     "Break up the meat while cooking so you do not cook it in one mass."),
    # Another passage tells the same with another value.
    ("Bake the ribs with sauce for another 10 minutes.",
     "Bake the ribs with sauce for another 30 minutes.\n\nBake the ribs for 10 minutes."),
    ("Cook the burgers for 2-3 minutes on each side until brown.",
     "Cook the burgers on the first side for 3 minutes until brown.\n\nThe dip stands 2 minutes."),
]  # fmt: skip

DISAGREEING = [
    ("Add 1/3 cup of water.", "Add 1/2 c water and stir.", "1/3 cup"),
    ("Add 2 tablespoons of oil.", "Add 2 teaspoons of oil.", "2 tablespoons"),
    ("Chill it for up to 36 hours.", "Chill it for 4 hours or as long as 24. Then serve.",
     "36 hours"),
    ("Add 2.5 tablespoons of cream.", "Add 1 and a half tablespoons of cream.", "2.5 tablespoons"),
    ("At 5 feet 6 inches (178 cm), take long skis.", "At 5 feet 6 inches, take long skis.",
     "178 cm"),
    ("A room costs $228 per day.", "1  $205 in a nursing home.2  $229 per day for a room.", "$228"),
    ("It began in the 17th century.", "It began in the eighteenth century.", "17th"),
    ("It was on September 24, 2015.", "On Sep, 23, 2015: it was.", "September 24, 2015"),
    ("The hottest month is June.", "July is the hottest month.", "June"),
    ("It needs vitamin B6.", "It needs vitamin B 12.", "B6"),
    ("Open Excel 2007.", "In Outlook 2007, click on Tools.", "Open Excel"),
    ("Ben Calder approves trips.", "Ines Calder approves trips.", "Ben Calder"),
    ("The interquartile range (TMJ) splits data.", "The interquartile range splits data.", "TMJ"),
    ("Do not heat the oven.", "Heat the oven.", "not"),
    ("It does not hold water for long.", "The jar does hold water for long.", "not"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "evidence"), AGREEING)
def test_loose_wording_of_the_same_fact_agrees(claim: str, evidence: str) -> None:
    assert agreement(claim, evidence).disagreements == ()


@pytest.mark.parametrize(("claim", "evidence", "words"), DISAGREEING)
def test_loose_wording_hides_no_changed_fact(claim: str, evidence: str, words: str) -> None:
    assert [d.claim_span.of(claim) for d in agreement(claim, evidence).disagreements] == [words]


@pytest.mark.parametrize("text", sorted({side for pair in AGREEING for side in pair}))
def test_every_such_text_agrees_with_itself(text: str) -> None:
    assert agreement(text, text).holds


@pytest.mark.parametrize("text", ["9:30  Opening", "It weighs 2.5  Kilos", "Leave: 30  Days"])
def test_a_time_or_a_value_before_two_spaces_is_no_list_number(text: str) -> None:
    assert facts(text).judged == text


def test_an_amount_in_two_units_also_counts_as_one() -> None:
    found = facts("It is 5 feet 6 inches tall.").quantities
    assert [(q.values, q.is_implied) for q in found] == [
        ((5.0,), False), ((6.0,), False), ((5.5,), True),
    ]  # fmt: skip


def test_a_name_that_opens_a_command_is_loose_and_a_subject_is_not() -> None:
    assert [n.is_loose for n in facts("Open Outlook 2007.").names] == [True]
    assert [n.is_loose for n in facts("Ines Calder approves it.").names] == [False]
