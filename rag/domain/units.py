"""Units of measure and currencies: which words name them, and how they convert."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as a point of a dimension: `base = value * factor + offset`.

    Units of different dimensions never convert; each currency is its own dimension.
    `coarse` marks calendar units whose length in days varies (month, quarter, year).
    """

    name: str
    dimension: str
    factor: float = 1.0
    offset: float = 0.0
    coarse: bool = False

    @property
    def is_currency(self) -> bool:
        """Whether amounts in it are money."""
        return self.dimension.startswith("money")


_DAY: Final = 86_400.0
_LENGTHS: Final = "length"
# name | dimension | factor | spellings, where lower-case spellings also match capitalised.
_TABLE: Final = f"""
second|time|1|second seconds sec secs sekunde sekunden
minute|time|60|minute minutes min mins minuten
hour|time|3600|hour hours hr hrs h stunde stunden std
day|time|{_DAY}|day days tag tage tagen
week|time|{7 * _DAY}|week weeks woche wochen wk wks
fortnight|time|{14 * _DAY}|fortnight fortnights
month|time|{30.4375 * _DAY}|month months monat monate monaten
year|time|{365.25 * _DAY}|year years yr yrs jahr jahre jahren
decade|time|{3652.5 * _DAY}|decade decades
millisecond|time|0.001|ms millisecond milliseconds
times|times|1|times mal
percent|percent|1|% percent pct prozent percentage
millimetre|length|0.001|mm millimeter millimeters millimetre millimetres
centimetre|length|0.01|cm centimeter centimeters centimetre centimetres zentimeter
metre|length|1|m meter meters metre metres metern
kilometre|length|1000|km kilometer kilometers kilometre kilometres kilometern
inch|length|0.0254|inch inches
foot|length|0.3048|ft foot feet
yard|length|0.9144|yard yards yd
mile|length|1609.344|mile miles mi meilen
milligram|mass|0.001|mg milligram milligrams milligramm
gram|mass|1|g gram grams gramm
kilogram|mass|1000|kg kilogram kilograms kilo kilos kilogramm
tonne|mass|1000000|tonne tonnes ton tons tonnen
pound|mass|453.592|lb lbs
ounce|mass|28.3495|oz ounce ounces
millilitre|volume|0.001|ml milliliter milliliters millilitre millilitres
litre|volume|1|l L liter liters litre litres
gallon|volume|3.78541|gallon gallons gal
cup|volume|0.236588|cup cups
tablespoon|volume|0.0147868|tablespoon tablespoons tbsp tbsps tbs tbl
teaspoon|volume|0.00492892|teaspoon teaspoons tsp tsps
pint|volume|0.473176|pint pints
quart|volume|0.946353|quart quarts
square metre|area|1|m² m2 sqm qm
square foot|area|0.092903|sqft
hectare|area|10000|ha hectare hectares hektar
acre|area|4046.86|acre acres
kilometre per hour|speed|1|km/h kmh kph
mile per hour|speed|1.609344|mph
byte|data|1|byte bytes
kilobyte|data|1e3|KB kilobyte kilobytes KiB
megabyte|data|1e6|MB megabyte megabytes MiB
gigabyte|data|1e9|GB gigabyte gigabytes GiB
terabyte|data|1e12|TB terabyte terabytes TiB
megabit per second|rate|1|Mbps Mbit/s
gigabit per second|rate|1000|Gbps Gbit/s
watt|power|1|W watt watts
kilowatt|power|1000|kW kilowatt kilowatts
megawatt|power|1e6|MW megawatt megawatts
kilowatt-hour|energy|1|kWh
calorie|food energy|1|kcal calorie calories cal
volt|voltage|1|V volt volts
hertz|frequency|1|Hz hertz
kilohertz|frequency|1e3|kHz
megahertz|frequency|1e6|MHz
gigahertz|frequency|1e9|GHz
pixel|pixel|1|px pixel pixels
degree|degree|1|° degree degrees grad
kelvin|temperature|1|K
"""
_COARSE: Final = frozenset({"month", "year", "decade"})

# Only what a currency is called in business text; `cents` and `pence` are left out.
_MONEY: Final = """
EUR|€ EUR euro euros
USD|$ US$ USD dollar dollars
GBP|£ GBP sterling quid
CHF|CHF Fr. franken francs
JPY|¥ JPY yen
INR|₹ INR rupee rupees
CNY|CNY RMB yuan
CAD|CAD C$ CA$
AUD|AUD A$ AU$
SEK|SEK
NOK|NOK
DKK|DKK
PLN|PLN
CZK|CZK
BRL|BRL R$
"""


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        name, dimension, factor, spellings = line.split("|")
        unit = Unit(name=name, dimension=dimension, factor=float(factor), coarse=name in _COARSE)
        table |= dict.fromkeys(spellings.split(), unit)
    for line in _MONEY.strip().splitlines():
        name, spellings = line.split("|")
        unit = Unit(name=name, dimension=f"money {name}")
        table |= dict.fromkeys(spellings.split(), unit)
    celsius = Unit(name="°C", dimension="temperature", offset=273.15)
    fahrenheit = Unit(name="°F", dimension="temperature", factor=5 / 9, offset=273.15 - 32 * 5 / 9)
    table |= dict.fromkeys(("°C", "℃", "celsius"), celsius)
    table |= dict.fromkeys(("°F", "℉", "fahrenheit"), fahrenheit)
    table |= {"C": celsius, "F": fahrenheit}
    table["pounds"] = Unit(name="pounds", dimension="pounds")
    table["pound"] = table["pounds"]
    table["percentage points"] = Unit(name="percentage point", dimension="percent")
    return table


