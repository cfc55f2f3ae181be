"""One image from the real Google: `pytest -m live` with a key set. It costs some cents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.configure import load

pytestmark = pytest.mark.live


def test_ai_studio_draws_one_image_and_says_what_it_cost(tmp_path: Path) -> None:
    if "GEMINI_API_KEY" not in os.environ:
        pytest.skip("LOUD: GEMINI_API_KEY is not set, so nothing was asked of Google")
    flags = {"home": tmp_path / "home", "storage_url": str(tmp_path / "out")}
    with Darkroom(load(flags).settings) as room:
        job = room.submit([{"id": "live", "prompt": "A red paper crane on white"}], max_cost="0.25")

        state = job.wait(300)

        assert state.done == 1
        assert state.spent_nusd > 0
        assert audit(room.database, room.settings.home, deep=True) == []
