"""That the chart renders with each of its options, and that a Kubernetes API takes what it renders."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.deploy.chart import CHART, Refused, Values, find, lint, notes, render
from tests.deploy.scenarios import DEMO, LEAST, OPTIONS, SCENARIOS, over
from tests.deploy.schemas import faults, faults_by, file_name, is_kubernetes_own

OLDEST, NEWEST = "1.30", "1.37"
EVERY = pytest.mark.parametrize("values", SCENARIOS.values(), ids=SCENARIOS)


@EVERY
def test_helm_finds_nothing_to_complain_of(values: Values):
    assert lint(values) == []


@EVERY
def test_every_object_is_what_the_oldest_and_the_newest_kubernetes_take(values: Values):
    for made in render(values):
        versions = (OLDEST, NEWEST) if is_kubernetes_own(made) else (NEWEST,)
        assert [fault for version in versions for fault in faults(made, version)] == []


@pytest.mark.skipif(
    "QUIRE_CRD_SCHEMAS" not in os.environ, reason="QUIRE_CRD_SCHEMAS names no directory of operators' full schemas"
)
def test_every_operators_object_is_what_its_whole_schema_takes():
    directory = Path(os.environ["QUIRE_CRD_SCHEMAS"])
    objects = [made for values in SCENARIOS.values() for made in render(values) if not is_kubernetes_own(made)]
    objects = [made for made in objects if (directory / file_name(made)).exists()]
    assert {made["kind"] for made in objects} >= {"ScaledObject", "PrometheusRule", "PodMonitor", "Cluster"}
    assert [fault for made in objects for fault in faults_by(directory, made)] == []


@EVERY
def test_no_two_objects_have_one_name(values: Values):
    names = Counter((made["kind"], made["metadata"]["name"]) for made in render(values))
    assert [name for name, times in names.items() if times > 1] == []


@EVERY
def test_no_object_names_a_namespace_so_that_it_fits_in_any(values: Values):
    assert [made["metadata"]["name"] for made in render(values) if "namespace" in made["metadata"]] == []


def test_two_releases_fit_into_one_namespace():
    first, second = ({(made["kind"], made["metadata"]["name"]) for made in render(DEMO, release)} for release in ("one", "two"))
    assert first.isdisjoint(second)


def test_a_release_may_have_a_long_name():
    assert max(len(made["metadata"]["name"]) for made in render(SCENARIOS["everything at once"], "q" * 53)) <= 63


def test_rules_and_dashboard_are_those_of_the_files():
    objects = render(SCENARIOS["monitoring"])
    rules = yaml.safe_load((CHART / "files/rules.yaml").read_text("utf-8"))
    assert find(objects, "PrometheusRule", "rules")["spec"] == rules
    dashboard = json.loads(find(objects, "ConfigMap", "dashboard")["data"]["quire.json"])
    assert dashboard == json.loads((CHART / "files/dashboard.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("option", "stays"),
    [("strimzi", {"KafkaTopic"}), ("cloudnativepg", {"Cluster"}), ("demo with volumes", {"Secret"}), ("demo", set[str]())],
)
def test_what_cannot_be_made_again_stays_when_the_release_goes(option: str, stays: set[str]):
    objects = render(SCENARIOS[option])
    assert {made["kind"] for made in objects if "helm.sh/resource-policy" in made["metadata"].get("annotations", {})} == stays


def test_the_notes_say_loudly_what_a_demo_is():
    assert "NOT FOR FILES THAT MATTER" in notes(DEMO)
    assert "GONE as soon as" in notes(DEMO)
    assert "GONE as soon as" not in notes(SCENARIOS["demo with volumes"])
    assert "NOT FOR FILES" not in notes(LEAST)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("http route", "https://quire.example.com"),
        ("ingress", "Uploads, cancel and retry go to upload.quire.example.com"),
        ("own route", "by your own route"),
        ("keda", "KEDA scales the processors from 1 to 8"),
        ("nobody's access", "everybody who reaches the services may submit and read everything"),
        ("no prepare", "until you have run `prepare`"),
        ("maintenance", "create job --from=cronjob/quire-rebuild"),
        ("strimzi", "the KafkaTopic quire-batches"),
    ],
)
def test_the_notes_say_what_to_do_next(option: str, told: str):
    assert told in notes(SCENARIOS[option])
    assert told not in notes(LEAST)


def test_options_that_exclude_each_other_are_refused():
    for one, other in (("http route", "ingress"), ("demo", "strimzi"), ("demo", "cloudnativepg")):
        with pytest.raises(Refused):
            render(over(SCENARIOS[one], OPTIONS[other]))
