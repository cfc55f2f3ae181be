"""A proxy's 200, in the shape that the prompt's `[[sim:shape=…]]` names: proxies have many."""

from __future__ import annotations

import secrets
from typing import Any

from darkroom_simulator import bill
from darkroom_simulator.answer import FINISHED, MARK, PROSE, PROSE_TOKENS, REFUSAL, SAID, Answer
from darkroom_simulator.ask import Ask
from darkroom_simulator.bill import Usage
from darkroom_simulator.catalog import Platform
from darkroom_simulator.faults import Faults, Name
from darkroom_simulator.gallery import HERE

JSON = dict[str, Any]

NANO = 1_000_000_000
MEGABYTE = 1 << 20
LONG = 20  # megabytes
LINK_LOCAL = "http://169.254.169.254/latest/meta-data/picture.png"
SILENT = frozenset({*FINISHED, Name.NO_CANDIDATES, Name.LONG_TEXT}) - {Name.ONLY_THOUGHT}
FILTERED = frozenset({Name.REFUSE, Name.PROHIBITED, Name.RECITATION})


def chat(ask: Ask, met: Faults) -> Answer:
    """Compose a completion."""
    images = drawn(met)
    shape = met[Name.SHAPE].argument if Name.SHAPE in met else "images"
    message, hosted = spoken(ask, met, shape, images)
    usage = measured(ask, met, images)
    body: JSON = {"id": f"gen-{secrets.token_hex(8)}", "object": "chat.completion", "choices": []}
    body["model"] = ask.target.model.name
    if Name.NO_CANDIDATES not in met:
        body["choices"] = [{"index": 0, "message": message, **finish(met)}]
    tokens = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.candidates + usage.thoughts,
        "total_tokens": usage.prompt + usage.candidates + usage.thoughts,
        "prompt_tokens_details": {"cached_tokens": 0, "image_tokens": usage.prompt_image},
        "completion_tokens_details": {
            "reasoning_tokens": usage.thoughts,
            "image_tokens": usage.image,
        },
    }
    return finished(ask, met, body, tokens, usage, images, hosted)


def images(ask: Ask, met: Faults) -> Answer:
    """Compose an answer of /images/generations or /images/edits."""
    count = drawn(met)
    shape = met[Name.SHAPE].argument if Name.SHAPE in met else "b64"
    hosted: tuple[str, ...] = ()
    data: list[JSON] = []
    if count and shape == "b64":
        data = [{"b64_json": MARK}] * count
    elif count and shape == "data-url":
        data = [{"url": f"data:{ask.mime};base64,{MARK}"}]
    elif count:
        url, hosted = address(ask, met)
        data = [{"url": url}]
    elif met.keys() & {Name.TEXT_ONLY, Name.NO_IMAGE}:
        data = [{"revised_prompt": REFUSAL}]
    usage = measured(ask, met, count)
    tokens = {
        "input_tokens": usage.prompt,
        "output_tokens": usage.candidates + usage.thoughts,
        "total_tokens": usage.prompt + usage.candidates + usage.thoughts,
        "input_tokens_details": {"image_tokens": usage.prompt_image},
        "output_tokens_details": {"reasoning_tokens": usage.thoughts, "image_tokens": usage.image},
    }
    body: JSON = {"created": 0, "data": data}
    return finished(ask, met, body, tokens, usage, count, hosted)


def altered(answer: Answer, ask: Ask, met: Faults) -> Answer:
    """Put in the place of an answer what no reader expects."""
    if Name.EMPTY_LIST in met:
        return Answer([], Usage(), 0, 0)
    is_native = ask.target.platform is Platform.PROXY and "candidates" in answer.body
    if is_native and Name.SHAPE in met and answer.images:
        return worded(answer, ask, met)
    if Name.LONG_TEXT in met and not isinstance(answer.body.get("choices"), list):
        return Answer(long(met), Usage(), 0, 0)
    return answer


