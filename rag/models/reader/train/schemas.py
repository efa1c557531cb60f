"""What made-up records are about: kinds of things, what is known of them, and how it is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

Value = Callable[[Random], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something that is known of a thing.

    `headers` are names of the column, `asks` questions with `{e}` for the thing, `says` sentences
    with `{e}` and `{v}`. `reverse` asks for the thing by the value, where that can be asked.
    """

    headers: tuple[str, ...]
    value: Value
    asks: tuple[str, ...]
    says: tuple[str, ...]
    reverse: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A kind of thing; `titles` are what a page of such things is called."""

    titles: tuple[str, ...]
    headers: tuple[str, ...]
    name: Value
    fields: tuple[Field, ...]


_FIRST: Final = (
    "Ada Arlo Bela Bruno Carla Cem Dagny Dara Edda Emil Farah Finn Greta Hugo Ida Ines Jonas Kaya"
    " Lena Lior Mara Milan Nadia Noel Olga Oskar Pia Quentin Rosa Ruben Selma Tariq Ulla Viktor"
    " Wanda Yara Zeno Amaro Birgit Chidi Elif Goran Hanne Ivo Jaya Kofi Leila Mirko Nils Priya"
).split()
_LAST: Final = (
    "Abend Baranek Castell Dorn Eklund Farkas Grant Haug Ibsen Jarvi Keller Lindh Marek Novik Olin"
    " Petrov Quist Rahman Sorel Tamm Ueda Vidal Weller Xu Yilmaz Zander Okoro Bianchi Carver Dietz"
    " Everly Fontana Galvez Hartwig Ishii Jansson Kovac Lowell Meyer Nasser"
).split()
_SYLLABLES: Final = (
    "al ba cor dan el fer gra hal il jun kel lor mar nor os pel qua ran sol tam ur vel wes yor zan"
).split()
_CITIES: Final = (
    "Aarhus Bergen Cork Dresden Essen Faro Ghent Haifa Izmir Jena Kyoto Lyon Malaga Narvik Oulu"
    " Porto Quito Riga Split Turin Utrecht Verona Wells York Zagreb"
).split()
_MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()
_ANIMALS: Final = (
    "Otter Lynx Badger Magpie Puffin Marten Weasel Sparrow Osprey Beaver Hare Raven Swift Plover"
    " Curlew Stoat Wren Ibex Tern Gannet"
).split()
_TEAMS: Final = (
    "platform team,data team,field service,finance,legal,people team,security team,support desk,"
    "sales,facilities,quality,product team"
).split(",")
_KINDS: Final = (
    "invoices,contracts,application documents,server logs,e-mails,visitor lists,payslips,"
    "camera recordings,support tickets,drawings,test reports,backups,training records,photos"
).split(",")
_GOODS: Final = (
    "cable,probe,bracket,battery,sensor head,mast,relay,housing,filter,gateway,display,pump,"
    "flow meter,antenna,valve,charger,keyboard,monitor,dock,headset"
).split(",")
_COLOURS: Final = "red green blue black white brown yellow grey orange violet".split()


def _word(rng: Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 2, 3)))).capitalize()


def _person(rng: Random) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"


def _company(rng: Random) -> str:
    return f"{_word(rng)} {rng.choice(('Ltd', 'GmbH', 'Works', 'Logistics', 'Cloud', 'Trust', 'Bank', 'Foods', 'Council'))}"


def _money(rng: Random) -> str:
    amount = rng.choice((rng.randint(2, 99) * 10, rng.randint(1, 99) * 250, rng.randint(3, 900)))
    style = rng.randrange(5)
    return (f"EUR {amount:,}", f"€{amount}", f"{amount} euros", f"{amount}", f"USD {amount:,}")[
        style
    ]


def _date(rng: Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2019, 2028)
    name = _MONTHS[month - 1]
    styles = (
        f"{day} {name} {year}",
        f"{year}-{month:02}-{day:02}",
        f"{name} {year}",
        f"{day}.{month}.{year}",
    )
    return rng.choice(styles)


def _period(rng: Random) -> str:
    n = rng.randint(2, 36)
    return f"{n} {rng.choice(('days', 'weeks', 'months', 'years', 'hours', 'working days'))}"


def _of(choices: list[str] | str) -> Value:
    some = choices.split(",") if isinstance(choices, str) else choices
    return lambda rng: rng.choice(some)


def _count(low: int, high: int) -> Value:
    return lambda rng: str(rng.randint(low, high))


def _with(value: Value, *forms: str) -> Value:
    return lambda rng: rng.choice(forms).format(value(rng))


def _phone(rng: Random) -> str:
    return rng.choice(
        (
            f"ext. {rng.randint(200, 9999)}",
            str(rng.randint(2000, 9999)),
            f"+00 555 {rng.randint(0, 9999):04}",
        )
    )


def _hours(rng: Random) -> str:
    return f"{rng.randint(6, 10)}:{rng.choice(('00', '30'))} to {rng.randint(16, 22)}:00"


SCHEMAS: Final = (
    Schema(
        titles=("Meeting rooms", "Rooms and equipment", "Where to meet"),
        headers=("Room", "room", "Name"), name=lambda r: rng_name(r, _ANIMALS),
        fields=(
            Field(headers=("Seats", "capacity", "People", "Places"), value=_count(2, 60),
                  asks=("How many people fit into {e}?", "How many seats does the room {e} have?",
                        "What is the capacity of {e}?", "For how many people is {e}?"),
                  says=("{e} holds {v} people.", "There is room for {v} in {e}."),
                  reverse=("Which room has {v} seats?",)),
            Field(headers=("Floor", "Storey"), value=_of("ground floor,1,2,3,4,basement,5"),
                  asks=("On which floor is {e}?", "Where do I find {e}?", "Which floor is the room {e} on?"),
                  says=("{e} is on floor {v}.",)),
            Field(headers=("Equipment", "Installed"), value=_of("projector,whiteboard,video screen,two monitors,telephone,camera"),
                  asks=("What equipment does {e} have?", "What is installed in {e}?"),
                  says=("{e} is equipped with a {v}.",), reverse=("Which room has a {v}?",)),
        ),
    ),
    Schema(
        titles=("Price list", "Catalogue", "Spare parts", "Items in stock"),
        headers=("Item", "Product", "article", "Part"), name=lambda r: f"{_word(r)} {r.choice(_GOODS)}",
        fields=(
            Field(headers=("Price", "price_eur", "List price", "Unit price", "Cost"), value=_money,
                  asks=("How much does the {e} cost?", "What is the price of {e}?", "What do we charge for a {e}?",
                        "How expensive is {e}?", "What do I pay for the {e}?"),
                  says=("The {e} costs {v}.", "We sell the {e} at {v}.", "For a {e} customers pay {v}."),
                  reverse=("Which item costs {v}?",)),
            Field(headers=("Delivery", "Lead time", "Delivered in"), value=_period,
                  asks=("How long does delivery of the {e} take?", "What is the lead time of {e}?"),
                  says=("The {e} is delivered within {v}.", "Expect the {e} after {v}.")),
            Field(headers=("Order number", "SKU", "Code"), value=lambda r: f"{r.choice('ABCDKX')}{r.choice('RSTN')}-{r.randint(100, 9999)}",
                  asks=("What is the order number of the {e}?", "Which code does {e} have?"),
                  says=("Order the {e} as {v}.",), reverse=("Which product has the number {v}?", "What is {v}?")),
            Field(headers=("Stock", "In stock", "Quantity"), value=_count(0, 900),
                  asks=("How many {e} are in stock?", "How many pieces of {e} do we have?"),
                  says=("There are {v} pieces of {e} in the store.",)),
        ),
    ),
    Schema(
        titles=("Contacts", "Who does what", "Responsible people", "Roles"),
        headers=("Role", "Function", "Position"),
        name=_of("Data protection officer,Fire warden,First aider,Head of sales,Works doctor,Fleet manager,"
                 "Security officer,Treasurer,Payroll clerk,Site manager,Chief engineer,Press officer,Librarian,Ombudsperson"),
        fields=(
            Field(headers=("Name", "Person", "Held by"), value=_person,
                  asks=("Who is the {e}?", "Who works as {e}?", "Name the {e}.", "Whom do I ask for the {e}?"),
                  says=("{v} is the {e}.", "The {e} is {v}."),
                  reverse=("What is the role of {v}?", "Which position does {v} hold?")),
            Field(headers=("Phone", "Extension", "Telephone"), value=_phone,
                  asks=("What is the phone number of the {e}?", "Under which number do I reach the {e}?",
                        "Which extension does the {e} have?"),
                  says=("Call the {e} on {v}.",)),
            Field(headers=("Deputy", "Stand-in"), value=_person,
                  asks=("Who stands in for the {e}?", "Who is the deputy of the {e}?"),
                  says=("{v} stands in when the {e} is away.",)),
        ),
    ),
    Schema(
        titles=("Budget", "Plan and forecast", "Costs of the year"),
        headers=("Line", "Item", "Position", "Cost type"),
        name=_of("Travel,Salaries,Rent,Cloud servers,Marketing,Training,Consulting,Insurance,Energy,Prototypes,"
                 "Revenue services,Licences,Recruiting,Total,Repairs,Freight"),
        fields=(
            Field(headers=("Plan", "Plan 2026", "Budget", "Planned"), value=_money,
                  asks=("How much is planned for {e}?", "What is the budget for {e}?", "How much money may {e} cost?"),
                  says=("For {e} we planned {v}.", "The plan for {e} is {v}.")),
            Field(headers=("Forecast", "Forecast October", "Expected"), value=_money,
                  asks=("What does the forecast say for {e}?", "How much do we expect for {e}?"),
                  says=("By now we expect {v} for {e}.",)),
            Field(headers=("Spent", "Actual", "To date"), value=_money,
                  asks=("How much was spent on {e}?", "What did {e} cost so far?", "How much did we pay for {e}?"),
                  says=("{e} came to {v}.", "Until now {v} went into {e}.")),
        ),
    ),
    Schema(
        titles=("Milestones", "Schedule", "Project plan", "Status of the project"),
        headers=("Milestone", "Step", "Phase", "Event"),
        name=_of("Kick-off,First prototype,Field test,Series release,Audit,Acceptance test,Data migration,Launch,"
                 "Training of users,Go-live,Contract signature,Design freeze,Ten prototypes,Final report"),
        fields=(
            Field(headers=("Plan", "Planned", "Target date"), value=_date,
                  asks=("When is the {e} planned?", "What is the planned date of the {e}?", "For when was the {e} planned?"),
                  says=("The {e} is planned for {v}.",)),
            Field(headers=("Forecast", "Now expected", "Current date"), value=_date,
                  asks=("What is the current forecast for the {e}?", "When do we now expect the {e}?"),
                  says=("The {e} is now expected in {v}.",)),
            Field(headers=("Owner", "Lead", "Responsible"), value=_person,
                  asks=("Who is responsible for the {e}?", "Who leads the {e}?"),
                  says=("{v} takes care of the {e}.",), reverse=("What is {v} responsible for?",)),
        ),
    ),
    Schema(
        titles=("Retention periods", "How long we keep what", "Archive rules"),
        headers=("Kind of data", "Documents", "Record"), name=lambda r: r.choice(_KINDS).capitalize(),
        fields=(
            Field(headers=("Kept for", "Retention", "Period"), value=_period,
                  asks=("How long are {e} kept?", "For how long do we keep {e}?", "When are {e} deleted?",
                        "What is the retention period for {e}?"),
                  says=("{e} are kept for {v}.", "We delete {e} after {v}.")),
            Field(headers=("Counted from", "Starts with"), value=_of("end of the contract,creation,end of the year,last use,departure"),
                  asks=("From when is the period for {e} counted?",),
                  says=("For {e} the period begins with the {v}.",)),
        ),
    ),
    Schema(
        titles=("Services", "Service catalogue", "Systems"),
        headers=("service", "System", "name"), name=lambda r: _word(r).lower(),
        fields=(
            Field(headers=("owner", "Team", "Owned by"), value=_of(_TEAMS),
                  asks=("Which team owns {e}?", "Who is responsible for {e}?", "Whose service is {e}?"),
                  says=("{e} belongs to the {v}.", "The {v} runs {e}.")),
            Field(headers=("port", "Port"), value=_count(1024, 9999),
                  asks=("Which port does {e} use?", "On which port does {e} listen?"),
                  says=("{e} listens on port {v}.",), reverse=("Which service listens on port {v}?",)),
            Field(headers=("slo", "Availability", "SLO"), value=_of("99.9,99.95,99.99,99.5,99,98.5"),
                  asks=("What is the SLO of {e}?", "Which availability does {e} promise?"),
                  says=("{e} promises an availability of {v} percent.",)),
            Field(headers=("timeout", "timeout_s", "Time limit"), value=_with(_count(1, 90), "{}", "{} s", "{} seconds"),
                  asks=("After how long does {e} time out?", "What is the timeout of {e}?"),
                  says=("Calls of {e} are given up after {v}.",)),
            Field(headers=("replicas", "workers", "Instances"), value=_count(1, 48),
                  asks=("How many instances of {e} run?", "How many workers does {e} have?"),
                  says=("{e} runs with {v} workers.",)),
        ),
    ),
    Schema(
        titles=("Suppliers", "Our partners", "Customers", "Accounts"),
        headers=("Supplier", "customer", "Company", "Partner"), name=_company,
        fields=(
            Field(headers=("City", "Seat", "Town"), value=_of(_CITIES),
                  asks=("Where is {e} based?", "In which city is {e}?"), says=("{e} has its seat in {v}.",),
                  reverse=("Which company is in {v}?",)),
            Field(headers=("Contact", "Account manager", "Person"), value=_person,
                  asks=("Who is our contact at {e}?", "Who looks after {e}?"), says=("At {e} we talk to {v}.",)),
            Field(headers=("value_eur", "Volume", "Contract value"), value=_money,
                  asks=("How much is the contract with {e} worth?", "What is the volume of {e}?"),
                  says=("The contract with {e} is worth {v}.",), reverse=("Which contract is worth {v}?",)),
            Field(headers=("Payment", "payment_term", "Pays within"), value=_period,
                  asks=("What is the payment term of {e}?", "How long may {e} take to pay?"),
                  says=("{e} pays within {v}.",)),
            Field(headers=("Since", "Valid until", "Expires"), value=_date,
                  asks=("When does the contract with {e} end?", "Until when is the contract with {e} valid?"),
                  says=("The contract with {e} runs until {v}.",)),
        ),
    ),
    Schema(
        titles=("Computers", "Laptop models", "Devices"),
        headers=("Model", "Device", "Type"), name=lambda r: f"{_word(r)} {r.randint(2, 19)}",
        fields=(
            Field(headers=("Memory", "RAM (GB)", "memory_gb"), value=_of("8,16,32,64,8 GB,16 GB,32 GB"),
                  asks=("How much memory does the {e} have?", "What is the memory of the {e}?"),
                  says=("The {e} comes with {v} of memory.",)),
            Field(headers=("Storage", "Disk (GB)", "storage_gb"), value=_of("256,512,1024,2048,512 GB,1 TB"),
                  asks=("How much storage does the {e} have?", "How big is the disk of the {e}?"),
                  says=("Files have {v} of space on the {e}.",)),
            Field(headers=("Weight", "weight_kg"), value=_of("1.1 kg,1.4 kg,0.9 kg,2.2 kg,1.8,1.25"),
                  asks=("How heavy is the {e}?", "What does the {e} weigh?"), says=("The {e} weighs {v}.",)),
            Field(headers=("For", "Given to", "Users"), value=_of(_TEAMS),
                  asks=("Who gets the {e}?", "For whom is the {e}?"), says=("The {e} is given to the {v}.",),
                  reverse=("Which model does the {v} get?",)),
        ),
    ),
    Schema(
        titles=("Time off", "Special leave", "Days off"),
        headers=("Reason", "Occasion"),
        name=_of("Own wedding,Birth of a child,Moving house,Death of a parent,Jury duty,Silver wedding,Exam,"
                 "Blood donation,Care of a sick child,Religious holiday,Voluntary work"),
        fields=(
            Field(headers=("Days", "Time off", "Leave"), value=_with(_count(1, 12), "{}", "{} days", "{} working days"),
                  asks=("How many days off do I get for {e}?", "How long is the leave for {e}?", "{e}: how many days are free?"),
                  says=("For {e} employees are free for {v}.",)),
            Field(headers=("Proof", "Evidence"), value=_of("certificate,invitation,letter,none,medical note,register entry"),
                  asks=("What proof is needed for {e}?",), says=("{e} is shown by a {v}.",)),
        ),
    ),
    Schema(
        titles=("Opening hours", "Sites", "Offices"),
        headers=("Site", "Office", "Location"), name=_of(_CITIES),
        fields=(
            Field(headers=("Open", "Opening hours", "Hours"), value=_hours,
                  asks=("When is the office in {e} open?", "What are the opening hours of {e}?"),
                  says=("{e} is open from {v}.",)),
            Field(headers=("Employees", "Headcount", "People"), value=_count(8, 400),
                  asks=("How many people work in {e}?", "How many employees does {e} have?"),
                  says=("{v} people work in {e}.", "{e} counts {v} employees.")),
            Field(headers=("Address", "Street"), value=lambda r: f"{_word(r)} {r.choice(('Street', 'Lane', 'Road', 'Quay'))} {r.randint(1, 99)}",
                  asks=("What is the address of the office in {e}?", "Where is the {e} office?"),
                  says=("In {e} we are at {v}.",)),
            Field(headers=("Parking", "Parking spaces"), value=_count(4, 120),
                  asks=("How many parking spaces are there in {e}?",), says=("{e} has {v} places to park.",)),
        ),
    ),
    Schema(
        titles=("Wiring", "Terminals", "Connections"),
        headers=("Pin", "Terminal", "No."), name=_count(1, 24),
        fields=(
            Field(headers=("Colour", "Wire"), value=_of(_COLOURS), asks=("Which colour has the wire at terminal {e}?", "What colour is pin {e}?"),
                  says=("The {v} wire goes to terminal {e}.",), reverse=("To which terminal does the {v} wire go?",)),
            Field(headers=("Signal", "Meaning"), value=_of("supply,ground,data A,data B,alarm,shield,reset,clock,analog out"),
                  asks=("What is on terminal {e}?", "Which signal does pin {e} carry?"), says=("Terminal {e} carries {v}.",),
                  reverse=("Which terminal carries {v}?",)),
        ),
    ),
    Schema(
        titles=("Training courses", "Courses", "Seminars"),
        headers=("Course", "Title", "Seminar"),
        name=_of("First aid,Fire safety,Project basics,Python for analysts,Contract law,Negotiation,Data privacy,"
                 "Working at height,Forklift licence,Presenting,Excel,English,Soldering"),
        fields=(
            Field(headers=("Duration", "Length"), value=_period, asks=("How long does the course {e} take?", "How long is {e}?"),
                  says=("{e} takes {v}.",)),
            Field(headers=("Trainer", "Held by"), value=_person, asks=("Who teaches {e}?", "Who gives the course {e}?"),
                  says=("{v} teaches {e}.",), reverse=("Which course does {v} give?",)),
            Field(headers=("Next date", "Begins"), value=_date, asks=("When does {e} start?", "When is the next course {e}?"),
                  says=("The next {e} begins on {v}.",)),
            Field(headers=("Fee", "Price"), value=_money, asks=("What does {e} cost?", "How high is the fee for {e}?"),
                  says=("Taking part in {e} costs {v}.",)),
        ),
    ),
    Schema(
        titles=("Figures by month", "Monthly report", "Key figures"),
        headers=("month", "Month", "Period"), name=lambda r: f"{r.choice(_MONTHS)} {r.randint(2021, 2027)}",
        fields=(
            Field(headers=("employees", "Headcount", "total"), value=_count(40, 900),
                  asks=("How many employees did we have in {e}?", "What was the headcount in {e}?"),
                  says=("In {e} we were {v} employees.",)),
            Field(headers=("orders", "Orders", "New orders"), value=_count(3, 400),
                  asks=("How many orders came in in {e}?",), says=("{v} orders came in during {e}.",)),
            Field(headers=("incidents", "Outages", "Accidents"), value=_count(0, 30),
                  asks=("How many incidents were there in {e}?", "How many outages did we count in {e}?"),
                  says=("We counted {v} incidents in {e}.",)),
            Field(headers=("revenue", "Turnover"), value=_money, asks=("What was the revenue in {e}?", "How much did we turn over in {e}?"),
                  says=("Revenue reached {v} in {e}.",)),
        ),
    ),
)  # fmt: skip


def rng_name(rng: Random, names: list[str]) -> str:
    """One of the names, or a made-up one."""
    return rng.choice((rng.choice(names), _word(rng)))
