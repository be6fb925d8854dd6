"""That the chart refuses what it does not know or cannot do, and says what to do instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.deploy.chart import Refused, Values, chart_values, render
from tests.deploy.scenarios import DEMO, LEAST, OPTIONS, over

FREE = {"annotations", "podAnnotations", "podLabels", "labels", "dashboardLabels", "nodeSelector", "affinity"}
FREE_PLACES = {("cloudnativepg", "spec"), ("externalSecrets", "secrets")}
"""Where any key may stand, as it is somebody else's."""


def places(values: Values, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every object among the values."""
    if path not in FREE_PLACES and not FREE.intersection(path):
        yield path
        for key, value in values.items():
            if isinstance(value, dict):
                yield from places(value, (*path, key))


@pytest.mark.parametrize("path", [*places(chart_values())], ids=".".join)
def test_a_key_that_is_unknown_is_refused_wherever_it_stands(path: tuple[str, ...]):
    values: Values = {"unheardOf": "x"}
    for key in reversed(path):
        values = {key: values}
    with pytest.raises(Refused, match="unheardOf"):
        render(over(LEAST, values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ingest": {"config": {"QUIRE_MAX_FILE_MB": 10}}}, r"/ingest/config.*QUIRE_MAX_FILE_MB"),
        ({"ingest": {"config": {"QUIRE_MAX_FILE_MIB": 0}}}, r"/ingest/config/QUIRE_MAX_FILE_MIB.*minimum"),
        ({"ingest": {"config": {"QUIRE_MAX_FILE_MIB": "many"}}}, r"/ingest/config/QUIRE_MAX_FILE_MIB.*want integer"),
        ({"processor": {"config": {"QUIRE_BATCH_SIZE": 10}}}, r"/processor/config.*QUIRE_BATCH_SIZE"),
        ({"config": {"QUIRE_GROUP": "both"}}, r"/config.*QUIRE_GROUP"),
        ({"config": {"QUIRE_POSTGRES_DSN": "postgresql://u:p@h/d"}}, r"/config.*QUIRE_POSTGRES_DSN"),
        ({"auth": {"mode": "off"}}, r"/auth/mode.*'jwt', 'none'"),
        ({"kafka": {"bootstrap": "kafka"}}, r"/kafka/bootstrap"),
        ({"keda": {"minReplicas": 0}}, r"/keda/minReplicas.*minimum"),
        ({"image": {"digests": {"ingest": "latest"}}}, r"/image/digests/ingest"),
        ({"ingest": {"resources": {"limits": None}}}, r"/ingest/resources.*limits"),
        ({"networkPolicy": {"clients": [{}]}}, r"/networkPolicy/clients/0"),
    ],
)
def test_a_value_that_will_not_do_is_refused_by_its_place(values: Values, told: str):
    with pytest.raises(Refused, match=told):
        render(over(LEAST, values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "auth.mode: say who may do what"),
        ({}, "kafka.bootstrap: there is no Kafka"),
        ({}, "postgres.owner.secret: there is no Postgres"),
        (over(LEAST, {"auth": {"jwksUrl": "https://sso.example.com/jwks"}}), "needs exactly one of auth.secret.name"),
        (over(LEAST, {"auth": {"secret": {"name": ""}, "jwksUrl": "https://a.example/jwks"}}), "auth.linkSecret.name: links"),
        (
            over(LEAST, {"kafka": {"replication": 1, "minInsyncReplicas": 2}}),
            "kafka.minInsyncReplicas: more than kafka.replication",
        ),
        (over(LEAST, {"kafka": {"securityProtocol": "SASL_SSL"}}), "kafka.users.notifier: SASL_SSL needs a name and a Secret"),
        (over(LEAST, {"processor": {"replicas": 25}}), "processor.replicas: more than kafka.partitions"),
        (over(LEAST, {"keda": {"maxReplicas": 25}}), "keda.maxReplicas: more than kafka.partitions"),
        (over(LEAST, {"keda": {"minReplicas": 9}}), "keda.minReplicas: more than keda.maxReplicas"),
        (over(LEAST, {"httpRoute": {"enabled": True}}), "httpRoute.parentRefs: a route without a gateway"),
        (over(LEAST, {"ingress": {"enabled": True, "host": "a", "ingestHost": "a"}}), "it takes two hosts"),
        (over(LEAST, OPTIONS["http route"], OPTIONS["ingress"]), "pages upload to one place"),
        (over(LEAST, {"maintenance": {"sweep": {"enabled": True}}}), "maintenance.sweep.token.name: sweep asks the notifier"),
        (over(LEAST, {"externalSecrets": {"enabled": True}}), "externalSecrets.store.name"),
        (over(DEMO, {"kafka": {"bootstrap": "kafka:9092"}}), "demo.enabled: it brings Kafka, Postgres and S3 itself"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused_with_what_to_do(values: Values, told: str):
    with pytest.raises(Refused, match=re.escape(told)):
        render(values)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(Refused) as refused:
        render({})
    assert all(f"postgres.{role}.secret" in str(refused.value) for role in ("owner", "processor", "notifier"))
    assert "auth.mode" in str(refused.value)
