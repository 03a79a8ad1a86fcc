"""The operator's API does what its OpenAPI document says, for good input and for bad."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.operators import CONFIG, TOKEN, Api
from web.admin.api.blueprint import ENDPOINTS
from web.admin.api.openapi import document

EXAMPLES = 12
schema = schemathesis.openapi.from_dict(document(ENDPOINTS))


@pytest.fixture(scope="module")
def address(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web process with an admin token."""
    port = free_port()
    folder = Path(tmp_path_factory.mktemp("admin-openapi"))
    with running(Pool(folder, CONFIG, redis_server.url, PLANO_ADMIN_TOKEN=TOKEN)) as pool:
        pool.web(port)
        yield f"http://127.0.0.1:{port}"


def test_the_document_is_valid_and_is_served(address: str) -> None:
    served = Api(address).get("/openapi.json")

    schema.validate()
    assert served.json() == json.loads(json.dumps(document(ENDPOINTS)))
    assert len(served.json()["paths"]) > 10


def test_whatever_changes_something_takes_who_asks() -> None:
    operations = [(method, each) for path in document(ENDPOINTS)["paths"].values() for method, each in path.items()]

    takes = {
        (method, any(given["name"] == "X-Plano-Operator" for given in each["parameters"]))
        for method, each in operations
    }

    assert takes == {("get", False), ("post", True), ("delete", True)}


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_input_is_answered_as_is_declared(case: schemathesis.Case[Any], address: str) -> None:
    """What the document allows is done, what it does not is refused; nobody without the token is answered."""
    answer = case.call(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"})

    if answer.status_code != 414:  # a query that is longer than any address may be
        case.validate_response(answer)
