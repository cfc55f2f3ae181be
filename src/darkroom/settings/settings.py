"""What an operator may set, as one frozen object made at the edge and passed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator

from darkroom.served import SERVED
from darkroom.settings.budget import Budget
from darkroom.settings.gates import Gates
from darkroom.settings.inbox import Inbox
from darkroom.settings.limits import Limits, default_limits, given
from darkroom.settings.notices import ELSEWHERE, Notices
from darkroom.settings.provider import GCS, AIStudio, Gemini, Imagen, ServiceTier, Simulator, Vertex
from darkroom.settings.proxy import Proxy
from darkroom.settings.references import References, ReferenceSet
from darkroom.settings.row import Defaults, Output, Routing, Template, Variants
from darkroom.settings.schedule import Schedule
from darkroom.settings.telling import Log, Trace
from darkroom.settings.value import FROZEN
from darkroom.settings.work import Batches, Rules, Work
from darkroom_manifests.mapping import settled
from darkroom_manifests.problem import Fault
from darkroom_manifests.tier import AUTO, Provider, Tier, TierChoice


def _tier_keys(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """Environment variables cannot hold a hyphen: AISTUDIO_BATCH means aistudio-batch."""
    if isinstance(value, dict):
        return {str(key).lower().replace("_", "-"): limits for key, limits in value.items()}
    return value


class Settings(BaseModel):
    """Every setting. Build it with `darkroom.configure.load`."""

    model_config = FROZEN

    home: Path = Field(Path(".darkroom"), description="database, broker socket, spool and logs")
    database_url: str | None = Field(None, description="None: SQLite in `home`")
    broker_url: str | None = Field(None, description="None: a Valkey server of our own in `home`")
    storage_url: str = Field("out", description="a folder, or gs://bucket/prefix")
    staging_url: str | None = Field(
        None,
        description="gs://bucket/prefix for what Vertex reads; None: storage_url, if it is one",
    )
    registry_file: Path | None = Field(None, description="models and prices laid over ours")
    allow_retired: bool = Field(
        default=False, description="send also for models that Google has shut down"
    )
    defaults: Defaults = Defaults()
    router: Routing = Routing()
    output: Output = Output()
    budget: Budget = Budget()
    rules: Rules = Rules()
    worker: Work = Work()
    batches: Batches = Batches()
    inbox: Inbox = Inbox()
    schedule: Schedule = Schedule()
    notices: Notices = Notices()
    log: Log = Log()
    trace: Trace = Trace()
    aistudio: AIStudio = AIStudio()
    vertex: Vertex = Vertex()
    gemini: Gemini = Gemini()
    imagen: Imagen = Imagen()
    proxy: Proxy = Proxy()
    references: References = References()
    gates: Gates = Gates()
    gcs: GCS = GCS()
    simulator: Simulator = Simulator()
    tiers: Annotated[dict[Tier, Limits], BeforeValidator(_tier_keys)] = Field(default_factory=dict)
    templates: dict[str, Template] = Field(default_factory=dict)
    mapping: dict[str, str] = Field(
        default_factory=dict, description="field -> column, in manifests that have the column"
    )
    variants: Variants = Variants()
    sets: dict[str, ReferenceSet] = Field(
        default_factory=dict, description="references that rows name together, as set:NAME"
    )

    @field_validator("mapping")
    @classmethod
    def _known_fields(cls, given: dict[str, str]) -> dict[str, str]:
        found = settled(given)
        if isinstance(found, Fault):
            raise ValueError(f"{found.message} {found.hint or ''}".strip())  # noqa: TRY004  # pydantic's
        return given

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
        preset = default_limits(tier, self.aistudio.account_tier)
        own = self.tiers.get(tier)
        return preset if own is None else preset.model_copy(update=given(own))

    def allows_retired(self, tier: Tier) -> bool:
        """Whether a tier is asked for models that its provider has shut down."""
        own = self.limits(tier).allow_retired
        return self.allow_retired if own is None else own

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
        match _usual(self.candidates(served)):
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
        return candidates if self.defaults.tier else _usual(candidates)

    def is_ready(self, tier: Tier) -> bool:
        """Whether a tier could be used: signed, offered, and for Vertex batches with a bucket."""
        needs_bucket = tier is Tier.VERTEX_BATCH and self.staging is None
        return self.has_credential(tier) and self.limits(tier).offered and not needs_bucket

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
                return self.proxy.base_url is not None

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


def _usual(tiers: Sequence[Tier]) -> list[Tier]:
    """Whom rows go to that name no tier: Google; a proxy only where nobody else is there."""
    return [tier for tier in tiers if tier.is_usual] or [t for t in tiers if t is Tier.PROXY]


def _hidden(value: Any) -> Iterator[str]:  # noqa: ANN401  # a setting of any type
    if isinstance(value, SecretStr):
        held = value.get_secret_value()
        if not held.startswith(ELSEWHERE):  # the name of a variable is no secret
            yield held
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _hidden(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from _hidden(each)
