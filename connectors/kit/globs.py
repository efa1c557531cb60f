"""Globs over keys: which documents a silo offers, and to whom.

Keys are `/`-separated and case-sensitive. `*` and `?` stay within one part, `**` is any number of
whole parts, `[a-z]` and `[!a-z]` are one character of a set. `**/x` is `x` at any depth, `x/**` is
everything below `x`, not `x` itself.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from rag.domain.document import EVERYONE, Access

_NOTHING: Final = re.compile(r"(?!)")
_TAG_CHARS: Final = 8


def glob_regex(glob: str) -> str:
    """The regular expression that matches, in full, exactly the keys that `glob` means."""
    parts = glob.strip("/").split("/")
    pieces: list[str] = []
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            pieces.append(".+" if last else "(?:.+/)?")
        else:
            pieces.append(_part_regex(part) + ("" if last else "/"))
    return "".join(pieces)


def _part_regex(part: str) -> str:
    first, *others = _pieces(part)
    if not others:
        return first
    # A piece between two stars is taken at its first place and for good (an atomic group): a
    # later place never matches more, and going back would take for ever on a long name.
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1] if piece)
    return f"{first}{middle}[^/]*{others[-1]}"


def _pieces(part: str) -> list[str]:
    """Regular expressions of what stands between the stars."""
    pieces, i = [""], 0
    while i < len(part):
        char = part[i]
        end = part.find("]", i + 2 + part.startswith("!", i + 1)) if char == "[" else -1
        if char == "*":
            pieces.append("")
        elif end > 0:
            pieces[-1] += _set_regex(part[i + 1 : end])
            i = end
        else:
            pieces[-1] += "[^/]" if char == "?" else re.escape(char)
        i += 1
    return pieces


def _set_regex(members: str) -> str:
    negated = members.startswith("!")
    body = re.sub(r"([\\\[\]^&~|])", r"\\\1", members[negated:])
    # The slash is never a member: sets stay within one part, as stars do.
    return f"(?!/)[{'^' if negated else ''}{body}]"


def compile_globs(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern that fully matches a key when any of `globs` does; none match nothing."""
    if not globs:
        return _NOTHING
    # DOTALL: a name may hold a newline.
    return re.compile("|".join(f"(?:{glob_regex(glob)})" for glob in globs), re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class KeyFilter:
    """Which keys count: matched by `include`, and neither they nor a folder above by `exclude`."""

    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ()

    def admits(self, key: str) -> bool:
        """Whether a document of this key is offered."""
        return self._includes(key) and self._excluded.fullmatch(key) is None

    def prunes(self, folder: str) -> bool:
        """Whether nothing in or below `folder` can be offered, so that it is never opened."""
        return self._pruned.fullmatch(folder) is not None

    @cached_property
    def name_test(self) -> Callable[[str], bool]:
        """Whether an `exclude` of the form `**/name` matches a name: the fast half for a walk."""
        names = [glob.removeprefix("**/") for glob in self.exclude if _is_name_glob(glob)]
        prefixes = tuple(name[:-1] for name in names if name.endswith("*") and _plain(name[:-1]))
        suffixes = tuple(name[1:] for name in names if name.startswith("*") and _plain(name[1:]))
        literals = frozenset(name for name in names if _plain(name))
        known = {*literals, *(p + "*" for p in prefixes), *("*" + s for s in suffixes)}
        others = compile_globs([name for name in names if name not in known])
        other = others.fullmatch if others is not _NOTHING else None

        def excludes(name: str) -> bool:
            # Several times as fast as one regular expression for them all.
            return (
                name.startswith(prefixes)
                or name.endswith(suffixes)
                or name in literals
                or (other is not None and other(name) is not None)
            )

        return excludes

    @cached_property
    def selects(self) -> Callable[[str], bool] | None:
        """The slow half: whether a key in a folder that is not pruned is offered, given that
        `name_test` does not exclude it. None when all are.
        """
        keys = [glob for glob in self.exclude if not (_is_name_glob(glob) or glob.endswith("/**"))]
        excluded = compile_globs(keys)
        if "**" in self.include and not keys:
            return None
        return lambda key: self._includes(key) and excluded.fullmatch(key) is None

    def _includes(self, key: str) -> bool:
        return self._included.fullmatch(key) is not None

    @cached_property
    def _included(self) -> re.Pattern[str]:
        return compile_globs(self.include)

    @cached_property
    def _excluded(self) -> re.Pattern[str]:
        return re.compile(f"(?:{compile_globs(self.exclude).pattern})(?:/.*)?", re.DOTALL)

    @cached_property
    def _pruned(self) -> re.Pattern[str]:
        folders = [glob.removesuffix("/**") for glob in self.exclude]
        return re.compile(f"(?:{compile_globs(folders).pattern})(?:/.*)?", re.DOTALL)


def _plain(text: str) -> bool:
    return bool(text) and not any(char in "*?[" for char in text)


def _is_name_glob(glob: str) -> bool:
    name = glob.removeprefix("**/")
    return glob.startswith("**/") and "/" not in name and name != "**"


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """Who may read which keys: the first rule whose glob matches names the groups.

    Without a match nobody may, unless the silo is open to all.
    """

    rules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    open_to_all: bool = False
    _compiled: tuple[tuple[re.Pattern[str], Access, str], ...] = field(
        init=False, repr=False, compare=False
    )
    _default: tuple[Access, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        compiled = tuple(
            (compile_globs([glob]), *_tagged(frozenset(groups))) for glob, groups in self.rules
        )
        object.__setattr__(self, "_compiled", compiled)
        default = frozenset({EVERYONE}) if self.open_to_all else frozenset[str]()
        object.__setattr__(self, "_default", _tagged(default))

    def access(self, key: str) -> Access:
        """Who may read the document of this key."""
        return self._match(key)[0]

    def tag(self, key: str) -> str:
        """A short name of that access, to put into signatures.

        Without it a changed rule would not reach documents whose content stays as it is.
        """
        return self._match(key)[1] if self._compiled else self._default[1]

    def _match(self, key: str) -> tuple[Access, str]:
        for pattern, access, tag in self._compiled:
            if pattern.fullmatch(key) is not None:
                return access, tag
        return self._default


def _tagged(groups: frozenset[str]) -> tuple[Access, str]:
    named = "\0".join(sorted(groups)).encode("utf-8", "surrogatepass")
    return Access(groups=groups), hashlib.sha256(named).hexdigest()[:_TAG_CHARS]
