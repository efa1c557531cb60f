"""Settings: one `sworn.toml`, overridden by `SWORN__SECTION__KEY`, checked at start.

Only `rag.wiring` and the programs at the edges read them; below that, small option values.
"""

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rag.domain.errors import ConfigError

DEFAULT_FILE: Final = "sworn.toml"
CONFIG_VARIABLE: Final = "SWORN_CONFIG"
# Chroma has no authentication: it listens on loopback, and nowhere else.
CHROMA_HOST: Final = "127.0.0.1"
# An option with one of these in its name is shown as asterisks.
SECRET_NAMES: Final = ("key", "token", "secret", "password", "credential", "header")

# What programs leave beside documents, and folders that even the owner may not read.
DEFAULT_EXCLUDE: Final = (
    "**/.*",
    "**/~$*",
    "**/*~",
    "**/*.tmp",
    "**/*.temp",
    "**/*.swp",
    "**/*.swx",
    "**/*.part",
    "**/*.crdownload",
    "**/__pycache__/**",
    "**/node_modules/**",
    "**/lost+found/**",
    "**/$RECYCLE.BIN/**",
    "**/System Volume Information/**",
    "**/Thumbs.db",
    "**/desktop.ini",
)


class Section(BaseModel):
    """A table of settings: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccessRule(Section):
    """Documents whose key matches `glob` are for members of `groups`; the first match wins."""

    glob: str = Field(description="Glob over the document's key, `**` crosses folders.")
    groups: tuple[str, ...] = Field(description='Groups that may read; "*" is everyone.')


class SiloSettings(Section):
    """One silo: where it is, what of it is read, and who may read it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Name of the silo.")
    kind: str = Field("files", description="Kind of connector.")
    root: Path = Field(description="Folder that holds the documents.")
    include: tuple[str, ...] = Field(("**",), description="Globs of keys to read.")
    exclude: tuple[str, ...] = Field(
        DEFAULT_EXCLUDE, description="Globs of keys to leave out; they win over `include`."
    )
    max_bytes: int = Field(
        50 * 2**20, ge=1, le=100_000_000, description="Larger documents are quarantined, in bytes."
    )
    open_to_all: bool = Field(False, description="Everyone may read what no access rule names.")
    access: tuple[AccessRule, ...] = Field((), description="Who may read what; default: nobody.")
    trust: float = Field(
        1.0, ge=0, le=1, description="Where documents disagree, the silo trusted more speaks first."
    )
    watch: Literal["auto", "events", "polling"] = Field(
        "auto", description="How changes are noticed; auto polls where events do not come."
    )
    poll_interval_s: float = Field(
        5.0, gt=0, le=3600, description="Pause between two listings when polling, in seconds."
    )
    reconcile_interval_s: float = Field(
        300.0, gt=0, le=86_400, description="Pause between two full reconciliations, in seconds."
    )
    delete_brake_share: float = Field(
        0.5, gt=0, le=1, description="Hold removals when more than this share vanishes at once."
    )


class ServerSettings(Section):
    """The HTTP door."""

    host: str = Field("127.0.0.1", description="Address to bind.")
    port: int = Field(8321, ge=0, le=65_535, description="Port to bind; 0 takes a free one.")
    public_url: str = Field("", description="URL under which clients reach the server.")
    body_max_bytes: int = Field(1_048_576, ge=1024, le=2**27, description="Largest body, bytes.")
    question_max_chars: int = Field(
        4_000, ge=10, le=100_000, description="Longest question, in characters."
    )
    concurrency_max: int = Field(
        8, ge=1, le=1000, description="Questions answered at once; more get 503 with Retry-After."
    )
    shutdown_s: float = Field(4.0, gt=0, le=60, description="Grace for open requests, seconds.")


class RetrievalSettings(Section):
    """How evidence is found."""

    dense_weight: float = Field(0.4, ge=0, le=1, description="Weight of vectors against BM25.")
    candidates: int = Field(200, ge=10, le=5000, description="Ids fetched from each index.")
    evidence_max: int = Field(8, ge=1, le=50, description="Passages shown to the generator.")
    per_document_max: int = Field(6, ge=1, le=50, description="Passages of one document.")
    timeout_s: float = Field(
        5.0, gt=0, le=600, description="Limit of the embedder and of the vector index, seconds."
    )
    parts_max: int = Field(
        4, ge=1, le=16, description="A question with more parts than this is asked as a whole."
    )
    exact_scan_below: int = Field(
        2_000, ge=0, le=1_000_000,
        description="Callers who may read fewer chunks than this get the exact scan.",
    )  # fmt: skip


