"""Every route asked, over a real port, what its description allows and what it forbids; all checks are on.

What is judged is whatever the description names, so routes that come are asked without a word here. How much is asked
is counted in questions, never in seconds: a slow machine asks the same. The routes are dealt out to several tests, each
with a server of its own, so that workers share them; what one answer leads to is asked over all of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    ExamplesPhaseConfig,
    FuzzingPhaseConfig,
    GenerationConfig,
    HealthCheck,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    StatefulPhaseConfig,
)
from schemathesis.engine import events, from_schema
from schemathesis.generation.meta import TestPhase

from perishield.alarms.intake import raise_alarm
from perishield.api.described import operations
from perishield.model.alarms import Event
from perishield.roles.live import Live
from perishield.store.alarms import add_alarm

PARTS = 8
LEAST = 4
"""Questions to each operation, at least: a route without parameters gives rise to no more."""
EXAMPLES = 2
FIRST, EVERY = 5, 40
SCENARIOS, STEPS = 10, 6
SEED = 20260504
FLAW = "AST constructor recursion depth mismatch"
"""CPython issue 106905, mended in 3.11.9: parsing in two threads at once (Hypothesis does) may fail."""
ALL = os.environ.get("PERISHIELD_ASK_ALL") == "1"
"""Every question that the description gives rise to; takes several times as long."""

schemathesis.serializer.alias(["application/sdp", "application/trickle-ice-sdpfrag"], "text/plain")


@dataclass(slots=True)
class Asked:
    """`questions`: requests that were judged, by operation. `broken`: operations that Python broke off."""

    wrong: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    questions: Counter[str] = field(default_factory=Counter)


def some_of_each() -> Callable[[Any, Any], bool]:
    """Lets the first questions of the coverage phase through, and every so many of the others: the same each time."""
    seen: Counter[str] = Counter()

    def kept(_context: Any, case: Any) -> bool:
        if ALL or case.meta is None or case.meta.phase.name is not TestPhase.COVERAGE:
            return True
        number = seen[case.operation.label]
        seen[case.operation.label] += 1
        return number < FIRST or number % EVERY == 0

    return kept


def config(address: str, headers: dict[str, str], *, steps: bool) -> SchemathesisConfig:
    project = ProjectConfig(
        base_url=address,
        headers=headers,
        continue_on_failure=True,
        request_timeout=60,
        checks=ChecksConfig.from_dict(
            {
                # What a schema cannot say is refused with 422 and a sentence: an end before its start, a line that
                # crosses itself, a camera that is none. Files not there are 404, ranges 416.
                "positive_data_acceptance": {
                    "expected-statuses": [
                        *("2xx", "401", "403", "404", "409", "412", "413", "415", "416", "422", "429")
                    ]
                },
                # 428 is the answer to a change without If-Match (RFC 6585, section 3).
                "missing_required_header": {"expected-statuses": ["400", "401", "403", "406", "415", "422", "428"]},
            }
        ),
        phases=PhasesConfig(
            examples=ExamplesPhaseConfig(enabled=not steps),
            coverage=CoveragePhaseConfig(enabled=not steps, unexpected_methods={"trace"}),
            fuzzing=FuzzingPhaseConfig(enabled=not steps),
            stateful=StatefulPhaseConfig(enabled=steps, max_steps=STEPS),
        ),
        generation=GenerationConfig(max_examples=SCENARIOS if steps else EXAMPLES, no_shrink=True, deterministic=True),
    )
    return SchemathesisConfig(
        seed=SEED, suppress_health_check=[HealthCheck.all], projects=ProjectsConfig(default=project)
    )


def ask(site: Any, described: dict[str, Any], labels: Collection[str] | None) -> Asked:
    """`labels`: only these operations; None: all, one after another as their answers lead on.

    What Python itself broke off is asked once more.
    """
    found = ask_once(site, described, labels)
    if found.broken:
        again = ask_once(site, described, None if labels is None else found.broken)
        found.questions += again.questions
        found.wrong += again.wrong + [f"{label}: broken off twice" for label in again.broken]
    return found


def ask_once(site: Any, described: dict[str, Any], labels: Collection[str] | None) -> Asked:
    address = site.url.replace("ws://", "http://")
    whole = schemathesis.openapi.from_dict(described, config=config(address, site.headers, steps=labels is None))
    whole.hook("filter_case")(some_of_each())
    part = whole if labels is None else whole.include(func=lambda context: context.operation.label in labels)
    found = Asked()
    for event in from_schema(part).execute():
        if isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            for case_id in recorder.interactions:
                found.questions[recorder.cases[case_id].value.operation.label] += 1
            for check in (check for checks in recorder.checks.values() for check in checks):
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    told = f"{event.label} {check.name}: {failure.title}: {failure.message}"
                    found.wrong.append(f"{told}\n    {check.failure_info.code_sample}")
        elif isinstance(event, events.NonFatalError | events.FatalError):
            label = str(getattr(event, "label", ""))
            error = getattr(event, "value", getattr(event, "exception", None))
            if isinstance(error, SystemError) and FLAW in str(error) and sys.version_info < (3, 11, 9):
                found.broken.add(label)
            else:
                found.wrong.append(f"{label}: {error!r}")
    return found


@pytest.fixture
async def site(served: Any, live: Live, make_event: Callable[..., Event], make_recorder_for: Callable[..., Any]) -> Any:
    """A server with a camera, footage, a rule, an alarm, and the live process beside it."""
    await served.add_camera(name="Gate")
    recorder = make_recorder_for(served)
    recorder.record(0, 8)
    for row in recorder.rows:
        served.services.footage.closed(row)
    rule = {"kind": "tripwire", "camera": "gate", "name": "Line", "line": [[0.1, 0.5], [0.9, 0.5]]}
    assert (await served.client.post("/api/rules", json=rule)).status_code == 201
    async with served.services.database.write() as session:
        await add_alarm(session, raise_alarm(make_event("e1"), "Gate", recorder.wall))
    return served


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
async def test_the_api_does_what_it_says_and_refuses_the_rest(site: Any, part: int) -> None:
    described = (await site.client.get("/openapi.json")).json()
    labels = labels_of(described)[part::PARTS]
    found = await asyncio.to_thread(ask, site, described, labels)
    assert not found.wrong, "\n".join(found.wrong)
    assert {label: count for label in labels if (count := found.questions[label]) < LEAST} == {}


@pytest.mark.timeout(600)
async def test_what_an_answer_leads_to_keeps_the_promise_too(site: Any) -> None:
    described = (await site.client.get("/openapi.json")).json()
    found = await asyncio.to_thread(ask, site, described, None)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.questions.total() > SCENARIOS


def labels_of(described: dict[str, Any]) -> list[str]:
    return sorted(f"{method.upper()} {path}" for path, method, _ in operations(described))
