"""An object in a bucket, and how storage describes it."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any
from urllib.parse import quote

import msgspec

CONTENT_TYPE = "application/octet-stream"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The fields a client may send when it creates an object; strict, as a typo would be lost."""

    name: str | None = None
    content_type: str | None = None
    crc32c: str | None = None
    md5_hash: str | None = None
    metadata: dict[str, str] | None = None
    kms_key_name: str | None = None


class Object(msgspec.Struct, frozen=True):
    """One generation. `created` is UTC."""

    bucket: str
    name: str
    generation: int
    size: int
    crc32c: str
    md5: str
    content_type: str
    created: dt.datetime
    metadata: dict[str, str] = {}
    kms_key: str | None = None

    def resource(self, origin: str) -> dict[str, Any]:
        """Return the JSON that stands for it on the wire; numbers are strings there.

        Its links begin with `origin`, as Google's client reads what it listed by them.
        """
        path = f"/b/{self.bucket}/o/{quote(self.name, safe='')}"
        stamp = self.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        optional: dict[str, Any] = {"metadata": self.metadata} if self.metadata else {}
        if self.kms_key:
            optional["kmsKeyName"] = f"{self.kms_key}/cryptoKeyVersions/1"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{origin}/storage/v1{path}",
            "mediaLink": f"{origin}/download/storage/v1{path}?alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(self.size),
            "md5Hash": self.md5,
            "crc32c": self.crc32c,
            "etag": base64.b64encode(str(self.generation).encode()).decode(),
            "timeCreated": stamp,
            "updated": stamp,
            **optional,
        }
