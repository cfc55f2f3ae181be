"""What an operator may set, as one frozen object made at the edge and passed on.

Sources, the strongest first: command-line flags, `DARKROOM_*` variables (nested with `__`),
Google's own variables, `darkroom.toml`, defaults. Nothing here is read at import time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from darkroom import presets
from darkroom.presets import AccountTier
from darkroom.served import SERVED
from darkroom_manifests.tier import AUTO, Auto, Provider, Tier, TierChoice, parse_choice

_FROZEN = ConfigDict(frozen=True, extra="forbid")

Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
"""An amount in dollars, exact to a nano-dollar."""


def _no_cap(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """TOML and environment variables have no word for nothing: "none" is it."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


Cap = Annotated[Money | None, BeforeValidator(_no_cap)]
"""An amount in dollars that is not to be passed; None: no such bound."""


def _tier_choice(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    return parse_choice(value) if isinstance(value, str) else value


def _tier_names(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """An environment variable writes a list with commas."""
    names = value.split(",") if isinstance(value, str) else value
    return names and [Tier.parse(name) if isinstance(name, str) else name for name in names]


class OnLost(StrEnum):
    """What becomes of a render whose answer never came back."""

    RETRY_ONCE = "retry-once"
    HOLD = "hold"


class LogLevel(StrEnum):
    """From where on something is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line is written: for programs or for people."""

    JSON = "json"
    CONSOLE = "console"


class Limits(BaseModel):
    """What one tier may do, for the whole fleet; None means no such limit is known."""

    model_config = _FROZEN

    requests_per_minute: float | None = Field(None, gt=0)
    images_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0, description="of input")
    requests_per_day: int | None = Field(None, ge=1, description="a Pacific day")
    concurrency: int = Field(64, ge=1, le=20_000, description="requests in flight a process")
    fleet_concurrency: int | None = Field(None, ge=1, description="requests in flight together")
    spend_per_window: Money | None = None
    spend_window_seconds: float = Field(600.0, ge=60)
    batch_jobs: int | None = Field(None, ge=1, description="provider batches open together")
    batch_tokens: int | None = Field(None, ge=1, description="of input, enqueued for one model")
    adaptive: bool = Field(default=False, description="learn each model's rate from its answers")
    adaptive_start: float = Field(10.0, gt=0, description="requests a minute, at first")
    adaptive_least: float = Field(1.0, gt=0)
    adaptive_most: float = Field(6_000.0, gt=0)
    busy_seconds: float = Field(0.0, ge=0, description="least wait of a render after 429 or 503")


class Defaults(BaseModel):
    """What a row gets that does not say otherwise."""

    model_config = _FROZEN

    tier: Annotated[Tier | Auto | None, BeforeValidator(_tier_choice)] = Field(
        None, description="None: the one tier that is configured, or auto where there are several"
    )
    model: str | None = Field(None, description="None: the registry's default")
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int = Field(1, ge=1, le=100)


class Routing(BaseModel):
    """Among which tiers `auto` chooses."""

    model_config = _FROZEN

    tiers: Annotated[tuple[Tier, ...] | None, BeforeValidator(_tier_names)] = Field(
        None, description="None: those that have a credential and are not paid up"
    )


class Output(BaseModel):
    """Where an image is put below the storage place."""

    model_config = _FROZEN

    path: str = "{job}/{id}_{variant}.{ext}"


class Budget(BaseModel):
    """When to ask before real money is spent, and how much of it all jobs together may spend."""

    model_config = _FROZEN

    confirm_above: Money = Decimal("1.00")
    per_day: Cap = Field(Decimal("100.00"), description="a day in UTC, by when it was sent")
    total: Cap = Field(None, description="ever")


class Rules(BaseModel):
    """How often a render is tried, and what a lost answer costs at most."""

    model_config = _FROZEN

    max_attempts: int = Field(4, ge=1, le=20, description="failed attempts before giving up")
    no_image_retries: int = Field(1, ge=0, le=5, description="paid answers without an image")
    on_lost: OnLost = OnLost.RETRY_ONCE
    backoff_seconds: float = Field(2.0, gt=0, description="first wait after a failure; doubles")


class Work(BaseModel):
    """A worker process."""

    model_config = _FROZEN

    lease_seconds: float = Field(30.0, ge=2, description="a silent worker is dead after this")
    take_seconds: float = Field(60.0, gt=0, description="how long one call takes new work")
    grace_seconds: float = Field(600.0, gt=0, description="how long TERM waits for answers")
    hurry_seconds: float = Field(10.0, gt=0, description="how long a second TERM waits for them")
    request_seconds: float = Field(300.0, gt=0, description="longest wait for an answer")
    request_seconds_4k: float = Field(600.0, gt=0, description="the same for 4K")
    request_seconds_flex: float = Field(1_800.0, gt=0, description="the same at level flex")
    answers_at_once: int = Field(64, ge=1, description="read at a time; others wait in sockets")
    most_waiting: int = Field(
        500, ge=1, description="answers that wait to be booked; with more, nothing is claimed"
    )
    metrics_port: int | None = Field(None, ge=1, le=65535, description="first free one from here")
    metrics_host: str = Field("127.0.0.1", description="where the metrics are served")


class Batches(BaseModel):
    """Provider batches: how large, how often looked at, how long looked for."""

    model_config = _FROZEN

    poll_interval: float = Field(30.0, gt=0, description="seconds between looks, at first; doubles")
    poll_longest: float = Field(600.0, gt=0, description="longest pause between looks, in seconds")
    find_seconds: float = Field(
        1_200.0, gt=0, description="how long a batch whose creation is in doubt is looked for"
    )
    lease_seconds: float = Field(120.0, ge=2, description="a silent carrier is replaced after this")
    most_lines: int = Field(200_000, ge=1, le=200_000)
    most_input_bytes: int = Field(1_000_000_000, ge=1_000_000, le=2_000_000_000)
    most_output_bytes: int = Field(
        2 << 30, ge=1, description="predicted size of a result file: a batch is cut there"
    )
    longest_wait: float = Field(
        86_400.0, gt=0, description="seconds before it runs; with a deadline, longer is too long"
    )
    margin_seconds: float = Field(
        600.0, ge=0, description="time kept in hand for finishing on demand before a deadline"
    )


class Log(BaseModel):
    """What the processes write to stderr."""

    model_config = _FROZEN

    level: LogLevel = LogLevel.INFO
    format: LogFormat | None = Field(None, description="None: console on a terminal, else json")


class Trace(BaseModel):
    """Spans for OpenTelemetry; needs the extra `otel`."""

    model_config = _FROZEN

    endpoint: str | None = Field(None, description="OTLP over HTTP: http://host:4318/v1/traces")


class ServiceTier(StrEnum):
    """A service level that requests to AI Studio can name."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


class AIStudio(BaseModel):
    """The Gemini Developer API."""

    model_config = _FROZEN

    api_key: SecretStr | None = None
    base_url: str | None = None
    account_tier: AccountTier = Field(AccountTier.ONE, description="limits to begin with")
    service_tier: ServiceTier | None = Field(None, description="None: requests name none")

    @field_validator("account_tier", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
        """TOML writes 1 as a number."""
        return str(value) if isinstance(value, int) else value


class Vertex(BaseModel):
    """Vertex AI, which Google now calls Gemini Enterprise Agent Platform."""

    model_config = _FROZEN

    project: str | None = None
    location: str = "global"
    credentials_file: Path | None = Field(None, description="service account; else ADC")
    access_token: SecretStr | None = Field(None, description="a bearer token made elsewhere")
    base_url: str | None = None


class GCS(BaseModel):
    """Google Cloud Storage, where `storage_url` is gs://bucket/prefix."""

    model_config = _FROZEN

    project: str | None = None
    credentials_file: Path | None = Field(None, description="service account; else ADC")
    kms_key: str | None = Field(None, description="projects/…/cryptoKeys/…; else the bucket's")
    uploads: int = Field(16, ge=1, le=256, description="at the same time, in one worker")
    deadline_seconds: float = Field(60.0, gt=0, description="how long one call is repeated")


class Simulator(BaseModel):
    """The stand-in for Google on loopback that costs nothing."""

    model_config = _FROZEN

    base_url: str | None = Field(None, description="a running one; else one is started")
    scenario: Path | None = None
    latency: str = "0.3-0.9"
    quota_rpm: int | None = Field(None, ge=1)
    pictures: Literal["drawn", "cached"] = "drawn"


class Template(BaseModel):
    """A prompt with places for a row's columns, in Jinja2's sandbox."""

    model_config = _FROZEN

    prompt: str


def _tier_keys(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """Environment variables cannot hold a hyphen: AISTUDIO_BATCH means aistudio-batch."""
    if isinstance(value, dict):
        return {str(key).lower().replace("_", "-"): limits for key, limits in value.items()}
    return value


def _default_limits(tier: Tier, account: AccountTier) -> Limits:
    if tier in (Tier.AISTUDIO, Tier.AISTUDIO_BATCH):
        return Limits.model_validate(presets.aistudio(account, is_batch=tier.is_batch))
    if tier is Tier.SIMULATOR:
        return Limits(concurrency=256)
    if tier is Tier.VERTEX_FLEX:
        # For each model and project; to be asked again gently (Google, Flex PayGo, 2026-10).
        return Limits(concurrency=64, adaptive=True, adaptive_most=3_000, busy_seconds=30)
    # Vertex draws image models from a shared pool and publishes no quota for it.
    is_pool = tier.provider is Provider.VERTEX and not tier.is_batch
    return Limits(concurrency=64, adaptive=True) if is_pool else Limits()


class Settings(BaseModel):
    """Every setting. Build it with `darkroom.configure.load`."""

    model_config = _FROZEN

    home: Path = Field(Path(".darkroom"), description="database, broker socket, spool and logs")
    database_url: str | None = Field(None, description="None: SQLite in `home`")
    broker_url: str | None = Field(None, description="None: a Valkey server of our own in `home`")
    storage_url: str = Field("out", description="a folder, or gs://bucket/prefix")
    staging_url: str | None = Field(
        None, description="gs://bucket/prefix for Vertex batches; None: storage_url, if it is one"
    )
    registry_file: Path | None = Field(None, description="models and prices laid over ours")
    defaults: Defaults = Defaults()
    router: Routing = Routing()
    output: Output = Output()
    budget: Budget = Budget()
    rules: Rules = Rules()
    worker: Work = Work()
    batches: Batches = Batches()
    log: Log = Log()
    trace: Trace = Trace()
    aistudio: AIStudio = AIStudio()
    vertex: Vertex = Vertex()
    gcs: GCS = GCS()
    simulator: Simulator = Simulator()
    tiers: Annotated[dict[Tier, Limits], BeforeValidator(_tier_keys)] = Field(default_factory=dict)
    templates: dict[str, Template] = Field(default_factory=dict)

    @field_validator("database_url")
    @classmethod
    def _named_driver(cls, url: str | None) -> str | None:
        """Plain postgresql:// means the driver that is shipped, psycopg 3."""
        for plain in ("postgresql://", "postgres://"):
            if url and url.startswith(plain):
                return "postgresql+psycopg://" + url.removeprefix(plain)
        return url

    @field_validator("storage_url")
    @classmethod
    def _known_place(cls, url: str) -> str:
        """Refuse at once what no worker could write to."""
        if "://" in url and not url.startswith(("file://", "gs://")):
            raise ValueError(f"{url} is no place to write to: a folder, or gs://bucket/prefix")
        return url

    @property
    def staging(self) -> str | None:
        """Where Vertex batches are written and read; None where no bucket is known."""
        if self.staging_url is not None:
            return self.staging_url
        is_bucket = self.storage_url.startswith("gs://")
        return f"{self.storage_url.rstrip('/')}/.staging" if is_bucket else None

    @property
    def is_embedded(self) -> bool:
        """Whether Darkroom starts its own broker, worker and clock on this machine."""
        return self.broker_url is None

    @property
    def sql_url(self) -> str:
        """The database, with the embedded default filled in."""
        return self.database_url or f"sqlite:///{(self.home / 'darkroom.db').absolute()}"

    def limits(self, tier: Tier) -> Limits:
        """What is in force for a tier: the operator's figures over the defaults."""
        preset = _default_limits(tier, self.aistudio.account_tier)
        own = self.tiers.get(tier)
        return preset if own is None else preset.model_copy(update=_given(own))

    def batching(self, tier: Tier) -> Batches:
        """How batches of a tier are carried: the stand-in on this machine is looked at often."""
        if not tier.is_simulated:
            return self.batches
        pace = {"poll_interval": min(1.0, self.batches.poll_interval)}
        return self.batches.model_copy(update=pace)

    def configured(self, served: Sequence[Tier] = SERVED) -> list[Tier]:
        """The tiers that have a credential; the simulator's where none has."""
        ready = [tier for tier in served if self.is_ready(tier)]
        return [tier for tier in ready if not tier.is_simulated] or ready

    def candidates(self, served: Sequence[Tier] = SERVED) -> list[Tier]:
        """The tiers that auto chooses among; real ones are never mixed with simulated ones."""
        if self.router.tiers is None:
            return [tier for tier in self.configured(served) if not tier.is_paid_up]
        return self.configured([tier for tier in served if tier in self.router.tiers])

    def default_tier(self, served: Sequence[Tier] = SERVED) -> TierChoice:
        """The tier of a row that names none: the simulator until there is a credential."""
        if self.defaults.tier is not None:
            return self.defaults.tier
        # Whoever does not ask for it does not want to wait for a day to save half of the price.
        match [tier for tier in self.candidates(served) if tier.is_usual]:
            case [only]:
                return only
            case [first, *_] if first.is_simulated:
                return first
            case _:
                return AUTO

    def usual_tiers(self, served: Sequence[Tier] = SERVED) -> list[Tier]:
        """The tiers to which rows that name none may go."""
        usual = self.default_tier(served)
        if isinstance(usual, Tier):
            return [usual]
        candidates = self.candidates(served)
        return candidates if self.defaults.tier else [t for t in candidates if t.is_usual]

    def is_ready(self, tier: Tier) -> bool:
        """Whether a tier could be used: signed, and for Vertex batches with a bucket."""
        needs_bucket = tier is Tier.VERTEX_BATCH and self.staging is None
        return self.has_credential(tier) and not needs_bucket

    def service_tier(self, tier: Tier) -> ServiceTier | None:
        """The level that requests of a tier name; None: it is the tier's own, or named by none."""
        return self.aistudio.service_tier if tier is Tier.AISTUDIO else None

    def has_credential(self, tier: Tier) -> bool:
        """Whether requests of this tier can be signed."""
        match tier.provider:
            case Provider.AISTUDIO:
                return self.aistudio.api_key is not None
            case Provider.VERTEX:
                return self.vertex.project is not None
            case Provider.SIMULATOR:
                return True
            case Provider.PROXY:
                return False

    def secrets(self) -> Iterator[str]:
        """Everything in here that must not be seen outside: keys, tokens, passwords in URLs."""
        yield from _hidden(self)
        for url in (self.database_url, self.broker_url):
            try:
                password = urlsplit(url or "").password
            except ValueError:
                continue  # whoever opens it says what is wrong with it
            if password:
                yield from {password, unquote(password)}


def _hidden(value: Any) -> Iterator[str]:  # noqa: ANN401  # a setting of any type
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _hidden(getattr(value, name))


def _given(limits: Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in limits.model_fields_set}
