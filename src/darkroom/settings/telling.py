"""What processes say of themselves."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN


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


class Log(BaseModel):
    """What the processes write to stderr."""

    model_config = FROZEN

    level: LogLevel = LogLevel.INFO
    format: LogFormat | None = Field(None, description="None: console on a terminal, else json")


class Trace(BaseModel):
    """Spans for OpenTelemetry; needs the extra `otel`."""

    model_config = FROZEN

    endpoint: str | None = Field(None, description="OTLP over HTTP: http://host:4318/v1/traces")
