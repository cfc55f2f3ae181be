"""Bugs in what is believed of a proxy, and in where its key and its pictures go."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_PROXY: Final = "tests/contract/test_proxy.py"
_BACKENDS: Final = "worker/darkroom_worker/backends"

PROXIES: Final = (
    Mutant(
        name="redirects-are-followed",
        plants="a redirect is followed, so that a login page is an answer, and sees the key",
        file=f"{_BACKENDS}/proxy.py",
        old="            allow_redirects=False,  # a key must not go where it was not meant for\n",
        new="            allow_redirects=True,\n",
        red=(f"{_PROXY}::test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else",),
    ),
    Mutant(
        name="any-host-is-fetched-from",
        plants="a picture is fetched from whatever host the answer names",
        file=f"{_BACKENDS}/hosted.py",
        old="        self._fetcher = SafeFetcher(allow_hosts)\n",
        new='        self._fetcher = SafeFetcher((*allow_hosts, "127.0.0.1"))\n',
        red=(f"{_PROXY}::test_a_private_host_is_not_fetched_from_unless_it_is_named",),
    ),
    Mutant(
        name="a-lost-hosted-picture-is-free",
        plants="a picture that could not be fetched counts as an error that is not billed",
        file=f"{_BACKENDS}/proxy_answer.py",
        old="        ended=AttemptState.SPOILED,\n        finish_reason=",
        new="        ended=AttemptState.TRANSIENT,\n        finish_reason=",
        red=(f"{_PROXY}::test_a_hosted_picture_that_is_gone_is_booked_and_not_had",),
    ),
    Mutant(
        name="errors-within-a-success-are-passed-over",
        plants="an error within a 200 is an answer without a picture",
        file=f"{_BACKENDS}/proxy_answer.py",
        old="    if (error := _error(document)) is not None:\n",
        new="    if (error := _error({})) is not None:\n",
        red=(f"{_PROXY}::test_what_is_no_answer_has_a_class_and_no_picture",),
    ),
    Mutant(
        name="our-list-before-the-proxys-word",
        plants="the amount that a proxy names is passed over",
        file="worker/darkroom_worker/costing.py",
        old="    if outcome.cost_nusd is not None:\n",
        new="    if outcome.cost_nusd is not None and tier is not Tier.PROXY:\n",
        red=(f"{_PROXY}::test_the_amount_that_the_proxy_names_counts_before_any_list",),
    ),
)
