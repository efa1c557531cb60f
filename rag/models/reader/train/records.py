"""Made-up tables, lists, settings, steps and notices, with questions about what stands in them.

SQuAD has running text alone; most of what an organisation asks stands in rows and lines. Every
page is drawn from `schemas`; what is asked of it stands there once, or was left out on purpose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from rag.domain.words import Span
from rag.models.reader.train.examples import Example
from rag.models.reader.train.schemas import SCHEMAS, Field, Schema

SEED: Final = 20_261_123
RECORD: Final = "record"
STEPS: Final = "steps"
LIMITS: Final = "limits"
_ASKED_OF_A_PAGE: Final = 3
_UNANSWERED: Final = 0.3
_REVERSED: Final = 0.2
_LEADS: Final = (
    "",
    "",
    "",
    "",
    "",
    "According to the list, ",
    "Please tell me: ",
    "I need to know: ",
    "Quick question: ",
)
_MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()
_VERBS: Final = (
    "Stop,Start,Restart,Check,Clean,Open,Close,Remove,Replace,Sign,Send,Print,Scan,Unplug,Connect,"
    "Call,Inform,Save,Delete,Test,Calibrate,Lock,Label,Weigh,Fill in,Submit,Approve,Archive"
).split(",")
_OBJECTS: Final = (
    "the writer,the old sensor,the form,the valve,the main switch,the customer,the log file,the lid,"
    "the certificate,the battery,the manager,the queue,the backup,the cable,the cover,the seal,"
    "the report,the pump,the second copy,the security desk,the replica,the drawer,the badge,the filter"
).split(",")
_AIMS: Final = (
    "change the battery,restore a backup,request leave,replace a sensor,return a laptop,open an account,"
    "file a claim,move the database,order a part,calibrate a probe,release a version,report a loss"
).split(",")
_APPROVERS: Final = (
    "team lead,head of department,CFO,managing director,board,finance manager,two directors,site manager"
).split(",")


@dataclass(frozen=True, slots=True)
class _Page:
    """A text, and where the value of each field of each thing stands in it."""

    text: str
    places: dict[tuple[int, int], Span]
    names: dict[int, Span]


class _Writer:
    """Puts a text together and remembers where things went."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.places: dict[tuple[int, int], Span] = {}
        self.names: dict[int, Span] = {}

    def put(self, text: str) -> Span:
        start = self._length
        self._pieces.append(text)
        self._length += len(text)
        return Span(start, self._length)

    def page(self) -> _Page:
        return _Page("".join(self._pieces).rstrip("\n"), self.places, self.names)


def records(n: int, seed: int = SEED) -> Iterator[Example]:
    """`n` examples, the same for the same seed; one page of twenty is kept from training."""
    rng = Random(seed)
    made = 0
    page = 0
    while made < n:
        kind = rng.random()
        make = _of_steps if kind < 0.12 else _of_limits if kind < 0.2 else _of_records
        for one in make(rng, f"record page {page}"):
            yield one
            made += 1
        page += 1


def _of_records(rng: Random, article: str) -> Iterator[Example]:
    schema = rng.choice(SCHEMAS)
    names = _names(schema, rng)
    fields = rng.sample(schema.fields, rng.randint(1, len(schema.fields)))
    headers = [rng.choice(f.headers) for f in fields]
    values = [[f.value(rng) for f in fields] for _ in names]
    head = rng.choice(schema.headers)
    title = rng.choice(schema.titles)
    written = [_other_date(name, rng) for name in names]
    layout = rng.choice((_table, _table, _table, _bare, _blocks, _items, _prose))
    for _ in range(_ASKED_OF_A_PAGE):
        at, f = rng.randrange(len(names)), rng.randrange(len(fields))
        question, reverse = _question(names, values, fields, at, f, rng)
        left_out = rng.random() < _UNANSWERED
        # What is left out is the thing, or what was asked about it.
        column = left_out and len(fields) > 1 and rng.random() < 0.5
        kept = [i for i in range(len(fields)) if not (column and i == f)]
        rows = [
            (n, written[n], [values[n][i] for i in kept])
            for n in range(len(names))
            if column or not (left_out and n == at)
        ]
        page = layout(head, [headers[i] for i in kept], [fields[i] for i in kept], rows, rng)
        answer = None if left_out else page.names.get(at) if reverse else page.places.get((at, f))
        yield Example(
            set=RECORD, article=article, question=question,
            header=title if rng.random() < 0.8 else "", passage=page.text,
            answers=() if answer is None else (answer,),
        )  # fmt: skip


