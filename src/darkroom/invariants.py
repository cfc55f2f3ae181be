"""What must hold in the books at every moment, as queries that must find no row.

They are written in the SQL that SQLite and PostgreSQL share.
"""

from __future__ import annotations

from typing import Final

from darkroom.models import AttemptState, RenderState
from darkroom_manifests.tier import Tier


def _listed_states(*states: AttemptState) -> str:
    return ", ".join(f"'{state}'" for state in states)


_COUNTERS: Final = " OR ".join(
    f"j.{state} <> (SELECT COUNT(*) FROM renders r WHERE r.job_id = j.id AND r.state = '{state}')"  # noqa: S608  # our own enum
    for state in RenderState
)


def _sums(scope: str, where: str = "", group_by: str = "") -> str:
    return f"""
        SELECT {scope} AS scope, COUNT(*) AS attempts, SUM(a.charged_nusd) AS spent,
        SUM(a.at_risk_nusd) AS at_risk,
        SUM(CASE WHEN a.state = 'sent' THEN a.reserved_nusd ELSE 0 END) AS reserved,
        SUM(CASE WHEN a.charged_nusd > a.reserved_nusd
        THEN a.charged_nusd - a.reserved_nusd ELSE 0 END) AS excess
        FROM attempts a {where} {group_by}"""  # noqa: S608  # our own words


_PRETENDED: Final = ", ".join(f"'{tier}'" for tier in Tier if tier.is_simulated)
_IS_REAL: Final = f"WHERE a.tier NOT IN ({_PRETENDED})"
_DAY: Final = "substr(CAST(a.sent_at AS TEXT), 1, 10)"  # see db.read_in_utc
_SUMS: Final = " UNION ALL ".join(
    [
        _sums("'job:' || a.job_id", group_by="GROUP BY a.job_id"),
        _sums(f"'day:' || {_DAY}", _IS_REAL, f"GROUP BY {_DAY}"),
        _sums("'all'", _IS_REAL),
    ]
)
"""What each account should hold, added up from the attempts."""

_OF_ACCOUNTS: Final = {
    "spent is the sum of charges": """
        SELECT c.scope, c.spent_nusd, s.spent FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.spent_nusd <> COALESCE(s.spent, 0)""",
    "at risk is the sum of lost answers": """
        SELECT c.scope, c.at_risk_nusd, s.at_risk FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.at_risk_nusd <> COALESCE(s.at_risk, 0)""",
    "reserved is the sum of open attempts": """
        SELECT c.scope, c.reserved_nusd, s.reserved FROM accounts c
        LEFT JOIN sums s ON s.scope = c.scope WHERE c.reserved_nusd <> COALESCE(s.reserved, 0)""",
    "a cap holds but for charges above their reservation": """
        SELECT c.scope, c.cap_nusd, c.spent_nusd, c.reserved_nusd, c.at_risk_nusd
        FROM accounts c LEFT JOIN sums s ON s.scope = c.scope
        WHERE c.cap_nusd IS NOT NULL AND c.spent_nusd + c.reserved_nusd + c.at_risk_nusd
        > c.cap_nusd + COALESCE(s.excess, 0)""",
    "every attempt is booked on the accounts of its job, its day and everything": """
        SELECT s.scope, s.attempts FROM sums s LEFT JOIN accounts c ON c.scope = s.scope
        WHERE c.scope IS NULL AND s.attempts > 0""",
}

_KNOWN_TO_HAVE_FAILED: Final = _listed_states(
    AttemptState.BUSY,
    AttemptState.NOT_SENT,
    AttemptState.TRANSIENT,
    AttemptState.NO_IMAGE,
    AttemptState.SPOILED,
    AttemptState.DENIED,
    AttemptState.GONE,
)
"""After these a request is sent again by itself."""

_SENT_AGAIN_BY_A_WORD: Final = _listed_states(
    AttemptState.LOST, AttemptState.REFUSED, AttemptState.INVALID
)
"""After these it takes a named rule or a person."""

_ROWS: Final = """
    SELECT job_id, SUM(CASE WHEN turn = 0 THEN 1 ELSE 0 END) AS present,
    SUM(n - made) AS lacking FROM
    (SELECT job_id, n, turn, COUNT(*) AS made FROM renders GROUP BY job_id, row_no, n, turn) counted
    GROUP BY job_id"""
"""For each job the rows that have renders, and how many renders these have too few.

Earlier turns of a row are counted with what they lack, and not as rows.
"""

