"""The OpenAPI document holds: whatever is sent, the answer is one that it describes. By schemathesis."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import hypothesis
import pytest
import schemathesis
from attack import drop, recording
from gatewayed import Gatewayed
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.schemas import BaseSchema

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8  # of each operation
MADE_WHEN_ASKED = ("/playback.flac", "/peaks")  # 503 until they are there
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatewayed]:
    """Return both processes, with a recording done."""
    with Gatewayed(tmp_path_factory.mktemp("described")) as site:
        site.start()
        drop(site.inbox / "会议.wav", recording(1, segments=2))
        site.wait_until_done(1)
        yield site
        assert site.stop_gateway() == 0
        assert "Traceback" not in site.gateway_log.read_text(encoding="utf-8")
        assert "gateway_request_failed" not in site.log_text()


@pytest.fixture(scope="module")
def api(site: Gatewayed) -> BaseSchema:
    """Return the document."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{site.port}/api/openapi.json")
    # Events have no end; a wrong token costs its address seconds.
    return schema.exclude(path="/api/v1/events").exclude(path="/api/v1/session", method="POST")


def test_nothing_is_answered_that_is_not_described(site: Gatewayed, api: BaseSchema) -> None:
    """Wrong types, long texts, odd headers, missing bodies, of every operation; some are carried out."""
    headers = {"Authorization": f"Bearer {site.let_in('schemathesis', may='upload,edit')}"}
    problems: list[str] = []
    statuses: set[int] = set()
    every = [found.ok() for found in api.get_all_operations()]
    for operation, mode in itertools.product(every, schemathesis.GenerationMode):

        @hypothesis.given(
            case=operation.as_strategy(generation_mode=mode), is_there=hypothesis.strategies.booleans()
        )
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def check(case: schemathesis.Case, is_there: bool) -> None:
            if is_there and "recording" in case.path_parameters:
                case.path_parameters["recording"] = 1
            answer = case.call(timeout=60, headers=headers)
            statuses.add(answer.status_code)
            being_made = answer.status_code == 503 and operation.path.endswith(MADE_WHEN_ASKED)  # noqa: B023
            case.validate_response(answer, checks=CHECKS[being_made:])

        try:
            check()
        except hypothesis.errors.Unsatisfiable:
            assert mode is schemathesis.GenerationMode.NEGATIVE  # it takes nothing that could be wrong
        except Exception as error:  # noqa: BLE001 (of every operation)
            problems.append(f"{operation.label}: {_told(error)}")
    assert not problems, "\n\n".join(problems)
    assert {200, 400, 403, 404} <= statuses


def _told(error: BaseException) -> str:
    """Return every failure of a group, in full."""
    inner = getattr(error, "exceptions", ())
    return "\n".join(map(_told, inner)) if inner else f"{type(error).__name__}: {error}"
