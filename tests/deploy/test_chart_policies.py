"""What holds for every pod that the chart makes, whatever is switched on."""

from __future__ import annotations

import re

import pytest
from tests.deploy.chart import Values, containers, find, pods, render
from tests.deploy.scenarios import DEMO, LEAST, OPTIONS, SCENARIOS, over

EVERY = pytest.mark.parametrize("values", SCENARIOS.values(), ids=SCENARIOS)
SERVICES = ("ingest", "processor", "notifier")
VOLUMES = {"emptyDir", "configMap", "projected", "persistentVolumeClaim"}
SERVER_UIDS = {"kafka": 1000, "postgres": 999, "s3": 1000}


@EVERY
def test_every_pod_is_as_restricted_as_kubernetes_can_say(values: Values):
    for component, pod in pods(render(values)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == SERVER_UIDS.get(component, 10001)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"} & spec.keys()
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not [port for port in container.get("ports", []) if "hostPort" in port]


@EVERY
def test_no_pod_has_a_token_for_kubernetes_or_the_names_of_its_neighbours(values: Values):
    objects = render(values)
    accounts = {made["metadata"]["name"]: made for made in objects if made["kind"] == "ServiceAccount"}
    for _, pod in pods(objects):
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False
        assert accounts[pod["spec"]["serviceAccountName"]]["automountServiceAccountToken"] is False


def test_every_service_has_an_account_of_its_own():
    deployments = [made for made in render(LEAST) if made["kind"] == "Deployment"]
    assert len({made["spec"]["template"]["spec"]["serviceAccountName"] for made in deployments}) == len(SERVICES)


@EVERY
def test_every_container_has_requests_and_limits(values: Values):
    for _, pod in pods(render(values)):
        for container in containers(pod):
            for amounts in ("requests", "limits"):
                assert container["resources"][amounts].keys() >= {"cpu", "memory"}


@EVERY
def test_every_image_says_which_one(values: Values):
    for _, pod in pods(render(values)):
        for container in containers(pod):
            assert re.search(r"(:[0-9][\w.-]*|@sha256:[0-9a-f]{64})$", container["image"]), container["image"]


@EVERY
def test_what_a_container_writes_to_is_bounded_and_gone_with_its_pod(values: Values):
    objects = render(values)
    for component, pod in pods(objects):
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in containers(pod):
            for mount in container["volumeMounts"]:
                if not mount.get("readOnly") and mount["name"] in volumes:
                    assert "sizeLimit" in volumes[mount["name"]]["emptyDir"], component
        assert all(VOLUMES & volume.keys() for volume in volumes.values())
    assert not [made for made in objects if made["kind"] in {"PersistentVolume", "PersistentVolumeClaim"}]


@EVERY
def test_only_a_demo_that_keeps_its_data_has_volumes_of_one_node(values: Values):
    claims = [claim for made in render(values) for claim in made.get("spec", {}).get("volumeClaimTemplates", [])]
    assert len(claims) == (3 if values.get("demo", {}).get("persistence") else 0)
    assert all(claim["spec"]["accessModes"] == ["ReadWriteOnce"] for claim in claims)


def test_probes_ask_the_ops_port_and_a_dependency_that_is_away_takes_nobody_out_of_service():
    objects = render(LEAST)
    for service in SERVICES:
        (container,) = containers(find(objects, "Deployment", service)["spec"]["template"])
        asked = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
        assert {get["port"] for get in asked.values()} == {"ops"}
        assert asked["startup"]["path"] == asked["liveness"]["path"] == "/livez"
        only_itself = "/readyz?exclude=log&exclude=storage&exclude=database"
        assert asked["readiness"]["path"] == ("/readyz" if service == "processor" else only_itself)


def test_a_roll_takes_no_replica_of_ingest_and_notifier_away_before_the_next_is_ready():
    objects = render(LEAST)
    for service in ("ingest", "notifier"):
        spec = find(objects, "Deployment", service)["spec"]
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert containers(spec["template"])[0]["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5


def test_every_pod_can_be_sent_to_nodes_of_its_own():
    everywhere = over(SCENARIOS["other nodes"], OPTIONS["maintenance"])
    for component, pod in pods(render(everywhere)):
        assert pod["spec"].get("nodeSelector") == {"pool": "quire"}, component
        assert pod["spec"].get("tolerations") == [{"key": "quire", "operator": "Exists"}], component


def test_selectors_select_the_pods_that_they_are_for():
    objects = render(SCENARIOS["demo with all that fits"])
    labels = {component: pod["metadata"]["labels"] for component, pod in pods(objects)}
    selecting = {
        "Deployment": lambda spec: spec["selector"]["matchLabels"],
        "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "PodMonitor": lambda spec: spec["selector"]["matchLabels"],
        "Service": lambda spec: spec["selector"],
    }
    for made in objects:
        if made["kind"] in selecting:
            wanted = selecting[made["kind"]](made["spec"])
            selected = {component for component, has in labels.items() if wanted.items() <= has.items()}
            assert selected == {made["metadata"]["labels"]["app.kubernetes.io/component"]}


@EVERY
def test_processors_have_exactly_one_scaler_which_never_stops_the_last(values: Values):
    objects = render(values)
    replicas = find(objects, "Deployment", "processor")["spec"].get("replicas")
    scaled = [made["spec"] for made in objects if made["kind"] == "ScaledObject"]
    assert len(scaled) == (replicas is None)
    assert not [made for made in objects if made["kind"] == "HorizontalPodAutoscaler"]
    for spec in scaled:
        assert spec["scaleTargetRef"] == {"name": "quire-processor"}
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= 24
        assert "idleReplicaCount" not in spec


@pytest.mark.parametrize(
    ("values", "secret", "key"),
    [
        (over(LEAST, OPTIONS["keda"]), "postgres-keda", "dsn"),
        (over(LEAST, {"keda": {"enabled": True}}), "postgres-notifier", "dsn"),
        (over(DEMO, {"keda": {"enabled": True}}), "quire-demo", "notifier-dsn"),
    ],
)
def test_keda_counts_unfinished_files_by_a_secret_connection(values: Values, secret: str, key: str):
    objects = render(values)
    (trigger,) = find(objects, "ScaledObject", "processor")["spec"]["triggers"]
    assert "sum(total - processed - failed - cancelled)" in trigger["metadata"]["query"]
    (reference,) = find(objects, "TriggerAuthentication", "processor")["spec"]["secretTargetRef"]
    assert reference == {"parameter": "connection", "name": secret, "key": key}


@pytest.mark.parametrize("given", ["", "postgres-of-ours"])
def test_the_roles_of_a_cluster_have_the_passwords_that_the_services_use(given: str):
    own = {"postgres": {"processor": {"secret": given}, "notifier": {"secret": given}}}
    objects = render(over(SCENARIOS["cloudnativepg"], own))
    roles = {
        role["name"]: role["passwordSecret"]["name"] for role in find(objects, "Cluster", "postgres")["spec"]["managed"]["roles"]
    }
    assert roles == {f"quire_{name}": given or f"quire-postgres-{name}" for name in ("processor", "notifier")}
    assert {made["metadata"]["name"] for made in objects if made["kind"] == "Secret"} == (set() if given else {*roles.values()})
    for name in ("processor", "notifier"):
        volumes = find(objects, "Deployment", name)["spec"]["template"]["spec"]["volumes"]
        assert f"'name': '{roles[f'quire_{name}']}', 'items': [{{'key': 'dsn'" in str(volumes)


def test_every_kafka_user_may_do_what_its_service_does_and_no_more():
    allowed = {
        made["metadata"]["name"]: {
            f"{acl['resource']['type']} {acl['resource']['name']}": set(acl["operations"])
            for acl in made["spec"]["authorization"]["acls"]
        }
        for made in render(over(LEAST, OPTIONS["strimzi"], OPTIONS["maintenance"]))
        if made["kind"] == "KafkaUser"
    }
    topic, look = "topic quire.batches", {"Describe", "DescribeConfigs"}
    assert allowed == {
        "quire-ingest": {topic: {*look, "Write"}},
        "quire-processor": {topic: {*look, "Read", "Write"}, "group quire-processor": {"Read"}},
        "quire-notifier": {topic: {*look, "Read"}, "group quire-notifier": {"Read"}},
        "quire-prepare": {topic: look},
        "quire-sweep": {topic: {*look, "Read"}},
        "quire-rebuild": {topic: {*look, "Read"}},
    }


def test_the_route_sends_every_post_to_ingest_and_lets_a_connection_last():
    post, rest = find(render(SCENARIOS["http route"]), "HTTPRoute", "route")["spec"]["rules"]
    assert post["matches"] == [{"method": "POST", "path": {"type": "PathPrefix", "value": "/"}}]
    assert post["backendRefs"] == [{"name": "quire-ingest", "port": 8001}]
    assert rest["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rest["backendRefs"] == [{"name": "quire-notifier", "port": 8000}]
    assert post["timeouts"] == rest["timeouts"] == {"request": "0s"}


def test_the_ingress_sends_uploads_and_one_host_to_ingest_and_all_else_to_the_notifier():
    rules = find(render(SCENARIOS["ingress"]), "Ingress", "route")["spec"]["rules"]
    led = {
        (rule["host"], path["path"], path["pathType"]): path["backend"]["service"]["name"]
        for rule in rules
        for path in rule["http"]["paths"]
    }
    assert led == {
        ("quire.example.com", "/api/documents", "Prefix"): "quire-ingest",
        ("quire.example.com", "/", "Prefix"): "quire-notifier",
        ("upload.quire.example.com", "/", "Prefix"): "quire-ingest",
    }
