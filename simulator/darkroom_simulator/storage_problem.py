"""Errors as storage writes them: older than Google's other APIs, and of another shape."""

from __future__ import annotations

import msgspec

REASONS = {
    400: "invalid",
    403: "forbidden",
    404: "notFound",
    412: "conditionNotMet",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    503: "backendError",
}


class StorageProblem(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        detail = {"message": self.message, "domain": "global", "reason": REASONS[self.code]}
        error = {"code": self.code, "message": self.message, "errors": [detail]}
        return msgspec.json.encode({"error": error})


def no_bucket() -> StorageProblem:
    """Say that a bucket is not there."""
    return StorageProblem(404, "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> StorageProblem:
    """Say that an object is not there."""
    return StorageProblem(404, f"No such object: {bucket}/{name}")


def condition_not_met() -> StorageProblem:
    """Say that a precondition is broken."""
    message = "At least one of the pre-conditions you specified did not hold."
    return StorageProblem(412, message)