def worded(answer: Answer, ask: Ask, met: Faults) -> Answer:
    """Some proxies write the picture into the words of Google's shape, or its address."""
    shape = met[Name.SHAPE].argument
    shape = shape if shape in {"data-uri", "hosted", "hosted-markdown"} else "markdown"
    message, hosted = spoken(ask, met, shape, 1)
    content = {"role": "model", "parts": [{"text": message["content"]}]}
    body = {**answer.body, "candidates": [{"index": 0, "finishReason": "STOP", "content": content}]}
    return Answer(body, answer.usage, answer.images, 0 if hosted else 1, hosted)


def drawn(met: Faults) -> int:
    """How many pictures there are."""
    if met.keys() & SILENT:
        return 0
    return 2 if met.keys() & {Name.TWO_IMAGES, Name.THOUGHT_FIRST} else 1


def measured(ask: Ask, met: Faults, images: int) -> Usage:
    """Count the tokens; drafts cost nothing."""
    billed = 1 if Name.THOUGHT_FIRST in met and images else images
    texts = PROSE_TOKENS if met.keys() & {Name.TEXT_ONLY, Name.LONG_TEXT} else 0
    usage = bill.measure(ask, images=billed, texts=texts)
    return Usage(usage.prompt_text, usage.prompt_image) if Name.NO_CANDIDATES in met else usage


def spoken(ask: Ask, met: Faults, shape: str, images: int) -> tuple[JSON, tuple[str, ...]]:
    """Write the message, and name the pictures that it only tells the address of."""
    message: JSON = {"role": "assistant", "content": None}
    if not images:
        cause = next((name for name in SAID if name in met), None)
        said = REFUSAL if Name.TEXT_ONLY in met else SAID[cause] if cause else None
        return {**message, "content": long(met) if Name.LONG_TEXT in met else said}, ()
    uri = f"data:{ask.mime};base64,{MARK}"
    if shape == "images":
        listed = [{"type": "image_url", "image_url": {"url": uri}, "index": 0}] * images
        return {**message, "content": PROSE, "images": listed}, ()
    if shape == "parts":
        parts = [{"type": "text", "text": PROSE}]
        return {
            **message,
            "content": [*parts, {"type": "image_url", "image_url": {"url": uri}}],
        }, ()
    if shape == "output-image":
        return {**message, "content": [{"type": "output_image", "image_url": uri}]}, ()
    if shape == "markdown":
        return {**message, "content": f"{PROSE}\n\n![image]({uri})"}, ()
    if shape == "data-uri":
        return {**message, "content": uri}, ()
    url, hosted = address(ask, met)
    text = f"{PROSE}\n\n![image]({url})" if shape == "hosted-markdown" else url
    return {**message, "content": text}, hosted


def address(ask: Ask, met: Faults) -> tuple[str, tuple[str, ...]]:
    """Choose where a picture hangs; one fault names a place that nobody may be sent to."""
    told = met[Name.HOSTED].argument if Name.HOSTED in met else ""
    if told == "private":
        return LINK_LOCAL, ()
    ending = ask.mime.rpartition("/")[2]
    name = f"{secrets.token_hex(8)}.{ending}"
    return f"http://{HERE}/hosted/{name}", (name,)


def finish(met: Faults) -> JSON:
    """Say why it ended."""
    cause = next((name for name in FINISHED if name in met), None)
    if cause is None:
        return {"finish_reason": "stop", "native_finish_reason": "STOP"}
    word = "content_filter" if cause in FILTERED else "stop"
    return {"finish_reason": word, "native_finish_reason": FINISHED[cause]}


def finished(
    ask: Ask,
    met: Faults,
    body: JSON,
    tokens: JSON,
    usage: Usage,
    images: int,
    hosted: tuple[str, ...],
) -> Answer:
    """Add what was used, with its price in dollars where a fault asks for that."""
    billed = 1 if Name.THOUGHT_FIRST in met and images else images
    if Name.COST in met:
        tokens["cost"] = bill.cost(usage, billed, ask.target) / NANO
    if Name.NO_USAGE not in met:
        body["usage"] = tokens
    pictures = 0 if hosted or LINK_LOCAL in str(body) else images
    return Answer(body, usage, billed, pictures, hosted)


def long(met: Faults) -> str:
    """Talk without end, nearly."""
    return "no picture, but words. " * (int(met[Name.LONG_TEXT].seconds(LONG) * MEGABYTE) // 23)
