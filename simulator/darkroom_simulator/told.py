"""What a request says beside its prompt and its picture's shape, as the witness writes it down."""

from __future__ import annotations

from typing import Any

from darkroom_simulator.grounding import searched


def told(request: dict[str, Any]) -> dict[str, str]:
    """Of generateContent, by the names of Google's fields; only what was said."""
    config = request.get("generationConfig", {})
    image = config.get("imageConfig", {})
    instruction = request.get("systemInstruction", {}).get("parts", [])
    safety = {each.get("threshold", "") for each in request.get("safetySettings", [])}
    return given(
        {
            "systemInstruction": "\n".join(part.get("text", "") for part in instruction),
            "safetySettings": ",".join(sorted(safety)),
            "personGeneration": image.get("personGeneration"),
            **image.get("imageOutputOptions", {}),
            "thinkingLevel": config.get("thinkingConfig", {}).get("thinkingLevel"),
            "googleSearch": "+".join(searched(request)),
        }
    )


def told_imagen(parameters: dict[str, Any]) -> dict[str, str]:
    """Of predict."""
    names = ("personGeneration", "safetySetting")
    own = {name: parameters.get(name) for name in names}
    return given(own | parameters.get("outputOptions", {}))


def given(said: dict[str, Any]) -> dict[str, str]:
    """Leave out what was not said; zero was."""
    return {name: str(value) for name, value in said.items() if value not in {None, ""}}


def labelled(request: dict[str, Any]) -> dict[str, str]:
    """The labels of a request. A line of a batch has some by which it is known, too."""
    said = request.get("labels", {})
    return given({"labels": ",".join(f"{name}={value}" for name, value in sorted(said.items()))})
