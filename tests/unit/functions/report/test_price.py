"""The price of a target: requests and answers are checked against the service's API model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from local.mwaa import price_list
from migration.model import Phase
from migration.report import price
from migration.times import now, shifted

REGION = "ap-northeast-1"
ENVIRONMENT = {"EnvironmentClass": "mw1.medium"}
ASKED = {
    "ServiceCode": "AmazonMWAA",
    "FormatVersion": "aws_v1",
    "Filters": [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": REGION},
        {"Type": "TERM_MATCH", "Field": "type", "Value": "Environment"},
    ],
}
PRODUCTS = [
    product for product in price_list._products(REGION) if product["product"]["attributes"]["type"] == "Environment"
]


@pytest.fixture
def pricing() -> Any:
    return boto3.client("pricing", region_name="us-east-1")


@pytest.fixture
def stub(pricing: Any) -> Iterator[Stubber]:
    with Stubber(pricing) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def phases(hours: float) -> list[Phase]:
    begun = shifted(now(), -hours * 3600)
    return [
        Phase(name="plan", started=shifted(begun, -60), ended=begun, seconds=60),
        Phase(name="create target", started=begun, ended=None, seconds=0),
    ]


def answer(products: list[dict[str, Any]]) -> dict[str, Any]:
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in products]}


def test_on_the_day_the_hours_are_of_another_class(pricing: Any, stub: Stubber) -> None:
    for _ in range(2):
        stub.add_response("get_products", answer(PRODUCTS), ASKED)
    found = price.of_target(pricing, {"EnvironmentClass": "mw1.small"}, REGION, phases(2), "mw1.large")
    assert found is not None
    assert (found.usd, found.on_the_day) == (0.98, 1.98)
    assert (
        "at 0.49 USD an hour. The real target (mw1.large) costs 0.99 USD an hour, probably for fewer hours. "
        in found.basis
    )


@pytest.mark.parametrize("on_the_day", ["mw1.medium", ""])
def test_on_the_day_the_class_is_the_same(pricing: Any, stub: Stubber, on_the_day: str) -> None:
    stub.add_response("get_products", answer(PRODUCTS), ASKED)
    found = price.of_target(pricing, ENVIRONMENT, REGION, phases(2), on_the_day)
    assert found is not None
    assert (found.usd, found.on_the_day) == (1.48, None)


def test_hours_of_the_class(pricing: Any, stub: Stubber) -> None:
    # On two pages: the second has what is looked for.
    stub.add_response("get_products", {**answer(PRODUCTS[:1]), "NextToken": "2"}, ASKED)
    stub.add_response("get_products", answer(PRODUCTS[1:]), {**ASKED, "NextToken": "2"})
    found = price.of_target(pricing, ENVIRONMENT, REGION, phases(2.5))
    assert found is not None
    assert found.usd == 1.85
    assert found.basis.startswith(
        "2.50 hours of mw1.medium in ap-northeast-1 at 0.74 USD an hour. Not included: workers,"
    )


def test_a_refusal_is_no_price(pricing: Any, stub: Stubber) -> None:
    stub.add_client_error("get_products", "AccessDeniedException", "no", 400)
    assert price.of_target(pricing, ENVIRONMENT, REGION, phases(1)) is None


def test_no_answer_is_no_price(pricing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://api.pricing.us-east-1.amazonaws.com")

    monkeypatch.setattr(pricing, "_make_api_call", unreachable)
    assert price.of_target(pricing, ENVIRONMENT, REGION, phases(1)) is None


@pytest.mark.parametrize(
    "products",
    [
        [],
        [product for product in PRODUCTS if product["product"]["attributes"]["size"] != "Medium"],
        [{"product": {"attributes": {"size": "Medium"}}, "terms": {}}],
        [{"product": {}}],
        [*PRODUCTS, json.loads(json.dumps(PRODUCTS).replace("0.7400000000", "0.8000000000"))[1]],
    ],
    ids=["none", "other classes", "no terms", "another shape", "two prices"],
)
def test_what_does_not_say_one_price_is_no_price(pricing: Any, stub: Stubber, products: list[dict[str, Any]]) -> None:
    stub.add_response("get_products", answer(products), ASKED)
    assert price.of_target(pricing, ENVIRONMENT, REGION, phases(1)) is None


@pytest.mark.parametrize(("environment", "begun"), [(None, True), ({}, True), (ENVIRONMENT, False)])
def test_nothing_is_asked_without_a_target(pricing: Any, stub: Stubber, environment: Any, begun: bool) -> None:
    assert price.of_target(pricing, environment, REGION, phases(1) if begun else []) is None