class GeneratorSettings(Section):
    """Who writes the draft."""

    kind: Literal["extractive", "llm"] = Field(
        "extractive",
        description="`extractive` quotes the sources, `llm` lets a language model write; whatever "
        "it writes is verified, and where it fails the extractive one answers.",
    )
    model: str = Field("", description="The language model's name.")
    base_url: str | None = Field(
        None, description="Server that speaks OpenAI's protocol, e.g. `http://127.0.0.1:8000/v1`."
    )
    api_key_env: str = Field("", description="Variable of the environment that holds the key.")
    api_key_file: Path | None = Field(None, description="File that holds the key.")
    class_path: str | None = Field(
        None, description="Class of a LlamaIndex integration instead of a server, `module:Class`."
    )
    options: dict[str, Any] = Field(
        {}, description="Further fields of each request, or the arguments of `class_path`."
    )
    temperature: float = Field(0.0, ge=0, le=2, description="0 always takes the likeliest word.")
    stream: bool = Field(False, description="Ask for the output piece by piece.")
    output_tokens_max: int = Field(1_024, ge=64, le=32_768, description="Longest output.")
    context_chars_max: int = Field(
        24_000, ge=1_000, le=1_000_000, description="Characters of all passages in one prompt."
    )
    timeout_s: float = Field(60.0, gt=0, le=600, description="Limit of one call, in seconds.")
    retries: int = Field(2, ge=0, le=10, description="Further tries after a passing failure.")
    price_in: float = Field(0.0, ge=0, description="Price of a million tokens read.")
    price_out: float = Field(0.0, ge=0, description="Price of a million tokens written.")
    breaker_failures: int = Field(
        5, ge=1, le=1000, description="After so many failures in a row the model is left alone."
    )
    breaker_pause_s: float = Field(
        30.0, gt=0, le=86_400, description="For so long, in seconds; then one call tries."
    )
    proxy: str | None = Field(None, description="Address of an HTTP proxy.")
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the usual.")


class BudgetSettings(Section):
    """What one question may cost."""

    seconds: float = Field(60.0, gt=0, le=3600, description="Time of the generator, in seconds.")
    tokens: int | None = Field(None, ge=1, description="Tokens of language models; default: any.")
    cost: float | None = Field(None, ge=0, description="Money, by the prices of the generator.")


class ReaderSettings(Section):
    """The reader: does a passage answer the question, and where?"""

    model: Literal["sworn", "off"] = Field(
        "sworn", description="`sworn` (shipped), or `off`: the search alone orders the passages."
    )
    depth: int = Field(6, ge=1, le=50, description="Passages read for each part of a question.")
    weight: float = Field(0.5, ge=0, le=1, description="Weight of the reader against the search.")
    threads: int = Field(2, ge=1, le=64, description="Threads of the model runtime.")
    timeout_s: float = Field(5.0, gt=0, le=600, description="Limit of reading, in seconds.")


class EmbedderSettings(Section):
    """The embedding model."""

    model: str = Field(
        "all-MiniLM-L6-v2",
        description="`all-MiniLM-L6-v2` (installed package, English) or the folder of any "
        "sentence-transformers model, for other languages a multilingual one.",
    )
    cache_dir: Path | None = Field(
        None, description="Folder of exported models; default: `models` in the data folder."
    )
    threads: int = Field(2, ge=1, le=64, description="Threads of ONNX Runtime.")
    batch: int = Field(64, ge=1, le=256, description="Chunks embedded in one step of the vectors.")


class DirectorySettings(Section):
    """Who is who, for keys that speak for others (`X-Sworn-User`)."""

    users: dict[str, tuple[str, ...]] = Field(
        {},
        description="The groups of each user; who is not named has none, and reads what everyone may.",
    )


class VerificationSettings(Section):
    """What may leave."""

    policy: Literal["strict", "mark"] = Field(
        "strict", description="Withhold what is not supported, or mark it."
    )
    judge_timeout_s: float = Field(10.0, gt=0, le=600, description="Limit of judging, seconds.")
    vetoes: tuple[Literal["number", "unit", "date", "name", "negation"], ...] = Field(
        (),
        description="Kinds of disagreeing facts that refuse a claim alone; the others only weigh "
        "in the judge. None is right in 95 % of natural cases, so none does by default.",
    )


class JudgeSettings(Section):
    """The judge of step 7: does the evidence support the claim?"""

    model: str = Field(
        "sworn",
        description="`sworn` (shipped), `features` (no neural network, weaker), or the folder of "
        "any sentence-transformers cross-encoder.",
    )
    operating_point: Literal["risk", "warn", "block"] = Field(
        "risk",
        description="Which threshold of the calibration: `risk` keeps its stated risk, `warn` "
        "withholds 85 % of the unsupported claims, `block` is right in 85 % of what it withholds.",
    )
    windows: int = Field(2, ge=1, le=8, description="Windows of the evidence read per claim.")
    threads: int = Field(2, ge=1, le=64, description="Threads of the model runtime.")