_UNITS: Final = _units()
_SYMBOLS: Final = frozenset("$€£¥₹") | {"US$", "C$", "CA$", "A$", "AU$", "R$"}
_CODES: Final = frozenset(s for s, u in _UNITS.items() if u.is_currency and s.isupper())

PREFIX: Final = (
    "(?:"
    + "|".join(re.escape(s) for s in sorted(_SYMBOLS, key=len, reverse=True))
    + r"|\b(?:"
    + "|".join(sorted(_CODES))
    + r")(?![A-Za-z]))"
)
"""What may stand before an amount of money."""

# Longest first, so that `km/h` is not read as `km`; symbols need no word boundary, but in
# "2 $229" the sign belongs to what follows.
_SPELLED: Final = "|".join(
    re.escape(s) + (r"(?![\w²])" if s[-1].isalnum() else r"(?!\s?\d)" if s in _SYMBOLS else "")
    for s in sorted(_UNITS, key=len, reverse=True)
)
SUFFIX: Final = (
    r"(?:miles|kilomet(?:er|re)s) per hour\b|percentage points?|per cent\b|square (?:feet|foot|met(?:er|re)s?)\b|sq\.? ?(?:ft|m)\b"
    r"|(?:degrees?|°) ?(?:celsius|fahrenheit|[CF]\b)|" + _SPELLED
)
"""What may stand after a number; matched without regard to case, checked by `unit_named`."""

# Where another case means another thing (`5G`, `3K`): only the spelling of the table counts.
_EXACT_CASE: Final = frozenset("c f k v w l m g h mb kb gb tb mw kw mi".split())
_PHRASES: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        ("miles per hour", "mph"), (r"kilomet(?:er|re)s per hour", "km/h"),
        ("per cent", "percent"), ("percentage point", "percentage points"),
        (r"(?:square|sq) ?m", "m²"), (r"(?:square|sq) ?f", "sqft"),
        (r"(?:degrees?|°) ?c", "°C"), (r"(?:degrees?|°) ?f", "°F"),
    )
)  # fmt: skip


def unit_named(spelling: str) -> Unit | None:
    """The unit that `spelling` names, or None: then the word only looked like one."""
    if spelling in _UNITS:
        return _UNITS[spelling]
    folded = re.sub(r"[\s.]+", " ", spelling.strip().casefold())
    for pattern, name in _PHRASES:
        if pattern.match(folded):
            return _UNITS[name]
    unit = _UNITS.get(folded) or _UNITS.get(folded.upper())
    return None if unit is not None and folded in _EXACT_CASE else unit


def same_measure(one: Unit, other: Unit) -> bool:
    """Whether values in the two units can be compared at all."""
    pair = {one.dimension, other.dimension}
    return len(pair) == 1 or pair in (
        {"degree", "temperature"}, {"pounds", "mass"}, {"pounds", "money GBP"},
    )  # fmt: skip


def convert(value: float, source: Unit, target: Unit) -> float:
    """`value` of `source`, in `target`; of comparable but unconvertible units, unchanged."""
    if source.dimension == "pounds" and target.dimension == "mass":
        return value * 453.592 / target.factor
    if source.dimension == "mass" and target.dimension == "pounds":
        return value * source.factor / 453.592
    if source.dimension != target.dimension:
        return value
    return (value * source.factor + source.offset - target.offset) / target.factor


def conversions(value: float, source: Unit, target: Unit) -> tuple[float, ...]:
    """`value` of `source` in `target`, in each way it can be meant: plain degrees are °C or °F."""
    if {source.dimension, target.dimension} == {"degree", "temperature"}:
        celsius, fahrenheit = _UNITS["°C"], _UNITS["°F"]
        known = target if target.dimension == "temperature" else source
        other = fahrenheit if known.name == celsius.name else celsius
        pair = (other, known) if known is target else (known, other)
        return value, convert(value, *pair)
    return (convert(value, source, target),)


def tolerance(source: Unit, target: Unit) -> float:
    """The relative difference that is no difference: a month is 28 to 31 days."""
    if source.name == target.name:
        return 1e-6
    if source.dimension == "time":
        return 0.035 if source.coarse != target.coarse else 0.002
    return 0.05 if source.dimension == "data" else 0.01