def _names(schema: Schema, rng: Random) -> list[str]:
    found: dict[str, None] = {}
    for _ in range(rng.randint(3, 12) * 2):
        found.setdefault(schema.name(rng))
    return list(found)[: rng.randint(3, 12)]


def _other_date(name: str, rng: Random) -> str:
    """A month as a table may write it."""
    month, _, year = name.partition(" ")
    if month in _MONTHS and year.isdigit() and rng.random() < 0.5:
        return f"{year}-{_MONTHS.index(month) + 1:02}"
    return name


def _question(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    fields: Sequence[Field],
    at: int,
    f: int,
    rng: Random,
) -> tuple[str, bool]:
    """A question, and whether it asks for the thing by its value."""
    field = fields[f]
    alone = sum(row[f] == values[at][f] for row in values) == 1
    reverse = bool(field.reverse) and alone and rng.random() < _REVERSED
    if reverse:
        text = rng.choice(field.reverse).format(v=values[at][f])
    else:
        name = names[at].lower() if rng.random() < 0.1 else names[at]
        text = rng.choice(field.asks).format(e=name)
    lead = rng.choice(_LEADS)
    return (lead + text[0].lower() + text[1:] if lead.endswith(", ") else lead + text), reverse


Rows = Sequence[tuple[int, str, Sequence[str]]]


def _table(
    head: str, headers: Sequence[str], fields: Sequence[Field], rows: Rows, rng: Random
) -> _Page:
    """As tables stand in canonical text."""
    w = _Writer()
    w.put(" | ".join((head, *headers)) + "\n")
    for n, name, values in rows:
        w.put(f"{head}: ")
        w.names[n] = w.put(name)
        for f, (header, value) in enumerate(zip(headers, values, strict=True)):
            w.put(f" | {header}: ")
            w.places[n, f] = w.put(value)
        w.put("\n")
    return w.page()


def _bare(
    head: str, headers: Sequence[str], fields: Sequence[Field], rows: Rows, rng: Random
) -> _Page:
    """As tables come out of a PDF: cells side by side, rows apart."""
    w = _Writer()
    gap = rng.choice(("\n", "\n\n"))
    w.put(" ".join((head, *headers)) + gap)
    for n, name, values in rows:
        w.names[n] = w.put(name)
        for f, value in enumerate(values):
            w.put(" ")
            w.places[n, f] = w.put(value)
        w.put(gap)
    return w.page()


def _blocks(
    head: str, headers: Sequence[str], fields: Sequence[Field], rows: Rows, rng: Random
) -> _Page:
    """As settings and forms: a line for each field."""
    w = _Writer()
    dash = rng.random() < 0.5
    for n, name, values in rows:
        w.put(f"{'- ' if dash else ''}{head.lower()}: ")
        w.names[n] = w.put(name)
        for f, (header, value) in enumerate(zip(headers, values, strict=True)):
            w.put(f"\n{'  ' if dash else ''}{header.lower()}: ")
            w.places[n, f] = w.put(value)
        w.put("\n" if dash else "\n\n")
    return w.page()


def _items(
    head: str, headers: Sequence[str], fields: Sequence[Field], rows: Rows, rng: Random
) -> _Page:
    """As list items."""
    w = _Writer()
    mark = rng.choice(("- ", "* ", "• ", ""))
    for n, name, values in rows:
        w.put(mark)
        w.names[n] = w.put(name)
        w.put(": ")
        for f, (header, value) in enumerate(zip(headers, values, strict=True)):
            w.put(("; " if f else "") + f"{header.lower()} ")
            w.places[n, f] = w.put(value)
        w.put("\n")
    return w.page()


