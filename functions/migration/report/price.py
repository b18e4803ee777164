"""What a migration costs: the target's hours until the report, by the AWS Price List.

The source is paid for as before, and everything else (workers, schedulers and web servers beyond those that an
environment's price includes, the database's storage, logs, S3) depends on what nobody knows beforehand; so the price is
that of the target's environment hours, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from migration import phase_names
from migration.model import Phase
from migration.observability import logger
from migration.times import now, seconds_between

if TYPE_CHECKING:
    from mypy_boto3_pricing import PricingClient

# From then on there is a target. Amazon MWAA may begin to charge later than the creation begins, not earlier.
_BEGINS = phase_names.CREATE_TARGET
_SERVICE = "AmazonMWAA"
_NOT_IN_IT = (
    "Not included: workers, schedulers and web servers beyond those of the class's price, the database's storage, logs "
    "and S3; nor the source, which costs what it did before."
)


class Price(NamedTuple):
    """US dollars, and a sentence that says of what; `on_the_day` is what as many hours of another class cost."""

    usd: float
    basis: str
    on_the_day: float | None = None


def of_target(
    pricing: PricingClient,
    environment: Mapping[str, Any] | None,
    region: str,
    phases: list[Phase],
    class_on_the_day: str = "",
) -> Price | None:
    """The price of a target (GetEnvironment's answer); None where there is no target, or no price of its class.

    `class_on_the_day` is the class that the migration's target will have, where this one is a rehearsal's.
    """
    begun = [phase["started"] for phase in phases if phase["name"] == _BEGINS]
    name = (environment or {}).get("EnvironmentClass")
    if not begun or not name:
        return None
    hourly = _hourly(pricing, str(name), region)
    if hourly is None:
        return None
    hours = seconds_between(min(begun), now()) / 3600
    basis = f"{hours:.2f} hours of {name} in {region} at {hourly:g} USD an hour."
    then = _hourly(pricing, class_on_the_day, region) if class_on_the_day not in ("", name) else None
    on_the_day = None
    if then is not None:
        on_the_day = round(hours * then, 2)
        basis += f" The real target ({class_on_the_day}) costs {then:g} USD an hour, probably for fewer hours."
    return Price(round(hours * hourly, 2), f"{basis} {_NOT_IN_IT}", on_the_day)


def _hourly(pricing: PricingClient, environment_class: str, region: str) -> float | None:
    """US dollars an hour of an environment class such as `mw1.small`. None where nobody says so: never a guess."""
    size = environment_class.partition(".")[2].casefold()
    try:
        found = {
            usd
            for product in _products(pricing, region)
            if str(product["product"]["attributes"].get("size", "")).casefold() == size
            for usd in _hourly_prices(product)
        }
    except (ClientError, BotoCoreError, KeyError, ValueError) as error:
        # Of all that a report says it is the least, so it must not fail one: a function in a VPC may have no way to the
        # Price List, and nothing but its documentation says how a product looks (KeyError, ValueError).
        logger.warning("the Price List has no answer", extra={"error_message": repr(error)})
        return None
    return found.pop() if len(found) == 1 else None


def _products(pricing: PricingClient, region: str) -> Iterator[dict[str, Any]]:
    pages = pricing.get_paginator("get_products").paginate(
        ServiceCode=_SERVICE,
        FormatVersion="aws_v1",
        Filters=[
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
            {"Type": "TERM_MATCH", "Field": "type", "Value": "Environment"},
        ],
    )
    for page in pages:
        for product in page["PriceList"]:
            yield json.loads(str(product))


def _hourly_prices(product: Mapping[str, Any]) -> Iterator[float]:
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            if dimension["unit"] == "Hrs" and "USD" in dimension["pricePerUnit"]:
                yield float(dimension["pricePerUnit"]["USD"])
