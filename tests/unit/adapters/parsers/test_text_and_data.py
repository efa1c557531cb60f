"""Plain text, code, delimited tables, JSON, XML, mail."""

from typing import Any

import pytest

from rag.domain.errors import ParseFailed, TooLarge

TEXT = b"""EXPENSES GUIDE

This guide was wrapped at some width by an editor and it goes on for several
lines so that its paragraph must be joined again by the reader, which knows
about it.

3.2 Hotel limits

- one
- two goes on
  here

Name     Limit    Note
Oslo     200      x

Overview
========

Short Lines Are No Headings

1. First
2. Second
"""


def test_text_takes_only_clear_headings(read: Any) -> None:
    assert read.kinds(read(TEXT, "guide.txt")) == [
        ("heading", "EXPENSES GUIDE"),
        (
            "paragraph",
            "This guide was wrapped at some width by an editor and it goes on for several lines so"
            " that its paragraph must be joined again by the reader, which knows about it.",
        ),
        ("heading", "3.2 Hotel limits"),
        ("list_item", "- one"),
        ("list_item", "- two goes on here"),
        ("paragraph", "Name     Limit    Note\nOslo     200      x"),
        ("heading", "Overview"),
        ("paragraph", "Short Lines Are No Headings"),
        ("list_item", "1. First"),
        ("list_item", "2. Second"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_text_in_any_encoding(read: Any, encoding: str) -> None:
    text = "Die Größe der Straße beträgt fünf Meter, sagt Müller."
    assert read(text.encode(encoding), "a.txt").text == text


def test_code_is_kept_as_it_is_and_split_at_definitions(read: Any) -> None:
    source = (
        b'"""What it does.\n\nAnd why.\n"""\n\nimport os\n\n\ndef f():\n\tx = 1\n\n\treturn x\n\n'
        b"# a note\n# on g\n\nclass G:\n    pass\n"
    )
    assert read.kinds(read(source, "m.py")) == [
        ("paragraph", '"""What it does.\n\nAnd why.\n"""'),
        ("code", "import os"),
        ("code", "def f():\n    x = 1\n\n    return x"),
        ("paragraph", "# a note\n# on g"),
        ("code", "class G:\n    pass"),
    ]
    for name in ("Dockerfile", "a.yaml", "b.SQL", "Makefile", ".gitignore"):
        assert read.kinds(read(b"run: x", name)) == [("code", "run: x")]


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (b"name,age\nann,3\nbob\n", "a.csv", "name | age\nname: ann | age: 3\nname: bob"),
        (b"a;b\n1;2;3\n", "a.csv", "a | b\na: 1 | b: 2 | 3"),
        (b"name\nann\nbob\n", "a.csv", "name\nname: ann\nname: bob"),
        (b'a,b\n"x, y","two\nlines"\n', "a.csv", "a | b\na: x, y | b: two lines"),
        (b"1,2\n3,4\n", "a.csv", "1 | 2\n3 | 4"),
        (b"a\tb\n1\t\n", "a.tsv", "a | b\na: 1"),
        ("stra\u00dfe,ort\nX-Gasse,K\u00f6ln\n".encode("utf-16"), "a.csv", "straße | ort\nstraße: X-Gasse | ort: Köln"),
        ("name;gr\u00f6\u00dfe\nM\u00fcller;12\n".encode("cp1252"), "a.csv", "name | größe\nname: Müller | größe: 12"),
        (
            ("名前,部署\n" + "田中太郎,営業部\n鈴木花子,総務部\n" * 3).encode("shift_jis"),
            "a.csv",
            "名前 | 部署\n" + "\n".join(["名前: 田中太郎 | 部署: 営業部\n名前: 鈴木花子 | 部署: 総務部"] * 3),
        ),
    ],
)  # fmt: skip
def test_delimited_rows_name_their_columns(read: Any, data: bytes, name: str, text: str) -> None:
    assert read.kinds(read(data, name)) == [("table", text)]


