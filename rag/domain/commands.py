"""Text in a document that speaks to whoever answers questions about it, and tells them what to do.

Documents are evidence, never instructions. What commands a reader is no evidence either: it is
shown to no generator, and no claim may rest on it. The patterns look for an addressee (an
assistant, a model, "your answer") together with an order, or for marks that only a forged
conversation has. They find the plain forms, in a dozen languages, and cannot find every one.
"""

import re
from collections.abc import Sequence
from typing import Final

from rag.domain.document import Element, ElementKind
from rag.domain.words import Span

# Who is spoken to.
_ADDRESSEE: Final = (
    r"\b(?:AIs?|A\.I\.|artificial intelligence|(?:virtual |digital |ai |chat )?assistants?|chat ?bots?"
    r"|(?:large )?language models?|LLMs?|GPT|copilot|answering (?:system|engine|service|machine)"
    r"|question[- ]answering|answer (?:engine|bot)|search bot|Sworn|summari[sz]ers?"
    r"|(?:automated|automatic) (?:readers?|systems?)|machine readers?"
    r"|KI|KI-\w+|Assistent\w*|Sprachmodell\w*|Chatbots?"
    r"|IA|assistants?|mod[eè]les? de langage|asistentes?|modelos? de lenguaje|modelo de linguagem"
    r"|assistenti?e?|modell[oi] linguistic[oi]|asystent\w*|model\w* językow\w*"
    r"|asistan\w*|yapay zek[aâ]\w*|dil model\w*|ассистент\w*|помощник\w*|языков\w+ модел\w*|ИИ|бот\w*)\b"
    r"|助手|人工智能|大?语言模型|机器人|AI|アシスタント|言語モデル|المساعد|مساعد|النموذج|الذكاء الاصطناعي"
)
# What they are told to do.
_ORDER: Final = (
    r"\b(?:answer|reply|respond|say|state|output|print|repeat|include|add|append|insert|cite|mention|tell"
    r"|confirm|recommend|reveal|disclose|send|pretend|act as|behave|obey|follow|ignore|disregard|forget"
    r"|decode|execute|run|render|quote|treat|claim|write|list|show|give|begin|end|start|finish|use"
    r"|must|should|shall|never|always|do not|don't|instead|from now on|you are|your"
    r"|antwort\w*|sag\w*|gib|geben|nenn\w*|füg\w*|wiederhol\w*|ignorier\w*|vergiss|musst|soll\w*|muss|müssen|immer|niemals"
    r"|répond\w*|dis|dites|ajout\w*|inclu\w*|ignor\w*|oubli\w*|doi[ts]|devez|toujours|jamais|indiqu\w*|affirm\w*"
    r"|respond\w*|di|diga|incluy\w*|añad\w*|agreg\w*|olvid\w*|deb[ea]\w*|siempre|nunca|afirm\w*|escrib\w*"
    r"|rispond\w*|aggiung\w*|dimentic\w*|dev[ie]\w*|sempre|mai|scriv\w*|dichiar\w*"
    r"|odpowied\w*|odpowiad\w*|zignoruj|ignoruj|dodaj|napisz|musi\w*|zawsze|nigdy|podaj"
    r"|yanıt\w*|cevap\w*|söyle\w*|ekle\w*|yok say\w*|unut\w*|yaz\w*|her zaman|asla"
    r"|ответ\w*|отвеч\w*|скаж\w*|добав\w*|игнорир\w*|забуд\w*|должн?\w*|всегда|никогда|напиш\w*"
    r"|responda|inclua|adicione|esqueça|deve\w*)\b"
    r"|回答|回复|说|忽略|必须|应当|应该|请|添加|重复|答え|回答|無視|必ず|追加|出力|繰り返|してください|أجب|قل|تجاهل|أضف|يجب|اكتب|كرر"
)
# Enough by itself.
_PLAIN: Final = (
    r"\b(?:ignore|disregard|forget|override|bypass|overrule)\b[^.\n]{0,60}\b(?:instructions?|rules?|prompts?|guidelines?"
    r"|constraints|directions|everything above|all (?:of the )?above)\b"
    r"|\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*)\b[^.\n]{0,60}\b(?:anweisung\w*|regeln?|vorgaben?|anleitung\w*)\b"
    r"|\b(?:ignor\w+|oubli\w+)\b[^.\n]{0,60}\b(?:instructions|consignes|règles)\b"
    r"|\b(?:ignor\w+|olvid\w+|omit\w+)\b[^.\n]{0,60}\b(?:instrucciones|indicaciones|reglas|instruções|regras)\b"
    r"|\b(?:ignor\w+|dimentic\w+)\b[^.\n]{0,60}\b(?:istruzioni|regole)\b"
    r"|\b(?:z?ignoruj\w*|zapomnij)\b[^.\n]{0,60}\b(?:instrukcj\w*|poleceni\w*|zasad\w*)\b"
    r"|\b(?:talimat\w*|kural\w*)\b[^.\n]{0,40}\b(?:yok say\w*|unut\w*|dikkate alma)\b"
    r"|(?:игнорир\w+|забуд\w+)[^.\n]{0,60}(?:инструкци\w+|правил\w+|указани\w+)"
    r"|忽略[^。\n]{0,20}(?:指令|说明|规则|指示)|(?:指示|命令|ルール)[^。\n]{0,15}無視|تجاهل[^.\n]{0,40}(?:التعليمات|القواعد|الأوامر)"
    r"|\b(?:system|developer) (?:prompt|message|note|override|instruction)\b|\bprompt injection\b|\bjail ?break"
    r"|<\|?/?(?:im_start|im_end|system|assistant|user|endoftext|tool\w*|instructions?)\|?>|\[/?INST\]|\[/?SYSTEM\b"
    r"|^\s*[#>*-]*\s*(?:system|assistant|user|human|tool)(?: \w+)?\s*[:：]\s*\S"
    r"|<<<\s*/?(?:end|passage|question|claim)|\bend of (?:the )?(?:quotation|passages?|evidence|context|documents?|quoted)\b"
    r"|[{\[]\s*\"(?:claims|role|tool_calls?|tool|answer|citations|content)\"\s*:"
    r"|\b(?:in|to|into|with|of|at the (?:end|start|beginning) of) (?:your|every|each|all|any|the) (?:\w+ )?(?:answers?|repl(?:y|ies)|responses?|outputs?)\b"
    r"|\byour (?:answer|reply|response|output|instructions|training|guidelines|rules)\b"
    r"|\bwhen(?:ever)? (?:you (?:are asked|answer|reply|respond|quote|cite)|(?:asked|answering))\b|\bif (?:you are|you're) an? \w*\b"
    r"|\b(?:deine|ihre|jede|jeder|die) antwort(?:en)?\b|\bin (?:deiner|ihrer|jeder|der) antwort\b"
    r"|\b(?:ta|votre|chaque|vos|tes|la) réponses?\b|\b(?:tu|su|cada|tus|sus|la) respuestas?\b|\b(?:sua|cada|tua) respostas?\b"
    r"|\b(?:tua|vostra|sua|ogni|tue|la) rispost[ae]\b|\b(?:twoj\w*|każd\w*|swoj\w*|w) odpowied\w*|\b(?:her|bütün|tüm) (?:yanıt|cevap)\w*|\byanıt(?:ında|ın|ına|larda|larında)\b"
    r"|(?:твоё?м?|ваш\w*|кажд\w+|своё?м?|в) ответ\w*|(?:你的|您的|每次|所有|在)回答|(?:あなたの|すべての|毎回の?)(?:回答|答え)|(?:إجابتك|إجاباتك|كل إجابة|ردك)"
    r"|\b(?:already |has been |was |is )(?:checked and )?(?:verified|confirmed|certified|validated|sworn)\b[^.\n]{0,40}\b(?:by sworn|no (?:further )?check\w*|skip\w*|receipt)\b"
    r"|\bsworn[- ](?:verified|receipt|certified)\b|\breceipt\b[^.\n]{0,30}\bsha-?256\b|\bno (?:further |more )?verification (?:is )?(?:needed|required|necessary)\b"
    r"|\bbase64\b[^.\n]{0,60}\b(?:decode|follow|execute)\b|\bdecode\b[^.\n]{0,60}\bbase64\b"
    r"|!\[[^\]\n]*\]\(\s*https?://[^)\s]*[?=&{]|\]\(\s*(?:javascript|data):|<\s*(?:form|script|iframe|img)\b"
)
_COMMAND: Final = re.compile(_PLAIN, re.IGNORECASE | re.MULTILINE)
_SPOKEN_TO: Final = re.compile(_ADDRESSEE, re.IGNORECASE)
_ORDERED: Final = re.compile(_ORDER, re.IGNORECASE)
_SENTENCE: Final = re.compile(r"[^.!?。！？؟\n]+")


