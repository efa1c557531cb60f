"""What a model writes, made plain: no links, no marks, nothing hidden, nothing said of itself.

A document can be written to make an obedient model say things. The judge decides whether a claim
is supported; here goes what would do harm even where the document itself supports it, because it
acts on who reads the answer: links, images, invisible text, marks that only Sworn may set,
sentences that command a model or vouch for the answer.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rag.domain.claim import Evidence
from rag.domain.words import sentence_spans, word_spans

# Each pass can uncover what the next has to remove ("ht<b></b>tp:"); more layers are malice.
_PASSES_MAX: Final = 8

# Letters, marks and blanks by category that nobody sees: they can carry text past a reader.
_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
)
_SELECTORS: Final = range(0xE0100, 0xE01F0)
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})

# Tokens of chat templates: servers read them as control tokens even inside a message.
CONTROL_TOKENS: Final = re.compile(
    r"<[|\uff5c][^<>\n]{0,60}?[|\uff5c]>|</?s>|<</?SYS>>|\[/?INST\]|</?(?:bos|eos|pad|unk)>"
    r"|<(?:start|end)_of_turn>|<(?:begin|end)_of_(?:text|sentence)>|</?think(?:ing)?>",
    re.IGNORECASE,
)
_TERMINAL: Final = re.compile(
    r"\x1b\[[0-9;?]{0,30}[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?"
)

_TAIL: Final = ".,;:!?'\"”’»›*_`)]}|"
_RUN: Final = r"[^\s<>\"”“|`]{1,2000}"
_LABEL: Final = r"[^\W_](?:[\w-]{0,62})"
_URL: Final = re.compile(
    rf"(?<![a-z])[a-z][a-z0-9+.-]{{1,24}}:[/\\]{{1,3}}(?![\s/\\]){_RUN}"
    rf"|(?<![\w.-])www\.{_RUN}"
    rf"|(?<![\w-])(?:mailto|tel|sms|callto|facetime|skype|magnet|intent|view-source):(?!\s){_RUN}"
    rf"|(?<![\w-])(?:javascript|vbscript|livescript):(?!\s){_RUN}"
    rf"|(?<![\w-])data:(?=[a-z0-9.+-]{{0,40}}[/;,]){_RUN}"
    rf"|(?<![\w:/\\])(?://|\\\\){_LABEL}(?:\.{_LABEL}){{0,8}}[/\\]{_RUN}"
    rf"|(?<![\w:/\\])//{_LABEL}(?:\.{_LABEL}){{1,8}}"
    rf"|(?<![\w@./\\-]){_LABEL}(?:\.{_LABEL}){{0,8}}\.[^\W\d_]{{2,24}}(?::\d{{1,5}})?[/?#]{_RUN}",
    re.IGNORECASE,
)
# Code in a link is never a place to read more, wherever it stands.
_ACTIVE: Final = re.compile(
    r"(?:javascript|vbscript|livescript|data|intent|view-source):", re.IGNORECASE
)
_MARKDOWN_LINK: Final = re.compile(
    r"(!?)\[([^\[\]]{0,500})\]\(([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500}){0,3})\)"
)
_LABELLED_LINK: Final = re.compile(r"<([^<>|\s]{1,2000})\|([^<>|]{0,500})>")
_AUTOLINK: Final = re.compile(r"<([a-z][a-z0-9+.-]{1,24}:[^<>\s]{1,2000})>", re.IGNORECASE)
_DEFINITION: Final = re.compile(r"(?:^|(?<=\s))\[[^\[\]]{1,100}\]:(?=\s{0,3}\S)")

# What a comment hides goes with it, also where its end was cut off.
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|$)")
_TAG: Final = re.compile(
    r"<(/?)([a-z][\w:-]{0,40})([^<>]{0,2000})>|<[!?][^<>]{0,2000}>", re.IGNORECASE
)
_OPEN_TAG: Final = re.compile(r"<(?=/?([a-z][\w:-]{0,40})|[!?])", re.IGNORECASE)
_ELEMENTS: Final = frozenset(
    """a abbr acronym address animate annotation-xml applet area article aside audio b base basefont
    bdi bdo bgsound big blink blockquote body br button canvas caption center circle cite code col
    colgroup data datalist dd del desc details dfn dialog dir div dl dt ellipse em embed fieldset
    figcaption figure font footer foreignobject form frame frameset g h1 h2 h3 h4 h5 h6 head header
    hgroup hr html i iframe image img input ins isindex kbd keygen label legend li line link listing
    main map mark marquee math menu menuitem meta meter mi mn mo ms mtext nav nobr noembed noframes
    noscript object ol optgroup option output p param path picture plaintext polygon polyline
    portal pre progress q rb rect rp rt rtc ruby s samp script search section select set slot small
    source span strike strong style sub summary sup svg table tbody td template text textarea tfoot
    th thead time title tr track tt u ul use var video wbr xmp""".split()
)

# Numbers in brackets, and the marks that models put where they cite.
_CITATION_MARK: Final = re.compile(
    r"\[\^?\d{1,3}(?:\s{0,3}[,;\u2013-]\s{0,3}\^?\d{1,3}){0,20}\]"
    r"|【[^】]{0,120}】|〔[^〕]{0,120}〕|†\S{0,20}"
    r"|\[(?:source|passage|doc(?:ument)?|ref(?:erence)?|citation|evidence|quote)s?"
    r"(?:\s{0,3}[:#]?\s{0,3}[^\[\]]{0,40})\]"
    r"|\((?:source|passage|evidence|citation)s?\s{0,3}[:#]?\s{0,3}#?\d{1,3}"
    r"(?:\s{0,3}(?:,|and|&)\s{0,3}#?\d{1,3}){0,20}\)",
    re.IGNORECASE,
)
_RECEIPT: Final = re.compile(
    r"(?:\b(?:receipt|attestation|signature|certificate|answer|proof)s?\s{0,3}"
    r"(?:id|no\.?|number|digest|hash|key|#)?\s{0,3}[:=#]?\s{0,3})?"
    r"(?:sha-?(?:1|2|224|256|384|512)|md5|ed25519|blake2b?|blake3)\s{0,3}[:=]\s{0,3}[\w+/=.…-]{2,200}"
    r"|\b(?:receipt|attestation|signature|proof)s?\s{0,3}(?:id|no\.?|number|digest|hash|key|#)?"
    r"\s{0,3}[:=#]\s{0,3}(?=[\w+/=-]{0,40}\d)[\w+/=-]{1,200}"
    r"|\b(?:receipt|attestation)s?\s{0,3}(?:id|no\.?|number|digest|hash)\s{1,3}"
    r"(?=[\w-]{0,40}\d)[\w-]{1,200}"
    r"|\b(?:receipt|attestation)\s{1,3}(?=[0-9a-z_-]{0,20}\d)[0-9a-z_-]{6,200}"
    r"|(?<![\w/])[0-9a-f]{32,200}(?![\w/])",
    re.IGNORECASE,
)
# Only Sworn says what was checked, so these go even where a document has them.
_VERIFIED_MARK: Final = re.compile(
    r"[\u2705\u2611\u2714\u2713\U0001f512\U0001f6e1]"
    r"|[\[(]\s{0,3}(?:fact[- ]?checked|(?:not )?verified|trusted|sworn)(?:\s[^\[\]()]{0,60})?[\])]"
    r"|[\[(]\s{0,3}(?:confirmed|supported|checked)\s{0,3}[\])]"
    r"|\b(?:verdict|support score|trust score)\s{0,3}[:=]\s{0,3}[\w.]{1,20}(?:\s?%)?",
    re.IGNORECASE,
)
_VOUCHES: Final = re.compile(
    r"\b(?:this|my|our|the above|the following|the entire|the whole) (?:answer|response|reply"
    r"|output)\b.{0,40}?\b(?:verified|checked|confirmed|validated|certified|signed|accurate"
    r"|trustworthy|guaranteed)\b"
    r"|\b(?:claims?|statements?|citations?|sentences?|facts?) (?:above|below|here|in this answer)\b"
    r".{0,40}?\b(?:verified|checked|confirmed|validated|certified|true|correct|supported)\b"
    r"|\b(?:verified|checked|confirmed|validated|certified|signed|sealed|attested) (?:by|with|in)"
    r" (?:the )?(?:sworn|the judge|the verifier|the receipt)\b"
    r"|\bsworn (?:has |have |itself )?(?:verified|checked|confirmed|validated|certified|signed)\b"
    r"|\bi (?:have |can )?(?:also )?(?:verified|checked|confirm(?:ed)?|validated)\b",
    re.IGNORECASE,
)
_MODEL: Final = (
    r"(?:ais?|llms?|chat ?bots?|(?:ai|language) (?:models?|assistants?|agents?)|chatgpt|gpt)"
)
_COMMANDS: Final = re.compile(
    r"^\W*(?:[\w ]{0,40}[:!,]\s{0,3})?(?:please |now |you (?:must|should|will) |must )?(?:now )?"
    r"(?:ignore|disregard|forget|override|bypass)\b.{0,30}?\b(?:previous|prior|above|earlier"
    r"|preceding|foregoing|your|system|other)\b.{0,20}?"
    r"\b(?:instructions?|prompts?|rules|guidelines|directives?|text|context)\b"
    rf"|^\W*(?:(?:dear|hey|hello|hi|attention|to)\b[\s,:!]*(?:the |any |all )?"
    rf"(?:{_MODEL}|(?:assistant|model|agent|bot)s?)\s{{0,2}}[,:!]|{_MODEL}\s{{0,2}}[:!])"
    rf"|\b(?:attention|(?:note|notice|instructions?|message) (?:to|for))\s(?:the |any |all )?"
    rf"{_MODEL}\b"
    r"|\bsystem prompts?\b"
    r"|\b(?:you are|you're|act as|pretend to be) (?:now )?(?:an? |the )?"
    r"(?:ai|(?:large )?language model|chatbot|dan)\b"
    r"|\bas an? (?:ai|large|language) (?:language model|model|assistant|chatbot)\b"
    # The same in other languages, as far as their words for it go.
    r"|\bignorier\w*\b.{0,30}\b(?:bisherig|vorherig|obig|früher)\w*\b.{0,20}\banweisung\w*"
    r"|\b(?:ignor|oubli)\w*\b.{0,20}\b(?:instructions|consignes|règles)\b.{0,12}\bprécédent\w*"
    r"|\b(?:ignor|olvid|esque|dimentic)\w*\b.{0,20}\b(?:instruc\w+|istruzion\w+)\b.{0,12}"
    r"\b(?:anterior|previ|preceden)\w*"
    r"|\bnegeer\w*\b.{0,20}\b(?:vorige|eerdere)\b.{0,12}\binstructies\b"
    r"|\b(?:zignoruj|ignoruj)\w*\b.{0,20}\bpoprzedni\w*\b|\bönceki\b.{0,12}\btalimat\w*\b.{0,20}"
    r"\b(?:yok say|unut)\w*|игнориру\w+.{0,20}предыдущ\w+|忽略.{0,10}(?:指令|指示|说明)"
    r"|指示を?.{0,6}無視"
    r"|\b(?:an (?:das|alle|die)|pour les?|à l['’]attention des?|para (?:el|los)|per (?:il|i)|dla|voor)"
    r"\s(?:sprachmodell\w*|ki-\w+|modèles? de lang\w+|modelos? de (?:lenguaje|linguagem)"
    r"|modell[oi] linguistic[oi]|model\w* językow\w*|taalmodel\w*)",
    re.IGNORECASE,
)
# A claim is a sentence; the shape of a whole answer inside one is a forgery.
_FORGED: Final = re.compile(
    r"[\"'](?:claims?|verdicts?|citations?|receipts?|labels?|withheld)[\"']\s{0,3}:", re.IGNORECASE
)
_NEVER: Final = (_VOUCHES, _COMMANDS, _FORGED)
_BLOCK_MARK: Final = re.compile(r"^(?:(?:#{1,6}|>+|[-*+•])\s+|\|\s*(?=[^|]*$))+")
_EMPTY: Final = re.compile(
    r"\(\s*[,;:]?\s*\)|\[\s*\]|<\s*\|?\s*>|\{\s*\}|``|\*\*\s*\*\*|\"\s*\"|“\s*”"
)
_HALF: Final = re.compile("(?<=])(?=\\()|(?<=<)(?=[|\uff5c])")
_DANGLING: Final = re.compile(r"\s*[,;:](?=[.!?](?:\s|$))")
_SPACE_BEFORE: Final = re.compile(r"\s+([.,;:!?)\]](?:\s|$))")


class _Visible(dict[int, str | None]):
    """A table for `str.translate`, filled as characters come along."""

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        kept = char if char.isspace() or not is_hidden(char) else None
        self[code] = kept
        return kept


def is_hidden(char: str) -> bool:
    """Whether nobody sees it: control, format, surrogate and private characters, fillers."""
    return (
        unicodedata.category(char) in _HIDDEN_CATEGORIES
        or char in _UNSEEN
        or ord(char) in _SELECTORS
    )


_VISIBLE: Final = _Visible()


def visible(text: str) -> str:
    """`text` without what nobody sees; all white space stays as it is."""
    return _TERMINAL.sub("", text).translate(_VISIBLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """What cited passages hold, so that a claim may repeat it: their text and their links."""

    text: str
    links: frozenset[str]


def permitted_by(cited: Sequence[Evidence]) -> Permitted:
    """Words and links of the cited passages, their titles and their addresses."""
    return _permitted(tuple(f"{e.readable} {e.source.title} {e.source.uri}" for e in cited))


@lru_cache(maxsize=64)
def _permitted(texts: tuple[str, ...]) -> Permitted:
    shown = visible("\n".join(texts))
    links = (_trimmed(m.group()) for m in _URL.finditer(shown))
    folded = " ".join(shown.casefold().split())
    return Permitted(text=folded, links=frozenset(x for x in links if not _ACTIVE.match(x)))


def scrubbed(text: str, permitted: Permitted) -> str:
    """A claim in plain words on one line; empty when nothing is left that says something.

    Links go unless the cited passages hold them whole, their visible text stays. Marks of
    citations and receipts go unless the cited passages hold them; marks and sentences that vouch
    for the answer, and sentences that command a model, go in any case.
    """
    plain = unicodedata.normalize("NFC", visible(text))
    for _ in range(_PASSES_MAX):
        before = plain
        plain = _pass(plain, permitted)
        if plain == before:
            return plain if word_spans(plain) else ""
    return ""


def _pass(text: str, permitted: Permitted) -> str:
    text = " ".join(visible(html.unescape(text)).split())
    text = CONTROL_TOKENS.sub("", text)
    for _ in range(2):  # an image may stand in a link
        text = _MARKDOWN_LINK.sub(
            lambda m: _link(m.group(2), m.group(3), permitted, m.group(1)), text
        )
    text = _LABELLED_LINK.sub(lambda m: _link(m.group(2), m.group(1), permitted), text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _DEFINITION.sub("", text)
    text = _URL.sub(lambda m: _bare_link(m.group(), permitted), text)
    text = _COMMENT.sub("", text)
    text = _TAG.sub(lambda m: _tag(m, permitted), text)
    text = _OPEN_TAG.sub(lambda m: _open_tag(m, text), text)
    for marks in (_CITATION_MARK, _RECEIPT):
        text = marks.sub(lambda m: m.group() if _held(m.group(), permitted) else "", text)
    text = _VERIFIED_MARK.sub("", text)
    text = " ".join(s for s in _sentences(text) if not any(p.search(s) for p in _NEVER))
    return _tidy(text)


def _sentences(text: str) -> list[str]:
    return [span.of(text) for span in sentence_spans(text)]


def _held(mark: str, permitted: Permitted) -> bool:
    return " ".join(mark.casefold().split()) in permitted.text


def _trimmed(url: str) -> str:
    return url.rstrip(_TAIL)


def _may_stay(url: str, permitted: Permitted) -> bool:
    return _trimmed(url) in permitted.links


def _link(label: str, target: str, permitted: Permitted, image: str = "") -> str:
    """The visible text; a permitted target stands beside it, so that none hides behind words."""
    url = target.strip().split(" ", 1)[0].strip("<>")
    if image or not url or not _may_stay(url, permitted) or _trimmed(url) == _trimmed(label):
        return label
    return f"{label} ({url})"


def _bare_link(url: str, permitted: Permitted) -> str:
    if _may_stay(url, permitted):
        return url
    tail = url[len(_trimmed(url)) :]
    # A bracket that the link itself opened goes with it.
    return tail.replace(")", "", url.count("("))


def _tag(match: re.Match[str], permitted: Permitted) -> str:
    """Nothing, but for a placeholder such as `<name>` that the cited passages hold too."""
    name = (match.group(2) or "").casefold()
    bare = name and not match.group(1) and not match.group(3) and name not in _ELEMENTS
    return match.group() if bare and _held(match.group(), permitted) else ""


def _open_tag(match: re.Match[str], text: str) -> str:
    """Without its bracket what looks like the start of a tag is a word; placeholders stay."""
    name = (match.group(1) or "").casefold()
    rest = text[match.end() :]
    is_placeholder = name and name not in _ELEMENTS and rest[len(name) : len(name) + 1] == ">"
    return "<" if is_placeholder else ""


def _tidy(text: str) -> str:
    # Half a link or half a token: the claim after it could bring the other half.
    text = _HALF.sub(" ", _EMPTY.sub(" ", text))
    text = _DANGLING.sub("", _SPACE_BEFORE.sub(r"\1", " ".join(text.split())))
    return _BLOCK_MARK.sub("", text.strip()).strip()
