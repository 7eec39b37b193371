"""All tables together, and the revision that they are of."""

from __future__ import annotations

from pathlib import Path

from perishield.store import tables_evidence as _tables_evidence  # noqa: F401
from perishield.store import tables_life as _tables_life  # noqa: F401
from perishield.store import tables_outbox as _tables_outbox  # noqa: F401
from perishield.store import tables_people as _tables_people  # noqa: F401
from perishield.store import tables_schedules as _tables_schedules  # noqa: F401
from perishield.store import tables_sums as _tables_sums  # noqa: F401
from perishield.store import tables_tasks as _tables_tasks  # noqa: F401
from perishield.store import tables_tracks as _tables_tracks  # noqa: F401
from perishield.store.tables import Base

MIGRATIONS = Path(__file__).parent / "migrations"
METADATA = Base.metadata
NEWEST = max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("r[0-9]*_*.py"))
"""Each step's file is named after its revision."""
