"""Two scripts held beside Darkroom, each a process of its own: `python -m benchmarks.scripts`.

`bare` is the least that renders an image: a request, a decoder, a file. `sdk` is what somebody
would write who has Google's SDK and an afternoon. Neither has a database, nor fsync.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import orjson
import pybase64
from benchmarks.load import MODEL, ROOT, WARM, Load, Sample, clean_environment, prompt
from google import genai
from google.genai import types

Render = Callable[[str, Path], Awaitable[object]]


def run(which: str, load: Load, folder: Path) -> Sample:
    """Run a script in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.scripts", which, str(folder)]
    done = subprocess.run(
        command,
        input=msgspec.json.encode(load),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=clean_environment(),
        timeout=300,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Sample)


async def bare(load: Load, folder: Path) -> Sample:
    """Post with aiohttp, read with orjson, decode with pybase64, write."""
    url = f"{load.url}/v1/models/{MODEL}:generateContent"
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"x-goog-api-key": "any", "content-type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def render(text: str, path: Path) -> None:
            asked = {
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": {"responseModalities": ["IMAGE"]},
            }
            async with session.post(url, data=orjson.dumps(asked)) as response:
                answer = orjson.loads(await response.read())
            image = answer["candidates"][0]["content"]["parts"][0]["inlineData"]["data"]
            _write(path, pybase64.b64decode(image, validate=True))

        return await timed(render, load, folder)


async def sdk(load: Load, folder: Path) -> Sample:
    """Ask Google's SDK and write what it decoded."""
    options = types.HttpOptions(base_url=load.url)
    client = genai.Client(api_key="any", http_options=options)
    config = types.GenerateContentConfig(response_modalities=["IMAGE"])

    async def render(text: str, path: Path) -> None:
        answer = await client.aio.models.generate_content(model=MODEL, contents=text, config=config)
        for part in answer.parts or []:
            if part.inline_data and part.inline_data.data:
                _write(path, part.inline_data.data)

    return await timed(render, load, folder)


def _write(path: Path, image: bytes) -> None:
    path.write_bytes(image)


async def timed(render: Render, load: Load, folder: Path) -> Sample:
    """Render the warm-up, then the timed images, so many at a time."""
    free = asyncio.Semaphore(load.concurrency)
    ends: list[float] = []

    async def one(number: int) -> None:
        async with free:
            await render(prompt(number), folder / f"{number}.image")
            ends.append(time.perf_counter())

    await asyncio.gather(*(one(-number) for number in range(1, WARM + 1)))
    ends.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one(number) for number in range(load.images)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Sample(load.images, wall, cpu, ends=ends)


def main() -> None:
    """Run the script that the command line names."""
    which, folder = sys.argv[1:]
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    script = {"bare": bare, "sdk": sdk}[which]
    sample = asyncio.run(script(load, Path(folder)))
    sys.stdout.buffer.write(msgspec.json.encode(sample))


if __name__ == "__main__":
    main()