class IngestSettings(Section):
    """Limits of reading documents."""

    parsers: int = Field(2, ge=1, le=16, description="Parser processes.")
    parser_idle_s: float = Field(
        600.0,
        ge=1,
        le=86_400,
        description="Idle parser processes end after this; the next document waits a second.",
    )
    parse_timeout_s: float = Field(60.0, gt=0, le=3600, description="Limit per document, s.")
    parse_memory_bytes: int = Field(
        2 * 2**30, ge=2**28, description="Memory limit of a parser process, in bytes."
    )
    parent_chars: int = Field(1600, ge=200, le=20_000, description="Largest parent chunk.")
    child_chars: int = Field(800, ge=100, le=10_000, description="Largest embedded chunk.")


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SWORN__", env_nested_delimiter="__"
    )

    # Where the settings were read from; children of a process are given the same file.
    _source: Path = PrivateAttr(Path(DEFAULT_FILE))

    data_dir: Path = Field(Path("state"), description="Folder for everything Sworn stores.")
    server: ServerSettings = ServerSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    generator: GeneratorSettings = GeneratorSettings()
    budget: BudgetSettings = BudgetSettings()
    reader: ReaderSettings = ReaderSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    verification: VerificationSettings = VerificationSettings()
    judge: JudgeSettings = JudgeSettings()
    ingest: IngestSettings = IngestSettings()
    directory: DirectorySettings = DirectorySettings()
    silos: tuple[SiloSettings, ...] = Field((), description="The silos to watch.")

    @field_validator("silos")
    @classmethod
    def _silo_ids_differ(cls, silos: tuple[SiloSettings, ...]) -> tuple[SiloSettings, ...]:
        ids = [silo.id for silo in silos]
        if len(set(ids)) != len(ids):
            raise ValueError("two silos have the same id")
        return silos

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The environment wins over the file, which arrives as init values.
        return env_settings, init_settings

    def silo(self, silo_id: str) -> SiloSettings:
        """The silo of that id; ConfigError when there is none."""
        for silo in self.silos:
            if silo.id == silo_id:
                return silo
        raise ConfigError(f"there is no silo {silo_id!r}", remedy="`sworn status` lists them")

    def redacted(self) -> dict[str, Any]:
        """Effective settings as plain JSON values, secrets as asterisks."""
        found = self.model_dump(mode="json")
        options: dict[str, Any] = found["generator"]["options"]
        for name in options:
            if any(part in name.casefold() for part in SECRET_NAMES):
                options[name] = "********"
        return found

    @property
    def source(self) -> Path:
        """The file that these settings were read from."""
        return self._source

    @property
    def digest(self) -> str:
        """SHA-256 of the redacted settings, as receipts name them."""
        text = json.dumps(self.redacted(), sort_keys=True, ensure_ascii=False)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def settings_path(given: str | None = None) -> Path:
    """The settings file: as given, else `SWORN_CONFIG`, else `sworn.toml` here."""
    return Path(given or os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)


def load_settings(path: Path) -> Settings:
    """Read and check the file; relative folders in it are relative to the file.

    Raises:
        ConfigError: not there, not TOML, or a value out of range; the message names the key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no settings file at {path}", remedy="`sworn init` writes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}") from exc
    try:
        settings = Settings(**values)
    except ValidationError as exc:
        raise ConfigError(f"{path}: {_first_problem(exc)}") from exc
    settings = _absolute(settings, path.resolve().parent)
    settings._source = path.resolve()  # noqa: SLF001 - set once, here
    return settings


def _first_problem(exc: ValidationError) -> str:
    error: dict[str, Any] = dict(exc.errors()[0])
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def _absolute(settings: Settings, base: Path) -> Settings:
    silos = tuple(s.model_copy(update={"root": base / s.root}) for s in settings.silos)
    cache = settings.embedder.cache_dir
    embedder = settings.embedder.model_copy(update={"cache_dir": cache and base / cache})
    files = {name: getattr(settings.generator, name) for name in ("api_key_file", "ca_file")}
    generator = settings.generator.model_copy(
        update={name: path and base / path for name, path in files.items()}
    )
    return settings.model_copy(
        update={
            "data_dir": base / settings.data_dir,
            "silos": silos,
            "embedder": embedder,
            "generator": generator,
        }
    )


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things lie in the data folder."""

    data: Path

    @property
    def catalog(self) -> Path:
        return self.data / "catalog.sqlite"

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite"

    @property
    def chroma(self) -> Path:
        return self.data / "chroma"

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def calibration(self) -> Path:
        """The thresholds of the installation's own labelled claims."""
        return self.data / "calibration.json"

    @property
    def operator_key(self) -> Path:
        """The operator's secret, readable by its owner alone."""
        return self.keys / "operator.key"

    @property
    def run(self) -> Path:
        return self.data / "run"


def model_cache(settings: Settings) -> Path:
    """Folder of exported models."""
    return settings.embedder.cache_dir or settings.data_dir / "models"
