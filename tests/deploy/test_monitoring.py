"""Alerts and dashboard, without a stack: they name what there is, they lead somewhere, and each alert fires when it should."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from docs.generate import TARGET, catalogue
from tests.deploy.monitoring import OF_EVERY_SCRAPE, OF_OTHERS, RULES, Selector, alerts, dashboard, grouped_by, panels, selectors

from quire_runtime.metrics import CATALOGUE, SERVICES, Declared

ROOT = Path(__file__).parents[2]
PARTS = ("_bucket", "_sum", "_count")
QUERIES = [(alert.name, alert.expr) for alert in alerts()] + [
    (panel.title, query) for panel in panels() for query in panel.queries
]

for service in SERVICES:
    import_module(f"quire_{service}.metrics")


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_what_alerts_and_panels_ask_for_is_declared_with_these_labels_and_values(name: str, query: str) -> None:
    found = selectors(query)
    assert found
    labels = set(OF_EVERY_SCRAPE)
    for selector in found:
        declared = declaration(selector.metric)
        if declared is not None:
            assert_possible(selector, declared)
            labels |= {*declared.labels, "le"}
        assert declared is not None or selector.metric in OF_OTHERS, f"{name} asks for {selector.metric}"
    assert grouped_by(query) <= labels


def test_the_catalogue_is_made_of_the_declarations() -> None:
    assert TARGET.read_text("utf-8") == catalogue(), "make docs"


def test_every_alert_says_what_it_means_and_leads_to_a_section_that_says_what_to_do() -> None:
    titles = re.findall(r"^### (Quire\w+)$", (ROOT / "docs" / "operate.md").read_text("utf-8"), re.MULTILINE)
    assert titles == [alert.name for alert in alerts()]
    for alert in alerts():
        assert alert.severity in {"critical", "warning", "info"}
        assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
        assert alert.annotations["runbook_url"] == f"docs/operate.md#{alert.name.lower()}"


def test_every_panel_asks_a_question_and_has_a_unit() -> None:
    for panel in panels():
        assert panel.title.endswith("?"), panel.title
        assert panel.unit, panel.title
    titles = [panel.title for panel in panels()]
    assert len(titles) == len(set(titles))


def test_panels_stand_beside_each_other_without_gaps_and_have_ids_of_their_own() -> None:
    places: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        taken = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & places, panel["title"]
        places |= taken
    assert places == {(x, y) for x in range(24) for y in range(max(y for _, y in places) + 1)}


REST = {
    **{f'quire_build_info{{service="{service}", job="quire-{service}", instance="{service}"}}': "1x60" for service in SERVICES},
    **{f'up{{job="quire-{service}", instance="{service}"}}': "1x60" for service in SERVICES},
}
"""Series with which no alert fires."""
ON = 'job="quire", instance="a"'
FIRING: Mapping[str, Mapping[str, str]] = {
    "QuireServiceAbsent": {'quire_build_info{service="processor", job="quire-processor", instance="processor"}': "1x5 stale"},
    "QuireTargetDown": {'up{job="monitoring/quire-ingest", instance="b"}': "0x60"},
    "QuireRestarting": {f"process_start_time_seconds{{{ON}}}": "100x30 200 200 200 300 300 300 400x30"},
    "QuireIngestErrors": {
        f'quire_ingest_request_seconds_count{{operation="upload", status="503", {ON}}}': "0+1x60",
        f'quire_ingest_request_seconds_count{{operation="upload", status="202", {ON}}}': "0+9x60",
    },
    "QuireNotifierErrors": {f'quire_notifier_request_seconds_count{{operation="/api/batches", status="503", {ON}}}': "0+1x60"},
    "QuireNoProgress": {
        f'quire_notifier_unfinished_files{{status="queued", {ON}}}': "25x60",
        f'quire_notifier_files_total{{code="processed", {ON}}}': "100x60",
    },
    "QuireOldestUnfinished": {f'quire_notifier_oldest_unfinished_age_seconds{{status="queued", {ON}}}': "3000+60x60"},
    "QuireBatchSilent": {f"quire_notifier_longest_silence_seconds{{{ON}}}": "0+15x60"},
    "QuireDependencyAway": {f'quire_processor_waiting{{dependency="storage", {ON}}}': "4x60"},
    "QuireFilesFailing": {
        f'quire_notifier_files_total{{code="processed", {ON}}}': "0+3x60",
        f'quire_notifier_files_total{{code="corrupt", {ON}}}': "0+1x60",
    },
    "QuireFilesFailingHere": {f'quire_notifier_files_total{{code="internal", {ON}}}': "0x50 1x10"},
    "QuireAttemptsExhausted": {f'quire_notifier_batch_failures_total{{code="attempts_exhausted", {ON}}}': "0x30 1x30"},
    "QuireRunsBreak": {f'quire_processor_runs_ended_total{{how="broken", {ON}}}': "0x50 1x10"},
    "QuireWorkerKills": {
        f'quire_processor_worker_kills_total{{reason="timeout", {ON}}}': "0+1x60",
        f'quire_processor_files_total{{code="timeout", {ON}}}': "0+1x60",
    },
    "QuireLogUnread": {f'quire_log_assigned_partitions{{group="g", {ON}}}': "0x60"},
    "QuirePartitionsUnplaced": {f'quire_log_unplaced_partitions{{group="g", {ON}}}': "24x60"},
    "QuireConsumerStandsStill": {
        f'quire_log_lag_records{{group="g", {ON}}}': "10x60",
        f'quire_log_consumed_total{{group="g", {ON}}}': "500x60",
    },
    "QuireConsumerLag": {f'quire_log_lag_records{{group="g", {ON}}}': "20000x60"},
    "QuireProjectionLate": {
        f'quire_notifier_projection_age_seconds_bucket{{le="10.0", {ON}}}': "0x60",
        f'quire_notifier_projection_age_seconds_bucket{{le="60.0", {ON}}}': "0+10x60",
        f'quire_notifier_projection_age_seconds_bucket{{le="+Inf", {ON}}}': "0+10x60",
    },
    "QuireRebuildNeeded": {f"quire_notifier_rebuild_needed{{{ON}}}": "1x60"},
    "QuirePublishFailures": {f"quire_log_publish_failed_total{{{ON}}}": "0+1x60"},
    "QuireInvalidRecords": {f"quire_log_invalid_total{{{ON}}}": "0x30 1x30"},
    "QuireUnknownTypes": {f"quire_log_unknown_type_total{{{ON}}}": "0x30 1x30"},
    "QuireScratchFull": {
        f'quire_scratch_free_bytes{{directory="/scratch", {ON}}}': "5x60",
        f'quire_scratch_size_bytes{{directory="/scratch", {ON}}}': "100x60",
    },
    "QuireOpenFiles": {f"process_open_fds{{{ON}}}": "900x60", f"process_max_fds{{{ON}}}": "1024x60"},
    "QuireSlowClients": {
        f'quire_notifier_closed_total{{code="3008", {ON}}}': "0+1x60",
        f"quire_notifier_subscriptions{{{ON}}}": "50x60",
    },
}
QUIET: Mapping[str, Mapping[str, str]] = {
    "QuireServiceAbsent": {},
    "QuireTargetDown": {'up{job="another", instance="b"}': "0x60"},
    "QuireRestarting": {f"process_start_time_seconds{{{ON}}}": "100x30 200x30"},
    "QuireIngestErrors": {
        f'quire_ingest_request_seconds_count{{operation="upload", status="503", {ON}}}': "0x30 1x30",
        f'quire_ingest_request_seconds_count{{operation="upload", status="202", {ON}}}': "0+100x60",
    },
    "QuireNotifierErrors": {f'quire_notifier_request_seconds_count{{operation="/api/batches", status="404", {ON}}}': "0+1x60"},
    "QuireNoProgress": {
        f'quire_notifier_unfinished_files{{status="queued", {ON}}}': "25x60",
        f'quire_notifier_files_total{{code="processed", {ON}}}': "0+1x60",
    },
    "QuireOldestUnfinished": {f'quire_notifier_oldest_unfinished_age_seconds{{status="queued", {ON}}}': "NaN NaN 600x58"},
    "QuireBatchSilent": {f"quire_notifier_longest_silence_seconds{{{ON}}}": "0 15 0 15 0 15 0x60"},
    "QuireDependencyAway": {f'quire_processor_waiting{{dependency="storage", {ON}}}': "0x57 4x2"},
    "QuireFilesFailing": {
        f'quire_notifier_files_total{{code="processed", {ON}}}': "0+99x60",
        f'quire_notifier_files_total{{code="corrupt", {ON}}}': "0+1x60",
        f'quire_notifier_files_total{{code="cancelled", {ON}}}': "0+99x60",
    },
    "QuireFilesFailingHere": {f'quire_notifier_files_total{{code="encrypted", {ON}}}': "0+1x60"},
    "QuireAttemptsExhausted": {f'quire_notifier_batch_failures_total{{code="all_files_failed", {ON}}}': "0+1x60"},
    "QuireRunsBreak": {f'quire_processor_runs_ended_total{{how="given_up", {ON}}}': "0+1x60"},
    "QuireWorkerKills": {
        f'quire_processor_worker_kills_total{{reason="cancelled", {ON}}}': "0+5x60",
        f'quire_processor_files_total{{code="processed", {ON}}}': "0+9x60",
    },
    "QuireLogUnread": {
        f'quire_log_assigned_partitions{{group="g", {ON}}}': "0x60",
        'quire_log_assigned_partitions{group="g", job="quire", instance="b"}': "24x60",
    },
    "QuirePartitionsUnplaced": {f'quire_log_unplaced_partitions{{group="g", {ON}}}': "0x57 24x2"},
    "QuireConsumerStandsStill": {
        f'quire_log_lag_records{{group="g", {ON}}}': "10x60",
        f'quire_log_consumed_total{{group="g", {ON}}}': "0+1x60",
    },
    "QuireConsumerLag": {
        f'quire_log_lag_records{{group="g", {ON}}}': "NaN " * 60,
        'quire_log_lag_records{group="g", job="quire", instance="b"}': "9999x60",
    },
    "QuireProjectionLate": {
        f'quire_notifier_projection_age_seconds_bucket{{le="10.0", {ON}}}': "0+10x60",
        f'quire_notifier_projection_age_seconds_bucket{{le="+Inf", {ON}}}': "0+10x60",
    },
    "QuireRebuildNeeded": {f"quire_notifier_rebuild_needed{{{ON}}}": "0x60"},
    "QuirePublishFailures": {f"quire_log_publish_failed_total{{{ON}}}": "0x20 5x40"},
    "QuireInvalidRecords": {f"quire_log_invalid_total{{{ON}}}": "7x60"},
    "QuireUnknownTypes": {f"quire_log_unknown_type_total{{{ON}}}": "7x60"},
    "QuireScratchFull": {
        f'quire_scratch_free_bytes{{directory="/scratch", {ON}}}': "50x60",
        f'quire_scratch_size_bytes{{directory="/scratch", {ON}}}': "100x60",
    },
    "QuireOpenFiles": {f"process_open_fds{{{ON}}}": "90x60", f"process_max_fds{{{ON}}}": "1024x60"},
    "QuireSlowClients": {
        f'quire_notifier_closed_total{{code="3008", {ON}}}': "0+1x60",
        f"quire_notifier_subscriptions{{{ON}}}": "5000x60",
    },
}


def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there, so no alert was tried (Debian: apt install prometheus)")
    assert FIRING.keys() == QUIET.keys() == {alert.name for alert in alerts()}
    tests = [scene(name, series, fires=True) for name, series in FIRING.items()]
    tests += [scene(name, series, fires=False) for name, series in QUIET.items()]
    path = tmp_path / "scenes.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}), "utf-8")
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def scene(name: str, series: Mapping[str, str], *, fires: bool) -> dict[str, Any]:
    """An hour of these series, in promtool's words."""
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if fires else []
    query = f'group by (alertname) (ALERTS{{alertname="{name}", alertstate="firing"}})'
    return {
        "name": f"{name} {'fires' if fires else 'keeps quiet'}",
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in ({**REST, **series}).items()],
        "promql_expr_test": [{"expr": query, "eval_time": "59m", "exp_samples": expected}],
    }


def declaration(metric: str) -> Declared | None:
    return CATALOGUE.get(base(metric))


def base(metric: str) -> str:
    """The name under which a series is declared: a histogram has three kinds of them."""
    if metric in CATALOGUE:
        return metric
    return next((metric.removesuffix(part) for part in PARTS if metric.endswith(part)), metric)


def assert_possible(selector: Selector, declared: Declared) -> None:
    for label, named in selector.values.items():
        if label in OF_EVERY_SCRAPE:
            continue
        possible = declared.labels[label] if label != "le" else tuple(f"{float(bound)}" for bound in declared.buckets)
        if isinstance(possible, tuple):
            for one in named:
                assert any(re.fullmatch(one, value) for value in possible), f"{selector.metric} has no {label} {one}"