def commands(text: str, elements: Sequence[Element], start: int) -> tuple[Span, ...]:
    """The parts of a passage that command a reader, in order; spans in `text`.

    A paragraph or list item counts as a whole: what a command demands stands beside it. Of tables
    and code only the line counts. `elements` have spans in the version, where `text` starts at
    `start`.
    """
    found: list[Span] = []
    for element in elements:
        place = Span(max(element.span.start, start), min(element.span.end, start + len(text)))
        local = place.shifted(-start)
        by_line = element.kind in (ElementKind.TABLE, ElementKind.CODE)
        found += [
            s for s in (_lines(text, local) if by_line else [local]) if is_command(s.of(text))
        ]
    return tuple(found)


def is_command(text: str) -> bool:
    """Whether a piece of text tells a reader of documents what to say or do."""
    if _COMMAND.search(text):
        return True
    return any(
        _SPOKEN_TO.search(sentence) and _ORDERED.search(sentence)
        for sentence in _SENTENCE.findall(text)
    )


def _lines(text: str, span: Span) -> list[Span]:
    lines: list[Span] = []
    start = span.start
    for line in span.of(text).split("\n"):
        lines.append(Span(start, start + len(line)))
        start += len(line) + 1
    return lines


def blanked(text: str, hidden: Sequence[Span]) -> str:
    """The text with spaces where `hidden` is: every other character keeps its place."""
    for span in hidden:
        text = text[: span.start] + " " * len(span) + text[span.end :]
    return text
