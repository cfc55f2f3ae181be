"""The stand-in itself: from a call to a reply, with the ledger written in between."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import random
import time
from dataclasses import replace

from darkroom_simulator import bill, faults, openai_answer, openai_problem, spoil
from darkroom_simulator.answer import Answer
from darkroom_simulator.ask import Ask
from darkroom_simulator.call import Call, Reply
from darkroom_simulator.catalog import Catalog, Method, Model, Platform, load
from darkroom_simulator.dialect import DIALECTS
from darkroom_simulator.easel import Easel
from darkroom_simulator.faults import Faults, Name
from darkroom_simulator.flags import Flags
from darkroom_simulator.gallery import HERE, Gallery
from darkroom_simulator.ledger import Ledger, Line
from darkroom_simulator.level import served
from darkroom_simulator.lock import locked
from darkroom_simulator.picture import Picture
from darkroom_simulator.pointed import Pointed
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.quota import Quota
from darkroom_simulator.scenario import Script
from darkroom_simulator.scratch import Scratch
from darkroom_simulator.target import Target

SMALL = 1 << 16  # bytes; larger pieces of an answer are pictures


class Simulator:
    """Google's image models, made of paper."""

    def __init__(self, flags: Flags) -> None:
        self.flags = flags
        self.catalog: Catalog = load()
        self.ledger = Ledger(flags.ledger)
        self.quotas = {platform: Quota(flags.quota_rpm) for platform in Platform}
        self.script = Script(flags.scenario)
        self.easel = Easel()
        self.gallery = Gallery(self.easel)
        self.scratch = Scratch()
        self.pointed: Pointed | None = None
        self._chance = random.Random(flags.seed)  # noqa: S311 - latencies, not secrets

    def reset(self) -> None:
        """Forget what was asked, booked and counted."""
        self.ledger.reset()
        self.script.reset()
        for quota in self.quotas.values():
            quota.reset()

    def close(self) -> None:
        """Stop the threads, close the ledger's file, delete what was on its way."""
        self.easel.close()
        self.scratch.close()
        self.ledger.close()

    async def serve(self, call: Call) -> Reply:
        """Answer one call."""
        problem = locked(call, self.flags.api_keys)
        if problem is not None:
            return self.declined(call, problem)
        target = self.target(call)
        if isinstance(target, Problem):
            return self.declined(call, target)
        ask = DIALECTS[call.method].read(call.body, target, self.catalog)
        if isinstance(ask, Problem):
            return self.declined(call, ask)
        ask = self.fetched(ask)
        if isinstance(ask, Problem):
            return self.declined(call, ask)
        return await self.produce(call, self.formatted(ask))

    def fetched(self, ask: Ask) -> Ask | Problem:
        """Look at the images that a request only points to."""
        if self.pointed is None or not ask.files:
            return ask
        digests = list(ask.reference_sha256)
        for uri in ask.files:
            found = self.pointed.find(uri, ask.target.platform)
            if isinstance(found, Problem):
                return found
            if found is not None:
                digests.append(hashlib.sha256(found.read_bytes()).hexdigest())
        return replace(ask, reference_sha256=tuple(digests))

    def formatted(self, ask: Ask) -> Ask:
        """Ask for the format that all pictures are to have, if one is set."""
        if not self.flags.format:
            return ask
        return replace(ask, mime=f"image/{self.flags.format}")

    def target(self, call: Call) -> Target | Problem:
        """Find the model and the service level."""
        model = self.model(call.name, call.platform)
        spoken = Method.GENERATE if call.method.is_openai else call.method
        if model is None or model.method is not spoken:
            return unknown(call)
        return Target(call.platform, call.location, call.name, model, call.service)

    def model(self, name: str, platform: Platform) -> Model | None:
        """Find a model that is being served there."""
        model = self.catalog.find(name)
        today = dt.datetime.now(dt.UTC).date()
        if model and self.flags.strict_retirement and model.gone(name, platform, today):
            return None
        return model

    async def produce(self, call: Call, ask: Ask) -> Reply:
        """Serve a well-formed request: quota, faults, bill, work, answer."""
        quota = self.quotas[call.platform]
        wait = quota.take(time.monotonic())
        if wait:
            late = faults.over_minute(ask.target, wait, quota.per_minute, "over-quota")
            return self.declined(call, late, ask)
        sighting = self.ledger.sight(digest(ask.prompt))
        try:
            met = self.met(ask, sighting)
        except ValueError as error:
            return self.declined(call, invalid(str(error)), ask)
        problem = DIALECTS[call.method].problem(met, ask.target)
        if problem is not None:
            reply = self.declined(call, problem, ask)
            await asyncio.sleep(faults.delay(met))
            return reply
        if Name.DROP_BEFORE in met:
            self.book(call, ask, outcome=Name.DROP_BEFORE, status=0)
            return Reply(0, [], faults=met)
        return await self.work(call, served(call, ask, met), sighting, met)

    def met(self, ask: Ask, sighting: int) -> Faults:
        """Gather the faults of a request: its magic words, then the scenario's."""
        scripted = self.script.fault(ask, sighting)
        every = [*faults.spoken(ask.prompt), *([scripted] if scripted else [])]
        found = {fault.name: fault for fault in every if not fault.once or sighting == 1}
        return faults.looked_at(found, ask.reference_sha256)

    async def work(self, call: Call, ask: Ask, sighting: int, met: Faults) -> Reply:
        """Book the work, take the time it takes, hand out the answer."""
        answer = openai_answer.altered(DIALECTS[call.method].compose(ask, met), ask, met)
        outcome = "+".join(met) or "image"
        status = 0 if met.keys() & spoil.CUT else 200
        self.book(call, ask, outcome=outcome, status=status, answer=answer)
        await asyncio.sleep(self._chance.uniform(*self.flags.latency) + faults.delay(met))
        pictures = await self.pictures(ask, met, sighting, answer)
        tier = {"x-gemini-service-tier": ask.target.service.value}
        headers = tier if call.platform is Platform.AISTUDIO else {}
        self.hang(ask, met, sighting, answer)
        pieces = placed(answer.pieces(pictures), call)
        return Reply(200, pieces, headers=headers, faults=met)

    def hang(self, ask: Ask, met: Faults, sighting: int, answer: Answer) -> None:
        """Put up the pictures of which the answer tells the address."""
        fault = met[Name.HOSTED].argument if Name.HOSTED in met else ""
        for name in answer.hosted:
            self.gallery.hang(name, self.picture(ask, met, sighting), fault)

    async def pictures(self, ask: Ask, met: Faults, sighting: int, answer: Answer) -> list[bytes]:
        """Draw the pictures of an answer, as base64."""
        picture = self.picture(ask, met, sighting)
        return [spoil.base64(await self.easel.base64(picture), met) for _ in range(answer.pictures)]

    def picture(self, ask: Ask, met: Faults, sighting: int) -> Picture:
        """Say what to draw: the prompt, or one picture a size to be had from the cache."""
        width, height = spoil.size(ask.width, ask.height, met)
        caption = f"{ask.target.model.title}   {width} x {height}   {ask.ratio}"
        if Name.BLANK in met:
            return Picture("", "", width, height, ask.mime, 0, is_blank=True)
        if self.flags.pictures == "cached":
            least = self.flags.body_bytes
            return Picture("Darkroom", caption, width, height, ask.mime, 0, least)
        if Name.SAME in met:
            return Picture("the same", caption, width, height, ask.mime, 0)
        seed = ask.seed if ask.seed is not None else sighting
        return Picture(faults.plain(ask.prompt), caption, width, height, ask.mime, seed)

    def declined(self, call: Call, problem: Problem, ask: Ask | None = None) -> Reply:
        """Book a request that costs nothing and answer its error."""
        self.book(call, ask, outcome=problem.outcome, status=problem.code)
        body = openai_problem.shaped(problem) if call.method.is_openai else problem.body
        headers = {"Location": "/login"} if problem.outcome == Name.MOVED else None
        return Reply(problem.code, [body], problem.content_type, headers)

    def price(self, call: Call, ask: Ask, answer: Answer) -> int:
        """Bill by the call where the proxy does, else by tokens and pictures."""
        if call.platform is Platform.PROXY and self.flags.per_call:
            return self.flags.per_call
        return bill.cost(answer.usage, answer.images, ask.target)

    def book(
        self,
        call: Call,
        ask: Ask | None,
        *,
        outcome: str,
        status: int,
        answer: Answer | None = None,
    ) -> None:
        """Write the ledger's line; only answered work is billed."""
        line = Line(
            seq=self.ledger.number(),
            time=dt.datetime.now(dt.UTC),
            platform=call.platform,
            service=ask.target.service if ask else call.service,
            model=call.name,
            prompt_sha256=digest(ask.prompt) if ask else "",
            outcome=outcome,
            status=status,
            billed=answer is not None,
            images=answer.images if answer else 0,
            cost_nusd=self.price(call, ask, answer) if ask and answer else 0,
            usage=answer.usage if answer else None,
            batch=call.batch,
            headers=call.told,
            references=ask.reference_sha256 if ask else (),
            told=ask.told if ask else {},
            turns=ask.turns if ask else 1,
            signed=ask.signed if ask else 0,
        )
        self.ledger.book(line)


def placed(pieces: list[bytes], call: Call) -> list[bytes]:
    """Write our own address where an answer tells it; pictures are left alone."""
    if call.platform is not Platform.PROXY:
        return pieces
    host = call.headers.get("host", "").encode()
    return [piece.replace(HERE.encode(), host) if len(piece) < SMALL else piece for piece in pieces]


def unknown(call: Call) -> Problem:
    """Say 404 for a model that is not there, or does not answer to the method."""
    place = f"models/{call.name} is not found for API version v1"
    return Problem(404, f"{place}, or is not supported for {call.method}.", "not-found")


def digest(prompt: str) -> str:
    """Name a prompt by its sha256."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
