"""A job's results: written line by line, damaged as its plan says, handed out at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from darkroom_simulator import batch_result
from darkroom_simulator.batch_entry import Entry
from darkroom_simulator.batch_fault import Mishap
from darkroom_simulator.batch_input import InputError
from darkroom_simulator.batch_job import Job, stamp
from darkroom_simulator.batch_state import State
from darkroom_simulator.catalog import Platform
from darkroom_simulator.files import File, Files, Named
from darkroom_simulator.intake import Intake
from darkroom_simulator.problem import Problem
from darkroom_simulator.scratch import Scratch
from darkroom_simulator.storage import Store

JSONL = "application/jsonl"
Line = Sequence[bytes]


class Results:
    """The lines that a job made. They are on disk, and nobody sees them before they are whole."""

    def __init__(self, job: Job, scratch: Scratch) -> None:
        self._job = job
        self._scratch = scratch
        self._files: list[Intake] = []
        self._chance = random.Random(job.seed)  # noqa: S311 - strangers' names, not secrets

    def check(self, store: Store) -> None:
        """Raise InputError if there is no place to put them."""
        if self._job.platform is Platform.VERTEX:
            bucket, _ = self._destination()
            if not store.shelf.has(bucket):
                raise InputError(5, f"The bucket {bucket} does not exist.")

    def add(self, index: int, entry: Entry, result: Problem | Line) -> None:
        """Write a line's result, once, never or several times."""
        file = self._file()
        for line in self._lines(index, entry, result):
            file.write(*line)

    def _file(self) -> Intake:
        job = self._job
        assert job.plan is not None, "a line was worked"
        second = Mishap.TWO_FILES in job.met and job.worked >= job.plan.worked / 2
        while len(self._files) < 1 + second:
            digest = "sha256" if job.platform is Platform.AISTUDIO else "md5"
            self._files.append(Intake(self._scratch.path(), digest))
        return self._files[-1]

    def _lines(self, index: int, entry: Entry, result: Problem | Line) -> Iterator[Line]:
        plan, target = self._job.plan, self._job.target
        assert plan is not None, "a line was worked"
        if plan.meets(Mishap.DROPPED, index):
            return
        if plan.meets(Mishap.MISSING, index):
            entry = batch_result.untagged(entry, target.platform)
        line: Line = batch_result.written(entry, target, result)
        if plan.meets(Mishap.TRUNCATED, index) and not self._job.inline:
            line = half(line)
        yield line
        if plan.meets(Mishap.DUPLICATE, index):
            yield line
        if plan.meets(Mishap.STRANGER, index):
            made_up = batch_result.stranger(entry, target.platform, self._chance)
            yield batch_result.written(made_up, target, result)

    def publish(self, store: Store, files: Files, now: float) -> None:
        """Hand out what there is; raise InputError if its place has gone meanwhile."""
        job = self._job
        job.published = now
        lost = job.state is State.FAILED or (
            job.state is State.EXPIRED and job.platform is Platform.AISTUDIO
        )
        if lost or not self._files:
            return
        if job.platform is Platform.VERTEX:
            self._publish_objects(store)
        elif job.inline:
            job.results, job.place = self._files, "inline"
        else:
            self._publish_file(files)
        self._files = []

    def _publish_file(self, files: Files) -> None:
        job = self._job
        named = Named(f"files/batch-{job.name.removeprefix('batches/')}", mime=JSONL)
        made = files.add(named, self._files[0], made_by_batch=True)
        assert isinstance(made, File), "no other file has a batch's name"
        job.place = made.named.name
        job.outputs = [job.place]

    def _publish_objects(self, store: Store) -> None:
        job = self._job
        bucket, prefix = self._destination()
        if not store.shelf.has(bucket):
            raise InputError(5, f"The bucket {bucket} does not exist.")
        folder = f"prediction-model-{stamp(job.updated)}"
        path = f"{prefix}/{folder}" if prefix else folder
        for number, data in enumerate(self._files, start=1):
            several = f"_{number:04}" if len(self._files) > 1 else ""
            name = f"{path}/predictions{several}.jsonl"
            store.put(bucket, name, data, JSONL)
            job.outputs.append(f"gs://{bucket}/{name}")
        job.place = f"gs://{bucket}/{path}"

    def _destination(self) -> tuple[str, str]:
        uri = self._job.asked["outputConfig"]["gcsDestination"]["outputUriPrefix"]
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        return bucket, prefix.strip("/")

    def drop(self) -> None:
        """Delete what was not handed out."""
        for data in self._files:
            data.drop()


def half(line: Line) -> Line:
    """Cut a line in the middle."""
    whole = b"".join(line)
    return [whole[: len(whole) // 2], b"\n"]
