"""Which keys a glob means."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.globs import AccessRules, KeyFilter, compile_globs
from rag.settings import DEFAULT_EXCLUDE

NAMES = st.sampled_from(["a", "b.txt", ".git", "x.tmp", "node_modules", "~$a.docx", "c~", "A"])
KEYS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
GLOBS = st.sampled_from(
    ["**", "**/.*", "**/*.tmp", "a/**", "**/node_modules/**", "a/*", "*", "**/a/b*", "**/[ab]*",
     "**/A", "b.txt", "a/**/b.txt", "**/*~", "**/~$*", "**/x*", "?", "**/?.*"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("**", ["a", "a/b", "a/b/c.txt", "line\nbreak"], []),
        ("*", ["a", "a.txt"], ["a/b"]),
        ("*.md", ["a.md", ".md"], ["a/b.md", "a.mdx", "a.MD"]),
        ("**/*.md", ["a.md", "a/b.md", "a/b/c.md"], ["a.mdx"]),
        ("docs/**", ["docs/a", "docs/a/b"], ["docs", "docsx/a", "a/docs/b"]),
        ("docs/**/*.md", ["docs/a.md", "docs/a/b/c.md"], ["docs/a.txt", "a.md"]),
        ("**/docs/**", ["docs/a", "a/docs/b", "a/b/docs/c/d"], ["docs", "a/docs", "adocs/b"]),
        ("**/.*", [".git", "a/.git"], ["a.git", "a/.git/b"]),
        ("a?c", ["abc", "a.c"], ["ac", "a/c", "abbc"]),
        ("a*b*c", ["abc", "axbxc", "abbcc", "abcbc"], ["ab/c", "acb", "abcd"]),
        ("*ab?*", ["ab1", "xabab", "ababx"], ["ab", "xab"]),
        ("**x", ["x", "ax"], ["a/x"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "Ax"]),
        ("[!a-c]x", ["dx", "!x"], ["ax", "/x"]),
        ("[]]x", ["]x"], ["x"]),
        ("[ab", ["[ab"], ["a"]),
        ("a[^b]c", ["a^c", "abc"], ["adc"]),
        ("a.b+c(d)|e", ["a.b+c(d)|e"], ["axb+c(d)|e", "e"]),
        ("/a/b/", ["a/b"], ["/a/b/"]),
        ("caf\u00e9", ["caf\u00e9"], ["cafe\u0301"]),
    ],
)
def test_glob_means(glob: str, matching: list[str], other: list[str]) -> None:
    pattern = compile_globs([glob])
    assert [key for key in matching if not pattern.fullmatch(key)] == []
    assert [key for key in other if pattern.fullmatch(key)] == []


def test_no_globs_match_nothing() -> None:
    assert compile_globs([]).fullmatch("") is None
    assert not KeyFilter(include=()).admits("a")


def test_many_stars_do_not_run_away() -> None:
    before_s = time.process_time()
    pattern = compile_globs(["**/" + "*" * 40 + "b", "*a" * 20 + "b", "**/*a*a*a*?[!b]*b"])
    assert pattern.fullmatch("a" * 255) is None
    assert time.process_time() - before_s < 0.5


def test_excluded_folder_hides_all_below() -> None:
    keys = KeyFilter(exclude=("**/.*", "build/**", "secret"))
    assert not keys.admits(".git/config")
    assert not keys.admits("a/.b/c/d")
    assert not keys.admits("build/a/b")
    assert not keys.admits("secret/a")
    assert keys.admits("build")
    assert keys.admits("a/build/b")
    assert keys.prunes("build")
    assert keys.prunes("a/.git")
    assert not keys.prunes("a/build")


@pytest.mark.parametrize(
    ("key", "offered"),
    [
        ("report.docx", True), ("~$report.docx", False), ("a/.DS_Store", False), ("a.tmp", False),
        ("a/b.swp", False), ("notes~", False), ("x/node_modules/y/z.md", False),
        ("node_modules.md", True), ("__pycache__/a.pyc", False), ("lost+found/a", False),
        ("System Volume Information/a", False), ("a/Thumbs.db", False), ("tmp", True),
    ],
)  # fmt: skip
def test_default_leaves_junk_out(key: str, offered: bool) -> None:
    assert KeyFilter(exclude=DEFAULT_EXCLUDE).admits(key) == offered


@given(KEYS, st.lists(GLOBS, max_size=3), st.lists(GLOBS, max_size=3))
def test_walk_and_single_key_agree(key: str, include: list[str], exclude: list[str]) -> None:
    keys = KeyFilter(include=tuple(include), exclude=tuple(exclude))
    assert walked(keys, key) == keys.admits(key)


def walked(keys: KeyFilter, key: str) -> bool:
    """What a walk from the root would decide, folder by folder."""
    *folders, name = key.split("/")
    for i, folder in enumerate(folders):
        if keys.name_test(folder) or keys.prunes("/".join(folders[: i + 1])):
            return False
    return not keys.name_test(name) and (keys.selects is None or keys.selects(key))


def test_first_matching_rule_wins() -> None:
    rules = AccessRules(
        rules=(("hr/public/**", ("*",)), ("hr/**", ("hr",)), ("**/*.md", ("staff", "it")))
    )
    assert rules.access("hr/public/a.md").groups == {"*"}
    assert rules.access("hr/a.md").groups == {"hr"}
    assert rules.access("a.md").groups == {"staff", "it"}


def test_without_a_rule_nobody_may_read_unless_open() -> None:
    assert AccessRules().access("a").groups == frozenset()
    assert AccessRules(open_to_all=True).access("a").groups == {"*"}
    closed = AccessRules(rules=(("a", ()),), open_to_all=True)
    assert closed.access("a").groups == frozenset()


def test_tag_names_the_access_not_the_rule() -> None:
    one = AccessRules(rules=(("a", ("x", "y")), ("b", ("y", "x")), ("c", ("xy",))))
    assert one.tag("a") == one.tag("b")
    assert len({one.tag("a"), one.tag("c"), one.tag("d")}) == 3
