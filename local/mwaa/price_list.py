"""The AWS Price List's GetProducts, for Amazon MWAA alone.

The prices are those of price_list.json, which says where and when they were read. They are the same in each region.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response

from local.aws.iam.policy_evaluation import Principal
from local.aws.request import AwsRequest
from local.aws.responses import AwsError, json_response

_SERVICE = "AmazonMWAA"
_ANY_REGION = "us-east-1"


class PriceList:
    """Answers requests signed for `pricing`."""

    def handles(self, request: AwsRequest) -> bool:
        return request.service == "pricing"

    def answer(self, request: AwsRequest, environ: dict[str, Any], principal: Principal) -> Response:
        if request.operation.name != "GetProducts":
            raise AwsError("InvalidParameterException", f"{request.operation.name} is not answered here.")
        filters = request.parameters.get("Filters", [])
        if any(item["Type"] != "TERM_MATCH" for item in filters):
            raise AwsError("InvalidParameterException", "Only filters of type TERM_MATCH are known here.")
        wanted = {item["Field"]: item["Value"] for item in filters}
        products = [
            json.dumps(product)
            for product in _products(wanted.get("regionCode", _ANY_REGION))
            if request.parameters["ServiceCode"] == _SERVICE
            and all(product["product"]["attributes"].get(name) == value for name, value in wanted.items())
        ]
        return json_response({"FormatVersion": "aws_v1", "PriceList": products})


def _products(region: str) -> Iterator[dict[str, Any]]:
    content = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    for kind, sizes in content["usd_per_hour"].items():
        for size, usd in sizes.items():
            sku = f"{size}{kind}".upper()[:16]
            yield {
                "product": {
                    "sku": sku,
                    "attributes": {
                        "servicecode": _SERVICE,
                        "servicename": "Amazon Managed Workflows for Apache Airflow",
                        "locationType": "AWS Region",
                        "regionCode": region,
                        "usagetype": f"Airflow-{size}{kind}",
                        "operation": "",
                        "type": kind,
                        "size": size,
                    },
                },
                "serviceCode": _SERVICE,
                "terms": {"OnDemand": {f"{sku}.ONDEMAND": _term(sku, usd, content["read"])}},
                "version": content["read"],
                "publicationDate": f"{content['read']}T00:00:00Z",
            }


def _term(sku: str, usd: str, read: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "effectiveDate": f"{read}T00:00:00Z",
        "offerTermCode": "ONDEMAND",
        "termAttributes": {},
        "priceDimensions": {
            f"{sku}.ONDEMAND.HOURS": {
                "rateCode": f"{sku}.ONDEMAND.HOURS",
                "unit": "Hrs",
                "beginRange": "0",
                "endRange": "Inf",
                "description": f"${usd} per hour",
                "appliesTo": [],
                "pricePerUnit": {"USD": usd},
            }
        },
    }
