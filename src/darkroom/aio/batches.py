"""Provider batches as a person handles them, for an event loop."""

from __future__ import annotations

from darkroom.aio.beside import Beside
from darkroom.batches import Batches
from darkroom.report import ProviderBatch


class AsyncBatches:
    """`Darkroom.batches` with the same names; see there."""

    def __init__(self, batches: Batches, beside: Beside) -> None:
        self._batches = batches
        self._beside = beside

    async def all(self, job: str | None = None, *, ended_too: bool = False) -> list[ProviderBatch]:
        """See `Batches.all`."""
        return await self._beside.call(self._batches.all, job, ended_too=ended_too)

    async def one(self, name: str) -> ProviderBatch:
        """See `Batches.one`."""
        return await self._beside.call(self._batches.one, name)

    async def cancel(self, name: str) -> bool:
        """See `Batches.cancel`."""
        return await self._beside.call(self._batches.cancel, name)

    async def adopt(self, name: str, provider_name: str) -> None:
        """See `Batches.adopt`."""
        await self._beside.call(self._batches.adopt, name, provider_name)
