"""The words by which questions and units are matched, whatever way figures and dates are written."""

import re
from typing import Final

from rag.domain.dates import spelt_months
from rag.domain.words import content_stems

_THOUSANDS: Final = re.compile(r"(?<=\d)[,'’](?=\d{3}(?!\d))")


def matched_stems(text: str) -> frozenset[str]:
    """Stems of the content words; thousands unseparated, months of ISO dates also as words."""
    return frozenset(content_stems(spelt_months(_THOUSANDS.sub("", text))))