def test_json_leaves_name_their_path(read: Any) -> None:
    parsed = read(
        b'{"title":"Cfg","a":1.50,"b":{"c":[1,2],"d":{"e":true}},"l":[{"x":1},{"x":null}]}',
        "a.json",
    )
    assert parsed.title == "Cfg"
    assert parsed.text == (
        "title: Cfg\na: 1.50\n\nb.c: 1, 2\nb.d.e: true\n\nl[0].x: 1\nl[1].x: null"
    )  # fmt: skip
    assert read(b'{"a":1,"b":"x"}\n{"a":2}\n', "a.ndjson").text == "a: 1\nb: x\n\na: 2"


def test_xml_leaves_and_mixed_text(read: Any) -> None:
    parsed = read(
        b'<?xml version="1.0"?><cat xmlns="urn:x" v="2"><book id="1"><title>One</title><price '
        b'cur="EUR">5</price></book><book id="2"><d>Mixed <b>bold</b> tail.</d></book></cat>',
        "a.xml",
    )
    assert parsed.text == (
        "cat.v: 2\n\nbook.id: 1\nbook.title: One\nbook.price.cur: EUR\nbook.price: 5\n\n"
        "book.id: 2\nMixed bold tail."
    )


MAIL = """From: Ann <ann@x.org>
To: bob@x.org
Date: Mon, 1 Jan 2024 10:00:00 +0000
Subject: =?utf-8?q?Budget_f=C3=BCr_2024?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain; charset=utf-8

Hi Bob,

the budget is 5.

On Sun, Dec 31, 2023 at 9:00 AM Bob
<bob@x.org> wrote:
> What is the budget?
> Thanks

Ann
--B
Content-Type: text/csv
Content-Disposition: attachment; filename="../../x.csv"

a,b
--B
Content-Type: application/zip
Content-Disposition: attachment; filename="y.zip"
Content-Transfer-Encoding: base64

UEsDBA==
--B--
"""


def test_mail_has_headers_body_quotes_and_attachments(read: Any) -> None:
    parsed = read(MAIL.encode(), "a.eml")
    assert parsed.title == "Budget für 2024"
    assert [text for _, text in read.kinds(parsed)] == [
        "From: Ann <ann@x.org>\nTo: bob@x.org\nDate: Mon, 01 Jan 2024 10:00:00 +0000\n"
        "Subject: Budget für 2024",
        "Hi Bob,",
        "the budget is 5.",
        "On Sun, Dec 31, 2023 at 9:00 AM Bob\n<bob@x.org> wrote:\n> What is the budget?\n> Thanks",
        "Ann",
        "Attachment: ../../x.csv",
        "a,b",
        "Attachment: y.zip",
    ]


def test_mail_with_html_only(read: Any) -> None:
    mail = b"Subject: Hi\nContent-Type: text/html\n\n<h1>Big</h1><p>small</p>"
    assert read.kinds(read(mail, "a.eml")) == [
        ("paragraph", "Subject: Hi"),
        ("paragraph", "Big"),
        ("paragraph", "small"),
    ]


@pytest.mark.parametrize(
    ("data", "name", "media_type", "text"),
    [
        (b"<!doctype html><p>x</p>", "page", "", "x"),
        (b"<p>x</p>", "page", "text/html; charset=utf-8", "x"),
        (b"# H", "notes", "text/markdown", "H"),
        (b'{"a": 1}', "data", "", "a: 1"),
        (b"plain", "README", "", "plain"),
        (b"plain", "file.unknown", "", "plain"),
        (b"   \n", "blank.docx", "", ""),
    ],
)
def test_type_is_found_by_name_media_type_or_look(
    read: Any, data: bytes, name: str, media_type: str, text: str
) -> None:
    assert read(data, name, media_type).text == text


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png"),
        (bytes(range(256)) * 4, "a.bin"),
        (b"\x7fELF" + bytes(200), "tool"),
        (b"PK\x03\x04" + bytes(40), "a.zip"),
        (b"MZ\x00\x01" + bytes(300), "renamed.txt"),
    ],
)
def test_unsupported_types_say_so(read: Any, data: bytes, name: str) -> None:
    with pytest.raises(ParseFailed, match="unsupported type"):
        read(data, name)


def test_limits_are_errors_of_their_own(read: Any) -> None:
    with pytest.raises(TooLarge):
        read(b"word " * 100, "a.txt", text_chars_max=100)
    with pytest.raises(TooLarge):
        read(b"a,b\n" * 100, "a.csv", text_chars_max=100)
