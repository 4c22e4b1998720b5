"""The API against its own description: whatever is sent, the answer is one that /openapi.json documents."""

from __future__ import annotations

import pytest
from fuzz import Findings, fuzz, start_fuzzed
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from server_ext.handlers.docs import described

SEED = 5
EXAMPLES = 20
NEVER_ANSWERED = {
    "POST /api/download/track",  # 503 on a server that reaches nobody else
    "GET /openapi.json",  # what schemathesis reads itself, it does not test
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("fuzz")
    with start_fuzzed(folder) as (server, known):
        return fuzz(server, known, folder, seed=SEED, examples=EXAMPLES, phases="coverage,fuzzing")


def test_every_answer_is_as_documented(found: Findings) -> None:
    assert not found.failed, found.output
    assert not found.loud, found.loud


def test_every_operation_has_answered_with_what_it_is_for(found: Findings) -> None:
    never = {name for name, statuses in found.statuses.items() if not any(200 <= status < 300 for status in statuses)}
    assert never <= NEVER_ANSWERED


def test_the_description_is_openapi_3_1() -> None:
    document = described()
    Draft202012Validator(OPENAPI_31).validate(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