def _prose(
    head: str, headers: Sequence[str], fields: Sequence[Field], rows: Rows, rng: Random
) -> _Page:
    """As sentences."""
    w = _Writer()
    for n, name, values in rows[:6]:
        for f, (field, value) in enumerate(zip(fields, values, strict=True)):
            before, _, after = rng.choice(field.says).partition("{v}")
            _say(w, before, name, n)
            w.places[n, f] = w.put(value)
            _say(w, after, name, n)
            w.put(" ")
        w.put("\n\n" if rng.random() < 0.3 else "")
    return w.page()


def _say(w: _Writer, text: str, name: str, n: int) -> None:
    before, found, after = text.partition("{e}")
    w.put(before)
    if found:
        w.names[n] = w.put(name)
        w.put(after)


def _of_steps(rng: Random, article: str) -> Iterator[Example]:
    """A procedure, and what comes first, last, next or before."""
    n = rng.randint(4, 8)
    verbs, objects = rng.sample(_VERBS, n), rng.sample(_OBJECTS, n)
    steps = [f"{v} {o}" for v, o in zip(verbs, objects, strict=True)]
    aim = rng.choice(_AIMS)
    w = _Writer()
    if rng.random() < 0.6:
        w.put(
            rng.choice((f"To {aim}:\n\n", f"How to {aim}\n\n", f"Follow these steps to {aim}.\n\n"))
        )
    places: list[Span] = []
    for i, step in enumerate(steps, 1):
        w.put(rng.choice((f"{i}. ",)))
        places.append(w.put(step))
        w.put(".\n")
    page = w.page()
    for _ in range(_ASKED_OF_A_PAGE):
        at = rng.randrange(n - 1)
        done = steps[at + 1][0].lower() + steps[at + 1][1:]
        asks = (
            (f"What comes first when I {aim}?", 0), (f"What is the first step to {aim}?", 0),
            (f"What is the last step when I {aim}?", n - 1), (f"How do I {aim} to begin with?", 0),
            (f"What do I do before I {done}?", at),
            (f"What comes after I {steps[at][0].lower() + steps[at][1:]}?", at + 1),
            (f"What is step {at + 1} to {aim}?", at),
        )  # fmt: skip
        question, answer = rng.choice(asks)
        yield Example(
            set=STEPS, article=article, question=question, header=f"How to {aim}",
            passage=page.text, answers=(places[answer],),
        )  # fmt: skip


def _of_limits(rng: Random, article: str) -> Iterator[Example]:
    """Who decides up to which amount: the row is found by comparing."""
    n = rng.randint(3, 5)
    limits = sorted(rng.sample([100, 200, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000], n - 1))
    who = rng.sample(_APPROVERS, n)
    form = rng.choice(("EUR {:,}", "€{}", "{:,} euros", "{}"))
    said = [form.format(limit) for limit in limits]
    head, other = rng.choice(
        (("Amount", "Approved by"), ("Order value", "Approver"), ("Cost", "Who decides"))
    )
    w = _Writer()
    w.put(f"{head} | {other}\n")
    places: list[Span] = []
    for i in range(n):
        reach = f"up to {said[i]}" if i < n - 1 else f"above {said[-1]}"
        w.put(f"{head}: {reach} | {other}: ")
        places.append(w.put(who[i]))
        w.put("\n")
    page = w.page()
    for _ in range(_ASKED_OF_A_PAGE):
        at = rng.randrange(n)
        low = limits[at - 1] if at else 0
        high = limits[at] if at < n - 1 else limits[-1] * 4
        amount = form.format(rng.randint(low // 10 + 1, high // 10) * 10)
        question = rng.choice(
            (
                "Who has to approve an order of {}?",
                "Who decides on {}?",
                "Whose approval do I need for {}?",
                "Who may sign for {}?",
            )
        ).format(amount)
        yield Example(
            set=LIMITS, article=article, question=question,
            header=rng.choice(("Approval limits", "Signing rules", "Procurement")),
            passage=page.text, answers=(places[at],),
        )  # fmt: skip
