"""That the network policies let through exactly the flows of the design."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest
from tests.deploy.chart import Object, Values, pods, render
from tests.deploy.scenarios import DEMO, OPTIONS, SCENARIOS, over

PORTS = (8000, 8001, 9092, 5432, 8333, 9100, 9101, 9111)
HERE = {"kubernetes.io/metadata.name": "somewhere"}


class Party(NamedTuple):
    """A pod: the labels of it and of its namespace."""

    labels: dict[str, str]
    namespace: dict[str, str]


OUTSIDE = {
    "anybody": Party({}, {"kubernetes.io/metadata.name": "elsewhere"}),
    "prometheus": Party({"app.kubernetes.io/name": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"}),
    "keda": Party({"app": "keda-operator"}, {"kubernetes.io/metadata.name": "keda"}),
    "gateway": Party({}, {"kubernetes.io/metadata.name": "gateways"}),
    "dns": Party({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"}),
}


def parties(objects: list[Object]) -> dict[str, Party]:
    return {component: Party(pod["metadata"]["labels"], HERE) for component, pod in pods(objects)} | OUTSIDE


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: dict[str, Any], party: Party) -> bool:
    if "ipBlock" in peer:
        return False
    space = selects(peer["namespaceSelector"], party.namespace) if "namespaceSelector" in peer else party.namespace == HERE
    return space and selects(peer.get("podSelector", {}), party.labels)


def lets(policies: list[Object], direction: str, one: Party, other: Party, port: int) -> bool:
    """Whether `one` may reach `other` (egress) or be reached by it (ingress): where a policy selects it, only by a rule."""
    end = {"ingress": "from", "egress": "to"}[direction]
    mine = [policy["spec"] for policy in policies if one.namespace == HERE and selects(policy["spec"]["podSelector"], one.labels)]
    rules = [rule for spec in mine if direction.title() in spec["policyTypes"] for rule in spec.get(direction, [])]
    return not mine or any(
        port in [item["port"] for item in rule["ports"]] and (end not in rule or any(is_peer(peer, other) for peer in rule[end]))
        for rule in rules
    )


def flows(values: Values, ports: tuple[int, ...] = PORTS) -> set[tuple[str, str, int]]:
    """Every (from, to, port) that gets through, to pods of the release."""
    objects = render(values)
    everybody = parties(objects)
    policies = [made for made in objects if made["kind"] == "NetworkPolicy"]
    return {
        (source, target, port)
        for source, target, port in product(everybody, everybody.keys() - OUTSIDE.keys(), ports)
        if source != target
        and lets(policies, "egress", everybody[source], everybody[target], port)
        and lets(policies, "ingress", everybody[target], everybody[source], port)
    }


INSIDE = {
    ("ingest", "notifier", 8000),
    *((name, "kafka", 9092) for name in ("ingest", "processor", "notifier", "prepare", "sweep", "rebuild")),
    *((name, "postgres", 5432) for name in ("processor", "notifier", "prepare", "rebuild")),
    *((name, "s3", 8333) for name in ("ingest", "processor", "notifier", "prepare", "sweep")),
    ("sweep", "notifier", 8000),
    ("test", "ingest", 8001),
    ("test", "notifier", 8000),
}
MACHINES = {
    ("keda", "postgres", 5432),
    *(("prometheus", name, port) for name, port in (("ingest", 9100), ("notifier", 9101), ("processor", 9111))),
}


def clients(*names: str) -> set[tuple[str, str, int]]:
    return {(name, *target) for name in names for target in (("ingest", 8001), ("notifier", 8000))}


def test_exactly_the_flows_of_the_design_get_through():
    assert flows(SCENARIOS["demo with all that fits"]) == INSIDE | MACHINES | clients(*OUTSIDE)


def test_only_the_clients_that_are_named_reach_the_services():
    named = {"clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}]}
    assert flows(over(SCENARIOS["demo with all that fits"], {"networkPolicy": named})) == INSIDE | MACHINES | clients("gateway")


def test_machines_are_let_in_only_where_they_have_something_to_do():
    plain = over(DEMO, OPTIONS["network policies"], OPTIONS["maintenance"])
    assert flows(plain) == INSIDE | clients(*OUTSIDE)


@pytest.mark.parametrize("option", ["network policies", "narrow network policies", "everything at once"])
def test_every_pod_is_under_a_policy_of_its_own_besides_the_one_that_denies(option: str):
    objects = render(SCENARIOS[option])
    policies = [made["spec"]["podSelector"] for made in objects if made["kind"] == "NetworkPolicy"]
    for component, pod in pods(objects):
        assert sum(selects(selector, pod["metadata"]["labels"]) for selector in policies) == 2, component


def test_a_name_can_be_looked_up_and_nothing_else_asked_of_that_namespace():
    objects = render(SCENARIOS["demo with all that fits"])
    policies = [made for made in objects if made["kind"] == "NetworkPolicy"]
    everybody = parties(objects)
    asking = {name for name in everybody.keys() - OUTSIDE.keys() if lets(policies, "egress", everybody[name], OUTSIDE["dns"], 53)}
    assert asking == everybody.keys() - OUTSIDE.keys() - {"kafka", "postgres", "s3"}
    assert not [name for name in asking if lets(policies, "egress", everybody[name], OUTSIDE["dns"], 443)]


def test_servers_elsewhere_are_reached_at_their_ports_only():
    def reached(option: str, component: str) -> list[tuple[Any, list[int]]]:
        objects = render(SCENARIOS[option])
        (policy,) = [
            made for made in objects if made["kind"] == "NetworkPolicy" and made["metadata"]["name"] == f"quire-{component}"
        ]
        return [(rule.get("to"), [item["port"] for item in rule["ports"]]) for rule in policy["spec"]["egress"]]

    assert reached("network policies", "processor")[:3] == [(None, [9092, 9093]), (None, [5432]), (None, [443])]
    assert reached("narrow network policies", "processor")[:3] == [
        ([{"ipBlock": {"cidr": "10.1.0.0/24"}}], [9092, 9096]),
        ([{"ipBlock": {"cidr": "10.2.0.0/24"}}], [5432]),
        ([{"ipBlock": {"cidr": "10.3.0.0/24"}}], [443]),
    ]
