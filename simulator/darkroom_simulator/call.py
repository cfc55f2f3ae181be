"""A call as it came in, and the reply it gets: all the simulator knows of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darkroom_simulator.catalog import Method, Platform, Service
from darkroom_simulator.faults import Faults
from darkroom_simulator.problem import JSON

TYPE = "x-vertex-ai-llm-request-type"
SHARED_TYPE = "x-vertex-ai-llm-shared-request-type"
TOLD = (TYPE, SHARED_TYPE, "x-server-timeout", "idempotency-key")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model as it came in. Header names are in lower case.

    A line of a batch is a call too: `batch` is the name of its batch.
    """

    platform: Platform
    location: str
    name: str
    headers: Mapping[str, str]
    body: bytes
    batch: str = ""
    method: Method = Method.GENERATE

    @property
    def service(self) -> Service:
        """The level Vertex's headers ask for; AI Studio has it in the body."""
        if self.batch:
            return Service.BATCH
        if self.platform is not Platform.VERTEX:
            return Service.STANDARD
        if self.headers.get(TYPE) == "dedicated":
            return Service.PROVISIONED
        shared = self.headers.get(SHARED_TYPE, "")
        return Service(shared) if shared in {"flex", "priority"} else Service.STANDARD

    @property
    def may_use_bought(self) -> bool:
        """Whether throughput that was bought serves it first, as it does unless told not to."""
        return self.platform is Platform.VERTEX and self.headers.get(TYPE) != "shared"

    @property
    def told(self) -> dict[str, str]:
        """The headers that choose a service level and a deadline, or name an attempt."""
        return {name: self.headers[name] for name in TOLD if name in self.headers}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, and the faults the connection itself is to suffer."""

    status: int
    pieces: list[bytes]
    content_type: str = JSON
    headers: Mapping[str, str] | None = None
    faults: Faults = field(default_factory=dict)
