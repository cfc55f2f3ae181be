"""The fields of generateContent, per platform.

Source: the request bodies google-genai 3.4.0 sends, and Google's v1 schemas of both platforms.
"""

from __future__ import annotations

from darkroom_simulator.catalog import Platform
from darkroom_simulator.fields import (
    ANYTHING,
    BASE64,
    BOOLEAN,
    INTEGER,
    LABELS,
    NUMBER,
    STRING,
    Choice,
    Message,
    Repeated,
)
from darkroom_simulator.grounding import tools

MODALITIES = frozenset({"TEXT", "IMAGE", "AUDIO", "VIDEO"})
LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH"})
SERVICES = frozenset({"standard", "flex", "priority"})
PEOPLE = frozenset({"ALLOW_ALL", "ALLOW_ADULT", "ALLOW_NONE"})
PROMINENT = frozenset({"ALLOW_PROMINENT_PEOPLE", "BLOCK_PROMINENT_PEOPLE"})
HARMS = frozenset(
    "HARM_CATEGORY_" + name
    for name in (
        "HARASSMENT",
        "HATE_SPEECH",
        "SEXUALLY_EXPLICIT",
        "DANGEROUS_CONTENT",
        "CIVIC_INTEGRITY",
        "JAILBREAK",
        "IMAGE_HATE",
        "IMAGE_DANGEROUS_CONTENT",
        "IMAGE_HARASSMENT",
        "IMAGE_SEXUALLY_EXPLICIT",
    )
)
THRESHOLDS = frozenset(
    {"BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"}
)

PART = Message(
    {
        "text": STRING,
        "inlineData": Message({"mimeType": STRING, "data": BASE64, "displayName": STRING}),
        "fileData": Message({"mimeType": STRING, "fileUri": STRING, "displayName": STRING}),
        "thought": BOOLEAN,
        "thoughtSignature": BASE64,
        "mediaResolution": ANYTHING,
    }
)
CONTENT = Message({"role": STRING, "parts": Repeated(PART)})
SAFETY = Message(
    {
        "category": Choice("HarmCategory", HARMS),
        "threshold": Choice("SafetySetting.HarmBlockThreshold", THRESHOLDS),
    }
)
THINKING = Message(
    {
        "thinkingLevel": Choice("ThinkingConfig.ThinkingLevel", LEVELS, folded=True),
        "thinkingBudget": INTEGER,
        "includeThoughts": BOOLEAN,
    }
)
IMAGE = Message({"aspectRatio": STRING, "imageSize": STRING})
VERTEX_IMAGE = IMAGE.having(
    personGeneration=Choice("ImageConfig.PersonGeneration", PEOPLE),
    prominentPeople=Choice("ImageConfig.ProminentPeople", PROMINENT),
    imageOutputOptions=Message({"mimeType": STRING, "compressionQuality": INTEGER}),
)
CONFIG = Message(
    {
        "responseModalities": Repeated(Choice("GenerationConfig.Modality", MODALITIES)),
        "imageConfig": IMAGE,
        "thinkingConfig": THINKING,
        "candidateCount": INTEGER,
        "maxOutputTokens": INTEGER,
        "stopSequences": Repeated(STRING),
        "temperature": NUMBER,
        "topP": NUMBER,
        "topK": NUMBER,
        "seed": INTEGER,
        "presencePenalty": NUMBER,
        "frequencyPenalty": NUMBER,
        "responseLogprobs": BOOLEAN,
        "logprobs": INTEGER,
        "mediaResolution": ANYTHING,
    }
)
REQUEST = Message(
    {
        "model": STRING,
        "contents": Repeated(CONTENT),
        "systemInstruction": CONTENT,
        "safetySettings": Repeated(SAFETY),
        "generationConfig": CONFIG,
        "labels": LABELS,
        "tools": tools(Platform.AISTUDIO),
        "cachedContent": STRING,
    }
)
REQUESTS = {
    Platform.PROXY: REQUEST,
    Platform.AISTUDIO: REQUEST.having(serviceTier=Choice("ServiceTier", SERVICES)),
    # The service level of Vertex is a header; serviceTier in the body is no field there.
    Platform.VERTEX: REQUEST.having(
        generationConfig=CONFIG.having(imageConfig=VERTEX_IMAGE),
        outputConfig=Message({"outputUriPrefix": STRING}),
        tools=tools(Platform.VERTEX),
    ),
}
