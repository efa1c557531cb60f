"""The settings written out for people: a commented file to start from, and the reference."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rag.settings import AccessRule, Settings, SiloSettings

_HEAD = """# Settings of Sworn. Every line that is commented out shows a default.
# Any of them can also come from the environment: SWORN__SERVER__PORT=9000.
"""
_ACCESS = """# Who may read what: the first glob that matches wins, `**` crosses folders, and what no rule
# names is for nobody, unless `open_to_all` is true.
# access = [
#     { glob = "hr/**", groups = ["hr"] },
#     { glob = "**", groups = ["staff"] },
# ]
"""


def commented_toml(silo_id: str, root: str) -> str:
    """A settings file with one silo that everyone may read, all else as comments."""
    lines = [_HEAD, *_defaults(Settings), ""]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += [f"# [{name}]", *_defaults(section), ""]
    lines += ["[[silos]]", f"id = {json.dumps(silo_id)}", f"root = {json.dumps(root)}"]
    lines += ["open_to_all = true", _ACCESS]
    lines += [line for line in _defaults(SiloSettings) if "open_to_all" not in line]
    return "\n".join(lines) + "\n"


def _defaults(section: type[BaseModel]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        unset = field.is_required() or field.default is None
        if unset or name in ("silos", "access") or _is_section(field):
            continue
        yield f"# {name} = {_toml(field.default)}".ljust(40) + f"  # {field.description}"


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return '""'
    return json.dumps(value if isinstance(value, bool | int | float) else str(value))


def settings_markdown() -> str:
    """The reference in docs/settings.md; a test holds the file against this."""
    lines = ["# Settings", "", "Generated from the code by `make docs`; do not edit.", ""]
    lines += ["One file, `sworn.toml`; `sworn init` writes a commented one. The environment wins:"]
    lines += ["`SWORN__SERVER__PORT=9000` sets `port` in `[server]`.", ""]
    lines += _table("Top level", Settings)
    for name, field in Settings.model_fields.items():
        if _is_section(field):
            lines += _table(f"`[{name}]`", field.annotation)  # type: ignore[arg-type]
    lines += _table("`[[silos]]`", SiloSettings)
    lines += _table("`access` of a silo", AccessRule)
    return "\n".join(lines)


def _table(title: str, section: type[BaseModel]) -> list[str]:
    lines = [f"## {title}", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        if _is_section(field):
            continue
        default = "required" if field.is_required() else f"`{_toml(field.default)}`"
        kind = _type(field.annotation) + _range(field)
        lines.append(f"| `{name}` | {kind} | {default} | {field.description} |")
    return [*lines, ""]


def _type(annotation: Any) -> str:
    if get_args(annotation) and getattr(get_origin(annotation), "__name__", "") == "Literal":
        return " or ".join(f"`{a}`" for a in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"table of {_type(get_args(annotation)[1])}"
    names = {"str": "text", "Any": "values", "int": "integer", "float": "number", "bool": "true or false",
             "Path": "path", "AccessRule": "rules",
             "SiloSettings": "silos"}  # fmt: skip
    options = [a for a in get_args(annotation) if a is not type(None)] or [annotation]
    name = str(options[0].__name__)
    return names.get(name, name)


def _range(field: FieldInfo) -> str:
    words = {"ge": "from {}", "gt": "over {}", "le": "to {}", "lt": "under {}"}
    limits = [
        text.format(getattr(limit, name))
        for limit in field.metadata
        for name, text in words.items()
        if hasattr(limit, name)
    ]
    return f", {' '.join(limits)}" if limits else ""