INVARIANTS: Final[dict[str, str]] = {
    "a row has no more than n renders, each another variant": """
        SELECT job_id, row_no, n, COUNT(*) AS found FROM renders
        GROUP BY job_id, row_no, n HAVING COUNT(*) > n OR COUNT(DISTINCT variant) <> COUNT(*)""",
    # A row that has no render at all lacks one at least: its n is not in the books.
    "an accepted row has n renders but for those that are rendered elsewhere": f"""
        SELECT j.id, j.rows, j.unchanged, j.shared, r.present, r.lacking
        FROM jobs j LEFT JOIN ({_ROWS}) r ON r.job_id = j.id
        WHERE j.loaded_at IS NOT NULL AND (COALESCE(r.present, 0) > j.rows OR
        j.rows - COALESCE(r.present, 0) + COALESCE(r.lacking, 0) > j.unchanged + j.shared)""",  # noqa: S608  # our own words
    "a picture that is made elsewhere leads to a render of a job": """
        SELECT l.job_id, l.row_no, l.variant, l.render_id FROM links l
        LEFT JOIN renders r ON r.id = l.render_id LEFT JOIN jobs j ON j.id = r.job_id
        WHERE j.loaded_at IS NULL AND (r.job_id IS NULL OR r.job_id <> l.job_id)""",
    "a picture is rendered, or made elsewhere, and not both": """
        SELECT job_id, row_no, variant, COUNT(*) AS found FROM
        (SELECT job_id, row_no, variant FROM renders
        UNION ALL SELECT job_id, row_no, variant FROM links) pictures
        GROUP BY job_id, row_no, variant HAVING COUNT(*) > 1""",
    "a job's counters equal its renders": (
        f"SELECT j.id FROM jobs j WHERE j.loaded_at IS NOT NULL AND ({_COUNTERS})"  # noqa: S608  # our own enum
    ),
    "a finished job has nothing unfinished": """
        SELECT id FROM jobs WHERE loaded_at IS NOT NULL
        AND (finished_at IS NOT NULL) <> (held + waiting + pending + sent + submitted = 0)""",
    "a render waits exactly while the image that it changes is on its way": """
        SELECT r.id, r.state, p.state AS parent FROM renders r
        LEFT JOIN renders p ON p.id = r.parent_id
        WHERE r.state = 'waiting' AND (p.id IS NULL
        OR p.state IN ('done', 'refused', 'failed', 'cancelled'))""",
    "a render is sent only when the image that it changes is there": """
        SELECT r.id, r.state, p.state AS parent FROM renders r
        JOIN jobs j ON j.id = r.job_id LEFT JOIN renders p ON p.id = r.parent_id
        WHERE r.edits IS NOT NULL AND j.loaded_at IS NOT NULL
        AND (p.id IS NULL OR p.state <> 'done')
        AND (r.state IN ('pending', 'sent', 'submitted', 'done') OR r.fence > 0)""",
    "a render is sent exactly while it has an open attempt": """
        SELECT r.id, r.state FROM renders r
        LEFT JOIN attempts a ON a.render_id = r.id AND a.state = 'sent'
        WHERE (r.state IN ('sent', 'submitted')) <> (a.id IS NOT NULL)""",
    "an open attempt carries its render's fence": """
        SELECT a.id, a.fence, r.fence AS render_fence FROM attempts a
        JOIN renders r ON r.id = a.render_id WHERE a.state = 'sent' AND a.fence <> r.fence""",
    "attempts are numbered without holes": """
        SELECT render_id, COUNT(*) AS attempts, MAX(fence) AS newest FROM attempts
        GROUP BY render_id HAVING COUNT(*) <> MAX(fence) OR MIN(fence) <> 1""",
    "a render knows its newest attempt": """
        SELECT r.id, r.fence FROM renders r WHERE r.fence <>
        (SELECT COUNT(*) FROM attempts a WHERE a.render_id = r.id)""",
    "nothing is sent again but after a known failure, or by a rule or a person's word": f"""
        SELECT b.id, a.id AS earlier, a.state FROM attempts b JOIN attempts a
        ON a.render_id = b.render_id AND a.fence = b.fence - 1
        WHERE b.fence > 1 AND NOT (a.state IN ({_KNOWN_TO_HAVE_FAILED})
        OR (a.state IN ({_SENT_AGAIN_BY_A_WORD}) AND a.resend_rule IS NOT NULL))""",  # noqa: S608  # our own enum
    "a done render has one delivered attempt and one object": """
        SELECT r.id FROM renders r
        LEFT JOIN attempts a ON a.id = r.attempt_id AND a.state = 'delivered'
        WHERE (r.state = 'done') <> (a.id IS NOT NULL AND r.uri IS NOT NULL
        AND r.sha256 IS NOT NULL)""",
    "what was decided on is an image": """
        SELECT v.render_id, v.decision, r.state FROM reviews v
        LEFT JOIN renders r ON r.id = v.render_id WHERE r.state IS NULL OR r.state <> 'done'""",
    "what was published is an image": """
        SELECT p.schedule_id, p.row_id, p.render_id, r.state FROM publications p
        LEFT JOIN renders r ON r.id = p.render_id WHERE r.state IS NULL OR r.state <> 'done'""",
    "a delivered attempt is its render's": """
        SELECT a.id FROM attempts a JOIN renders r ON r.id = a.render_id
        WHERE a.state = 'delivered' AND (r.attempt_id IS NULL OR r.attempt_id <> a.id)""",
    "an object belongs to one render": """
        SELECT j.storage_url, r.uri, COUNT(*) AS renders FROM renders r
        JOIN jobs j ON j.id = r.job_id WHERE r.uri IS NOT NULL
        GROUP BY j.storage_url, r.uri HAVING COUNT(*) > 1""",
    "a render's money is its attempts'": """
        SELECT r.id FROM renders r WHERE r.charged_nusd <>
        (SELECT COALESCE(SUM(a.charged_nusd), 0) FROM attempts a WHERE a.render_id = r.id)
        OR r.at_risk_nusd <>
        (SELECT COALESCE(SUM(a.at_risk_nusd), 0) FROM attempts a WHERE a.render_id = r.id)""",
    "a failed or open attempt was not charged": """
        SELECT id, state, charged_nusd FROM attempts WHERE charged_nusd > 0 AND state IN
        ('sent', 'busy', 'not-sent', 'transient', 'invalid', 'denied', 'gone')""",
    "an open attempt has a worker or a batch that is not ended": """
        SELECT a.id, a.batch_id FROM attempts a LEFT JOIN workers w ON w.id = a.worker_id
        LEFT JOIN batches b ON b.id = a.batch_id AND b.ended_at IS NULL
        WHERE a.state = 'sent' AND w.id IS NULL AND b.id IS NULL""",
    "a render is submitted exactly while its open attempt travels in a batch": """
        SELECT r.id, r.state, a.batch_id FROM attempts a JOIN renders r ON r.id = a.render_id
        WHERE a.state = 'sent' AND (r.state = 'submitted') <> (a.batch_id IS NOT NULL)""",
    "a batch carries attempts of its own job, tier and model": """
        SELECT a.id, b.id AS batch FROM attempts a JOIN batches b ON b.id = a.batch_id
        WHERE a.job_id <> b.job_id OR a.tier <> b.tier OR a.model <> b.model""",
    "a batch has as many attempts as lines": """
        SELECT b.id, b.lines FROM batches b WHERE b.lines <>
        (SELECT COUNT(*) FROM attempts a WHERE a.batch_id = b.id)""",
    "a batch that runs has a name at its provider, and one that was not asked for has none": """
        SELECT id, state FROM batches WHERE
        (state IN ('running', 'collecting') AND provider_name IS NULL) OR
        (state IN ('building', 'creating', 'missing') AND provider_name IS NOT NULL)""",
    "a batch is looked at again exactly until it is ended": """
        SELECT id, state FROM batches WHERE (state = 'ended') <> (next_at IS NULL)
        OR (state = 'ended') <> (ended_at IS NOT NULL)""",
    # What was reserved has a price; throughput that was bought by the hour costs nothing.
    "a delivered attempt was charged": """
        SELECT id, reserved_nusd, price_version FROM attempts
        WHERE state = 'delivered' AND reserved_nusd > 0 AND charged_nusd = 0
        AND tier <> 'vertex-provisioned'
        AND COALESCE(traffic_type, '') <> 'PROVISIONED_THROUGHPUT'""",
    "a lost attempt is at risk, or was charged when its answer turned up": """
        SELECT id, reserved_nusd FROM attempts
        WHERE state = 'lost' AND reserved_nusd > 0 AND charged_nusd = 0 AND at_risk_nusd = 0""",
} | {name: f"WITH sums AS ({_SUMS}) {query}" for name, query in _OF_ACCOUNTS.items()}
