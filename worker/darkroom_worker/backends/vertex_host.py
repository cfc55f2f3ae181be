"""Where Vertex AI answers."""

from __future__ import annotations


def host_of(location: str) -> str:
    """The host of a location (google-genai 3.4.0, `_api_client.py`)."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"
