"""Text in a document that speaks to whoever answers questions about it, and tells them what to do.

Documents are evidence, never instructions. What commands a reader is no evidence either: it is
shown to no generator, and no claim may rest on it. The patterns look for an addressee (an
assistant, a model, "your answer") together with an order, or for marks that only a forged
conversation has. They find the plain forms, in a dozen languages, and cannot find every one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
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
    r"|助手|人工智能|大?语言模型|机器人|アシスタント|言語モデル|المساعد|مساعد|النموذج|الذكاء الاصطناعي"
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
    r"|<<\s*/?sys|[<＜\[]\s*/?(?:system|sistem\w*|système|システム\w*|系统\w*|nutzer|assistente?|助手)\s*[>＞\]]|<\|[^|\n]{1,40}\|>"
    r"|^\W*(?:neue?s?|new|nouvelle?|nuov[oa]|nuev[oa])?\s*(?:system\w+|messaggio di sistema|message système|mensaje del sistema|operating profile)\b"
    r"|^\s*(?:利用者|用户|助手|アシスタント|nutzer|usuario|utente|utilisateur|kullanıcı|asistan)\s*[:：]"
    r"|\b(?:you are (?:now|no longer)|from (?:now|here|this point) on[, ]+you|du bist (?:ab jetzt|nun|jetzt)|tu es (?:maintenant|désormais)"
    r"|ahora eres|da ora (?:sei|interpreti)|artık bir|od teraz jesteś|ты теперь|теперь ты)\b|(?:あなたの役割|你现在是|从现在起)|أنت الآن"
    r"|\b(?:stay|remain|bleib\w*|resta) in (?:that|this|the|your|der|dieser|del)? ?(?:part|role|character|rolle|personaggio)\b"
    r"|\b(?:only|one|exactly) (?:permitted |allowed )?(?:output|answer|reply|response)\b|\b(?:word for word|verbatim)\b[^.\n]{0,60}\b(?:above|document|prompt|instructions)\b"
    r"|\b(?:gets?|receives?) the (?:answer|reply)\b|\b(?:finished|final) (?:output|answer)\b"
    r"|\b(?:print|list|reveal|show|copy|repeat)\b[^.\n]{0,50}\b(?:api keys?|secrets?|passwords|tokens|signing keys|hidden instructions|other documents)\b"
    r"|\b(?:evidence|passages?|proof|preuve|beweis|beleg|dowód|kanıt|prueba|prova|prove)\s*(?:n[°o.]*|nr\.?|number|no\.)?\s*\[?[E#]?\d+\]?[^.\n]{0,90}(?:\[\d+\]|\bcite\b|\bcit\w+\b|\bzitier\w*\b)"
    r"|(?:\[\d+\]\s*){3,}|\bcite\b[^.\n]{0,30}(?:\[?\d+|\bas\b)|证据\s*\[?\d"
    r"|[{\[]\s*\"(?:status|rolle|claims|role|tool_calls?|tool|answer|citations|content)\"\s*:"
    r"|\b(?:in|to|into|with|of|at the (?:end|start|beginning) of) (?:your|every|each) (?:\w+ )?(?:answers?|repl(?:y|ies)|responses?|outputs?)\b"
    r"|\b(?:in|to|into|at the (?:end|start|beginning) of) (?:all|any) (?:\w+ )?(?:answers?|replies|responses)\b"
    r"|\byour (?:answer|reply|response|output|instructions|training|guidelines|rules)\b"
    r"|\bwhen(?:ever)? (?:you (?:are asked|answer|reply|respond|quote|cite)|(?:asked|answering))\b|\bif (?:you are|you're) an? (?:AI|assistant|(?:large )?language model|LLM|chat ?bot|machine|robot)\b"
    r"|\b(?:deine|ihre|jede|jeder|die) antwort(?:en)?\b|\bin (?:deiner|ihrer|jeder|der) antwort\b"
    r"|\b(?:ta|votre|chaque|vos|tes|la) réponses?\b|\b(?:tu|su|cada|tus|sus|la) respuestas?\b|\b(?:sua|cada|tua) respostas?\b"
    r"|\b(?:tua|vostra|sua|ogni|tue|la) rispost[ae]\b|\b(?:twoj\w*|każd\w*|swoj\w*|w) odpowied\w*|\b(?:her|bütün|tüm) (?:yanıt|cevap)\w*|\byanıt(?:ında|ın|ına|larda|larında)\b"
    r"|(?:твоё?м?|ваш\w*|кажд\w+|своё?м?|в) ответ\w*|(?:你的|您的|每次|所有|在)回答|(?:あなたの|すべての|毎回の?)(?:回答|答え)|(?:إجابتك|إجاباتك|كل إجابة|ردك)"
    r"|\b(?:already |has been |was |is )(?:checked and )?(?:verified|confirmed|certified|validated|sworn)\b[^.\n]{0,40}\b(?:by sworn|no (?:further )?check\w*|skip\w*|receipt)\b"
    r"|\bsworn[- ](?:verified|receipt|certified)\b|\breceipt\b[^.\n]{0,30}\bsha-?256\b|\bno (?:further |more )?verification (?:is )?(?:needed|required|necessary)\b"
    r"|\bbase64\b[^.\n]{0,60}\b(?:decode|follow|execute)\b|\bdecode\b[^.\n]{0,60}\bbase64\b"
    r"|!\[[^\]\n]*\]\(\s*https?://[^)\s]*[?=&{]|\]\(\s*(?:javascript|data):|<\s*(?:form|script)\b"
)
# Who a note, a task, a plea is for.
_TO_A_MACHINE: Final = (
    r"\b(?:tasks?|notes?|messages?|orders?|warnings?|instructions?|requests?|reminders?|evidence|only|hint)\b[^.\n]{0,12}\b(?:to|for)\b"
    r"(?: the| all| every| any)? (?:\w+ )?(?:models?|machines?|assistants?|AIs?|summari[sz]ers?|bots?|chatbots?|automat\w+)\b"
    r"|\b(?:auftrag|hinweis|aufgabe|zusatzaufgabe|anweisung|beleg|warnung|nachricht|bitte|notiz)\b[^.\n]{0,20}\b(?:für|an)\b (?:das|den|die|alle) \w*(?:modell|system|assistent|maschine|bot)\w*"
    r"|\b(?:encargo|tarea|nota|orden|instrucci[oó]n|mensaje|aviso|tarefa|ordem)\b[^.\n]{0,20}\b(?:para|al?|ao)\b (?:el |la |o )?\w*(?:modelo|asistente|sistema|assistente|m[aá]quina)\w*"
    r"|\b(?:tâche|note|consigne|message|ordre|instruction)\b[^.\n]{0,20}\b(?:pour|au|à)\b (?:le |la |l['’])?\w*(?:modèle|assistant|système|machine|robot)\w*"
    r"|\b(?:ordine|compito|nota|messaggio|istruzione|avviso)\b[^.\n]{0,20}\b(?:per|al)\b (?:il |la |l['’])?\w*(?:modello|assistente|sistema|macchina)\w*"
    r"|\b(?:yardımcıya|asistana|modele|sisteme)\b[^.\n]{0,20}(?:not|görev|talimat|mesaj|emir)|(?:给|致)(?:助手|模型|AI|系统|机器)|(?:モデル|アシスタント|システム|AI)(?:への|へ[:：])"
    r"|(?:للنموذج|للنظام|للمساعد|على المساعد|إلى المساعد|إلى النموذج)|(?:для|задание|сообщение|указание)[^.\n]{0,12} (?:модел\w+|ассистент\w*|систем\w+|машин\w+)"
    r"|\b(?:dla|do) (?:modelu|asystenta|systemu)\b"
    r"|(?:^|[.!?\"'“>(])\s*(?:\w+ )?(?:model|assistant|machine|AI|bot|LLM)s?\s*:\s"
    r"|\b(?:dear|kind|caro|cara|lieber?|cher|querid[oa]|drogi|sevgili|дорогой|уважаемый)\b (?:\w+ )?(?:assistant|assistente|assistent|asistente|asystenci?e?|asistan|ассистент|помощник|model|bot|AI|KI|IA)\b"
    r"|\b(?:reader|answering|language|AI) (?:models?|assistants?|machines?)\s*:"
    r"|\bneeds? no (?:judge|verification|check\w*)\b|\bil faut répondre\b|\bes ist zu antworten\b|\bsi deve rispondere\b|引用終わり|最終回答|引用结束"
    r"|</?\s*(?:evidence|documents?|context|passages?|quotation)\s*>|\b(?:documents?|context|quotation|evidence) ends? here\b|\b(?:true|real|actual) (?:request|question) of the user\b"
    r"|\b(?:every|all|any) (?:later|further|following|future) (?:turns?|answers?|messages?|repl(?:y|ies))\b|\bany (?:reply|answer) that\b"
    r"|\b(?:the )?(?:questioner|asker|user) (?:is|has been) (?:cleared|authori[sz]ed|trusted|allowed)\b"
    r"|\b(?:verdict|urteil|esito|вердикт|veredicto|sonuç|verdetto)\b[^.\n]{0,40}(?:\bsupported\b|gestützt|supportat|подтвержд|respaldad|soutenu)"
)
_COMMAND: Final = re.compile(_PLAIN + "|" + _TO_A_MACHINE, re.IGNORECASE | re.MULTILINE)
_SPOKEN_TO: Final = re.compile(_ADDRESSEE, re.IGNORECASE)
_ORDERED: Final = re.compile(_ORDER, re.IGNORECASE)
# Spoken to in passing, and told what to say: an order that only an answerer could follow.
_MACHINE: Final = re.compile(
    r"\b(?:machines?|models?|systems?|readers?|modell\w*|systeme?\w*|maschine\w*|modèles?|systèmes?|modelos?|sistemas?|modello|sistema"
    r"|modele|modeli|sistem\w*|модел\w*|систем\w*|maszyn\w*)\b|模型|システム|モデル|النظام|للنظام|نموذج",
    re.IGNORECASE,
)
_SAY: Final = re.compile(
    r"\b(?:answer\w*|repl(?:y|ies)|respond\w*|quote|repeat|cite|state that|say that|refuse prices"
    r"|antwort\w*|auskunftgebend\w*|zitier\w*|nenne|wiederhol\w*|répon\w*|répét\w*|respon\w*|contest\w*|repit\w*|rispon\w*|riport\w*|cit[ai]\w*"
    r"|odpowiad\w*|przepisa\w*|yanıt\w*|cevap\w*|göster|ответ\w*|отвеч\w*|выда\w*|repetir|repete)\b"
    r"|回答|答案|引用|答え|回答|المجيب|أجب|يجيب",
    re.IGNORECASE,
)
_SAY_OR_TELL: Final = re.compile(
    _SAY.pattern
    + r"|\b(?:says?|state|tells?|give|write|pretend|sag\w*|gib|ruf\w*|di|dic\w*|escrib\w*|dis|dites|scriv\w*|de|söyle|napisz|podaj|говор\w*|скаж\w*)\b"
    r"|说|言|قل|يقول",
    re.IGNORECASE,
)
_WHO_ASKS: Final = re.compile(
    r"\b(?:whoever|anyone who|anybody who|everyone who|if (?:anyone|anybody|somebody|someone|they)|when(?:ever)? (?:anyone|anybody|somebody|someone|a visitor)|as soon as anybody)"
    r" (?:asks?|wants?|inquires?)\b|\bquestions? (?:about|on|regarding)\b|\bfragt jemand\b|\bwer (?:danach |nach \w+ )?fragt\b|\bauf (?:jede )?fragen?\b"
    r"|\bsi alguien pregunta\b|\ba quien pregunte\b|\balla domanda\b|\ba chi chiede\b|\bsorulursa\b|\bsoranlara\b|尋ねられたら|聞かれたら|有人问|被问|问到"
    r"|(?:на|о) вопрос\w*|спрос\w+|\bquand on (?:te|vous) demande\b|\bà qui demande\b|\bna pytani\w*|يسأل|سئل",
    re.IGNORECASE,
)
_IN_QUOTES: Final = re.compile(r"[\"“”«»„「『‘][^\"“”«»„「」『』]{6,200}[\"“”«»」』’]")
# Beginnings of the words without one of which, in Latin script, no pattern holds.
_ANCHORS: Final = frozenset(
    """ai ais ki ia ii a.i. llm llms gpt bot bots answ repl resp outp assi chat copi mach syst sist mode modè modú
    summ swor prom inst jail igno disr forg over bypa evid pass proo prob cite quot  verb veri conf cert
    vali rece sha base deco role char user asks aske  whoe anyo anyb ques fina fini  exac
    tool human huma stat clai cont comp erra api secr sign hidd  cons gets    artif arti virt digi lang larg
    sear auto  engi antw anwe auft hinw aufg zusa bele frag sprac spra rege verg miss bewe vorg
    modè répo réponses répon tâch note mess ordr dema ques enca tare nota orde resp preg olvi omit modelo pruebas prue
    rispo risp doma istr dime ordi comp avvi prov odpo pyta asys dowó zign zapo pole inst yanı ceva tali kura asis yard
    soru sora dil yapa kanı sist rolün rolü artı veri urte esit vere sonu task remi requ warn order mess dear kind caro cara lieb liebe cher quer drog sevg
     stay rema blei rest print prin reve copy repe""".split()
)
_FORGED: Final = re.compile(
    r"<[<|/fs]|\[/?(?:INST|SYS|sys)|\]\(|[{\[]\s*\"|(?:\[\d+\]\s*){3}|[＜：〔]"
)
_OTHER_SCRIPT: Final = re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u3040-\u30ff\u4e00-\u9fff]")
_WORD: Final = re.compile(r"[\w.]+")
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


@lru_cache(maxsize=8_192)
def is_command(text: str) -> bool:
    """Whether a piece of text tells a reader of documents what to say or do."""
    if not _may_command(text):
        return False
    if _COMMAND.search(text):
        return True
    if _MACHINE.search(text) and _SAY.search(text) and _IN_QUOTES.search(text):
        return True
    if _WHO_ASKS.search(text) and _IN_QUOTES.search(text) and _SAY_OR_TELL.search(text):
        return True
    return any(
        _SPOKEN_TO.search(sentence) and _ORDERED.search(sentence)
        for sentence in _SENTENCE.findall(text)
    )


def _may_command(text: str) -> bool:
    """A quick look: the patterns cost a hundred times more than this, and mostly find nothing."""
    if _FORGED.search(text) or (not text.isascii() and _OTHER_SCRIPT.search(text)):
        return True
    return not _ANCHORS.isdisjoint(word[:4] for word in _WORD.findall(text.casefold()))


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
