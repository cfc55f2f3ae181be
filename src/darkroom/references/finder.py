"""Finds the references of rows: files beside the manifest, buckets, and addresses of the web."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Final

from darkroom.references import heic
from darkroom.references.fitting import fitted
from darkroom.references.patience import Patience
from darkroom.references.shelf import Kept, Shelf
from darkroom.references.sight import Seen, Unfit, examine, look
from darkroom.request import Reference
from darkroom.safe_address import Refusal
from darkroom.safe_fetch import Bounds, SafeFetcher
from darkroom.settings import Policy, ReferenceSet, Settings
from darkroom_manifests.problem import Code, FieldFault, quote
from darkroom_manifests.row import Reference as Written
from darkroom_manifests.row import Row

# Google, Gemini Enterprise Agent Platform, model pages, 2026-10: an inline image has 7 MB at most.
# Batches point to their images, which may have 30 MB in a bucket.
_INLINE_BYTES: Final = 7_000_000
_MOST_BYTES: Final = 30_000_000
_LARGEST_BYTES: Final = 200_000_000  # above, a file is not even read
_WEB: Final = ("https://", "http://")
_REDIRECTS: Final = 3
_OK: Final = 200
_SET: Final = "set:"
_KEPT: Final = 16_384
_RELATIVE: Final = "Paths are relative to the manifest."

Found = Kept | Unfit


class Finder:
    """Remembers what it looked at: a file that many rows go by is read once."""

    def __init__(self, settings: Settings, fetcher: SafeFetcher | None = None) -> None:
        own = settings.references
        self._rules = own
        self._sets = {name: _members(each) for name, each in settings.sets.items()}
        self._shelf = Shelf(own.folder or settings.home / "references")
        self._fetcher = fetcher
        self._opening = threading.Lock()
        self._patience = Patience()
        self._bounds = Bounds(
            seconds=own.fetch_seconds, most_bytes=own.fetch_bytes, redirects=_REDIRECTS
        )
        self._fetched: dict[str, Found] = {}
        self._notes: dict[str, str] = {}
        self._seen = lru_cache(_KEPT)(self._looked_at)

    def gather(self, rows: Iterable[Row]) -> None:
        """Fetch what some rows name, many at a time; `find` then has it at hand."""
        named = dict.fromkeys(
            one.uri for row in rows for written in row.references for one in self._spread(written)
        )
        urls = [uri for uri in named if uri.startswith(_WEB)]
        self._fetched = {}
        if not urls:
            return
        with ThreadPoolExecutor(self._rules.fetch_at_once, thread_name_prefix="fetch") as threads:
            self._fetched = dict(zip(urls, threads.map(self._from_web, urls), strict=True))

    def all_of(
        self, row: Row, most: int | None, manifest: Path | None
    ) -> list[Reference | FieldFault]:
        """Find a row's references, unless they are more than the model takes.

        It is refused for that; to look for each of them would only bury that refusal.
        """
        every = [one for written in row.references for one in self._spread(written)]
        if most is not None and len(every) > most:
            return [Reference(uri=written.uri, mime="") for written in every]
        return [self.find(written, manifest) for written in every]

    def _spread(self, written: Written) -> tuple[Written, ...]:
        """Put a set's images in the place of its name; a name that is none stays."""
        if not written.uri.startswith(_SET):
            return (written,)
        return self._sets.get(written.uri.removeprefix(_SET), (written,))

    def note_of(self, reference: Reference) -> str | None:
        """How an image was made to fit; told once."""
        return self._notes.pop(reference.sha256 or "", None)

    def find(self, written: Written, manifest: Path | None) -> Reference | FieldFault:
        """Find one reference, as `gather` fetched it or where the manifest says that it is."""
        uri = written.uri
        if uri.startswith("gs://"):
            return Reference(uri=uri, mime=_mime_by_name(uri), role=written.role)
        if uri.startswith(_WEB):
            found = self._fetched.get(uri) or self._from_web(uri)
            return _told(found, quote(_public(uri)), written)
        if uri.startswith(_SET):
            return self._no_set(uri.removeprefix(_SET))
        if "://" in uri:
            return _fault(f"{uri[:80]} is no file.", "Give a path, https:// or, on Vertex, gs://.")
        path = (manifest.parent if manifest else Path()) / uri
        try:
            stat = path.stat()
        except (OSError, ValueError):
            return _fault(f"There is no file {path}.", _RELATIVE)
        if not S_ISREG(stat.st_mode):
            return _fault(f"There is no file {path}.", _RELATIVE)
        if stat.st_size > _LARGEST_BYTES:
            return _fault(f"{path} has more than 200 MB.", "Make it smaller.")
        return _told(self._seen(str(path.absolute()), stat.st_mtime_ns), str(path), written)

    def _no_set(self, name: str) -> FieldFault:
        near = get_close_matches(name, self._sets, 1)
        known = f"Did you mean {near[0]}?" if near else f"Sets are {_listed(self._sets)}."
        return _fault(f"There is no set {quote(name)}.", f"{known} See [sets] of darkroom.toml.")

    def _looked_at(self, path: str, _: int) -> Found:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            return Unfit(
                f"cannot be read: {error.strerror}.", "Paths are relative to the manifest."
            )
        seen = self._judged(data)
        if isinstance(seen, Unfit):
            return seen
        if self._must_fit(data, seen):
            return self._fitted(data, seen, path)
        return Kept(path, hashlib.sha256(data).hexdigest(), seen.mime, len(data))

    def _judged(self, data: bytes) -> Seen | Unfit:
        """Look at bytes; what could be made to fit is good where it will be."""
        if self._rules.policy is Policy.FIT:
            return examine(data)
        if len(data) > _MOST_BYTES:
            hint = 'Make it smaller, or set references.policy = "fit".'
            return Unfit(f"has more than {_MOST_BYTES // 1_000_000} MB.", hint)
        mime = look(data)
        return mime if isinstance(mime, Unfit) else Seen(mime)

    def _must_fit(self, data: bytes, seen: Seen) -> bool:
        is_odd = len(data) > _INLINE_BYTES or seen.unfit is not None
        return is_odd and self._rules.policy is Policy.FIT

    def _from_web(self, url: str) -> Found:
        kept = self._shelf.of_address(url, self._rules.fresh_seconds)
        if kept is not None:
            return kept
        if self._patience.is_over(url):
            return _SILENT
        answer = self._opened().get(url, self._bounds)
        if isinstance(answer, Refusal):
            if answer.code == "time":
                self._patience.lose(url)
            return Unfit(f"was not fetched: {answer.message}", "Download it, and name the file.")
        if answer.status != _OK:
            return Unfit(f"was answered with HTTP {answer.status}.", "Is the address right?")
        found = self._shelved(answer.body, url)
        if isinstance(found, Kept):
            self._shelf.note(url, found)
        return found

    def _opened(self) -> SafeFetcher:
        """Make the fetcher when first needed: to load what TLS trusts takes a while."""
        with self._opening:
            if self._fetcher is None:
                self._fetcher = SafeFetcher(self._rules.allow_hosts)
            return self._fetcher

    def _shelved(self, data: bytes, url: str) -> Found:
        seen = self._judged(data)
        if isinstance(seen, Unfit):
            return seen
        if self._must_fit(data, seen):
            return self._fitted(data, seen, _public(url))
        return self._shelf.keep(data, seen.mime)

    def _fitted(self, data: bytes, seen: Seen, name: str) -> Found:
        if seen.mime in heic.TYPES and not heic.is_installed():
            return Unfit("has more than 7 MB, and HEIC is not made smaller here.", heic.REMEDY)
        small = fitted(data, _INLINE_BYTES)
        if small is None:
            return Unfit("does not fit into 7 MB.", "Make it smaller.")
        note = (
            f"{name} was made to fit: {seen.mime} of {seen.width} x {seen.height} pixels and "
            f"{len(data):,} bytes became JPEG of {len(small):,} bytes."
        )
        kept = self._shelf.keep(small, "image/jpeg")
        self._notes[kept.sha256] = note
        return kept


_SILENT: Final = Unfit(
    "was not fetched: its host let the time run out three times.",
    "See that it answers, and plan again.",
)


def _public(url: str) -> str:
    """What follows the question mark may be a signature, which is for its server alone."""
    return url.partition("?")[0]


def _members(one: ReferenceSet) -> tuple[Written, ...]:
    return tuple(Written(uri, role) for role, uris in one.items() for uri in uris)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none yet"


def _told(found: Found, name: str, written: Written) -> Reference | FieldFault:
    if isinstance(found, Unfit):
        return _fault(f"{name} {found.said}", found.hint)
    return Reference(
        uri=found.path,
        mime=found.mime,
        sha256=found.sha256,
        role=written.role,
        size=found.size,
    )


def _mime_by_name(uri: str) -> str:
    endings = {
        ".png": "image/png",
        ".webp": "image/webp",
        ".heic": "image/heic",
        ".heif": "image/heif",
    }
    return endings.get(Path(uri).suffix.lower(), "image/jpeg")


def _fault(message: str, hint: str) -> FieldFault:
    return ("references", Code.MODEL_CANNOT, message, hint)
