"""The tables of the node's figures and of the faults."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.tables import NOT_MEASURED, table
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.summary import table as episodes_table

_STAGES = ("transport", "decode", "publish", "queue", "encode", "rollout", "cost")


def node_report(path: Path) -> str:
    """The figures of `benchmarks.node.measure`."""
    if not path.exists():
        return NOT_MEASURED
    result = json.loads(path.read_text())
    load = result["load"]
    text = (
        f"{result['camera']}; {result['n']['seconds per phase']} s a phase, {result['n']['candidates']} candidates. "
        f"{result['machine']['cpu']}, {result['machine']['cores']} cores, {result['date']}. Load of the machine over "
        f"1 minute: {load['before']['load_1_min']:g} before, {load['after']['load_1_min']:g} after."
    )
    threads = "\n".join(
        f"* *{name}*: " + ", ".join(f"{thread} {used:g} %" for thread, used in phase["cpu_percent_by_thread"].items())
        for name, phase in result["phases"].items()
    )
    return f"{text}\n\n{phases_table(result['phases'])}\n\nProcessor time by thread of the node:\n\n{threads}"


def phases_table(phases: Mapping[str, Mapping[str, Any]]) -> str:
    """p50 / p95 / p99 in ms of each stage and phase."""
    rows = [["images sent, lost", *(f"{phase['images_sent']}, {phase['images_lost']}" for phase in phases.values())]]
    for stage in _STAGES:
        rows.append([stage, *(_cell(phase["stages_ms"].get(stage)) for phase in phases.values())])
    for what, name in (
        ("status_age_ms", "stamp to status"),
        ("score_age_ms", "stamp to score"),
        ("service_minus_model_ms", "service call minus model"),
    ):
        rows.append([name, *(_cell(phase[what]) for phase in phases.values())])
    rows.append(["requests answered, failed", *(", ".join(map(str, p["requests"].values())) for p in phases.values())])
    rows.append(["memory, MB", *(" to ".join(map(str, phase["memory_mb"])) for phase in phases.values())])
    return table(["p50 / p95 / p99 in ms", *phases], rows)


def soak_report(path: Path) -> str:
    """The figures of `benchmarks.node.soak`."""
    if not path.exists():
        return NOT_MEASURED
    result = json.loads(path.read_text())
    parts: Sequence[Mapping[str, Any]] = result["parts"]
    rows = [
        [
            str(number),
            f"{part['memory_mb']:.0f}",
            str(part["images_lost"]),
            _cell(part["status_age_ms"]),
            _cell(part["score_age_ms"]),
            ", ".join(map(str, part["requests"].values())),
            f"{part['load_1_min']:g}",
        ]
        for number, part in enumerate(parts, 1)
    ]
    ratios = ", ".join(f"{what} {value:g}" for what, value in result["end_to_beginning"].items())
    verdict = "Flat" if result["flat"] else "Not flat"
    text = f"{result['n']['seconds']} s, {result['machine']['cpu']}, {result['date']}. {verdict}: {ratios}."
    header = ["part", "memory, MB", "images lost", "stamp to status", "stamp to score", "answered, failed", "load"]
    return f"{text}\n\n{table(header, rows)}"


def real_time_report(path: Path) -> str:
    """Success in real time, in lockstep, and without ROS, from `benchmarks.node.real_time`."""
    if not path.exists():
        return NOT_MEASURED
    records = ResultsFile(path, EpisodeRecord).records()
    return episodes_table(records, "lockstep")


def faults_report(path: Path) -> str:
    """Every fault with its answer and times."""
    if not path.exists():
        return NOT_MEASURED
    result = json.loads(path.read_text())
    loads = [row["load_1_min"] for row in result["rows"]]
    text = (
        f"{len(result['rows'])} faults, each once. {result['machine']['cpu']}, {result['machine']['cores']} cores, "
        f"load of the machine {min(loads):g} to {max(loads):g}, {result['date']}."
    )
    ordered = sorted(
        result["rows"], key=lambda row: list(dict.fromkeys(r["group"] for r in result["rows"])).index(row["group"])
    )
    parts = [text]
    for group, rows in groupby(ordered, key=lambda row: row["group"]):
        cells = [
            [r["sent"], r["answered"], f"{r['answered_s']:.1f}", f"{r['recovered_s']:.1f}", f"`{r['name']}`"]
            for r in rows
        ]
        header = ["what was sent", "what was answered", "answer, s", "recovery, s", "case"]
        body = "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---", "---", "---:", "---:", "---"], *cells))
        parts.append(f"## {group}\n\n{body}")
    return "\n\n".join(parts)


def surprise_report(path: Path) -> str:
    """The alarm of the topic ~/surprise, from `benchmarks.node.surprise`."""
    if not path.exists():
        return NOT_MEASURED
    result = json.loads(path.read_text())
    text = (
        f"`{result['command']}`, {result['date']}: checkpoint `{result['checkpoint']}`, motion `{result['motion']}`, "
        f"{result['n']['episodes']} episodes, {result['minutes']:g} minutes and {result['latents']} latents without a "
        "disturbance. In brackets: 95 % interval."
    )
    return f"{text}\n\n{surprise_table(result)}"


def surprise_table(result: Mapping[str, Any]) -> str:
    """False alarms, and episodes in which a disturbance raised the alarm, by threshold."""
    columns = result["thresholds"]
    rows = [
        ["latents above the threshold", *(_share(column["latents_above"]) for column in columns)],
        ["false alarms per minute", *(f"{column['alarms_per_minute']:g}" for column in columns)],
        ["episodes with a false alarm", *(_share(column["episodes_with_false_alarm"]) for column in columns)],
    ]
    for name in columns[0]["raised"]:
        cells = []
        for column in columns:
            found = column["raised"][name]
            delay = "" if found["median_delay_s"] is None else f", {found['median_delay_s']:g} s"
            cells.append(_share(found) + delay)
        rows.append([name, *cells])
    return table(["threshold", *(f"{column['threshold']:g}" for column in columns)], rows)


def _share(found: Mapping[str, Any]) -> str:
    low, high = (100 * bound for bound in found["interval"])
    return f"{100 * found['count'] / found['of']:.1f} % [{low:.1f}, {high:.1f}]"


def _cell(percentiles: Mapping[str, float] | None) -> str:
    return "" if percentiles is None else " / ".join(f"{percentiles[name]:.1f}" for name in ("p50", "p95", "p99"))
