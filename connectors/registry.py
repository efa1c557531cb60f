"""Which connector reads which kind of silo. A new kind is one line here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from connectors.kit.connector import Connector
from connectors.kit.globs import AccessRules
from connectors.sources.files import FileSilo, FileSiloOptions
from rag.domain.errors import ConfigError
from rag.domain.ids import SiloId


class AccessRuleSettings(Protocol):
    """Documents whose key matches `glob` are for members of `groups`."""

    @property
    def glob(self) -> str: ...
    @property
    def groups(self) -> Sequence[str]: ...


class SiloSettings(Protocol):
    """What a connector is built from; `rag.settings.SiloSettings` is one."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def include(self) -> Sequence[str]: ...
    @property
    def exclude(self) -> Sequence[str]: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def open_to_all(self) -> bool: ...
    @property
    def access(self) -> Sequence[AccessRuleSettings]: ...
    @property
    def watch(self) -> Literal["auto", "events", "polling"]: ...
    @property
    def poll_interval_s(self) -> float: ...


def build_connector(settings: SiloSettings) -> Connector:
    """The connector for a silo, not yet watching.

    Raises:
        ConfigError: no connector reads this kind.
    """
    build = KINDS.get(settings.kind)
    if build is None:
        raise ConfigError(
            f"silo {settings.id!r}: unknown kind {settings.kind!r}",
            remedy="known kinds: " + ", ".join(sorted(KINDS)),
        )
    return build(settings)


def _files(settings: SiloSettings) -> Connector:
    rules = tuple((rule.glob, tuple(rule.groups)) for rule in settings.access)
    return FileSilo(
        FileSiloOptions(
            silo=SiloId(settings.id),
            root=settings.root,
            include=tuple(settings.include),
            exclude=tuple(settings.exclude),
            max_bytes=settings.max_bytes,
            access=AccessRules(rules=rules, open_to_all=settings.open_to_all),
            watch=settings.watch,
            poll_interval_s=settings.poll_interval_s,
        )
    )


KINDS: Final[Mapping[str, Callable[[SiloSettings], Connector]]] = {"files": _files}
