"""A proxy that speaks OpenAI's wire: where it is, how it is asked, what it charges."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator

from darkroom.settings.value import FROZEN, Money, names_of


class Mode(StrEnum):
    """Which of three wires a proxy is spoken to by."""

    IMAGES = "images"
    """`/images/generations`, and `/images/edits` for rows with references."""
    CHAT = "chat"
    """`/chat/completions` with modalities."""
    NATIVE = "native"
    """Google's own `generateContent`, behind the proxy's address."""


class ProxyPrice(BaseModel):
    """What a proxy charges for one model: dollars a call, or dollars a million tokens."""

    model_config = FROZEN

    per_call: Money = Field(Decimal(0), description="each answer, whatever it holds")
    text_in: Money = Decimal(0)
    image_in: Money | None = Field(None, description="None: as text_in")
    text_out: Money = Decimal(0)
    image_out: Money = Decimal(0)

    @model_validator(mode="after")
    def _is_no_gift(self) -> Self:
        """A forgotten figure must not pass for a gift."""
        if not (self.per_call or self.image_out):
            raise ValueError("needs per_call, or image_out with the other token prices")
        return self


class Proxy(BaseModel):
    """An OpenAI-compatible proxy, such as APIYI, OpenRouter or LiteLLM."""

    model_config = FROZEN

    base_url: str | None = Field(None, description="as the SDK of OpenAI takes it: https://…/v1")
    api_key: SecretStr | None = Field(None, description="None: it takes requests without a key")
    mode: Mode = Field(Mode.CHAT, description="images, chat or native")
    models: dict[str, str] = Field(
        default_factory=dict, description="our model -> the proxy's name for it"
    )
    allow_hosts: Annotated[tuple[str, ...], BeforeValidator(names_of)] = Field(
        (), description="hosts of images that may be private, or speak plain http"
    )
    prices: dict[str, ProxyPrice] = Field(default_factory=dict)
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="fields of every request, laid over ours"
    )

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        """Take what is an address; one without a path means OpenAI's usual /v1."""
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ValueError(f"{url} is no address of a proxy: https://HOST/v1")
        plain = url.rstrip("/")
        return plain if parts.path.strip("/") else f"{plain}/v1"

    def name_of(self, model: str) -> str:
        """What the proxy calls a model."""
        return self.models.get(model, model)
