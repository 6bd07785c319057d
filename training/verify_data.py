"""Read recordings, data sets, stores or token sets completely, and report what is wrong with them."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hwm_core.data.checks.finding import Finding
from hwm_core.data.checks.verification import is_store, verify_metadata, verify_recording
from hwm_core.data.discover import dataset_paths
from hwm_core.data.tokens.onex import find_token_sets
from hwm_core.io.named_path import named_path

from .sources import ReadOptions


def verify(paths: Sequence[Path], reading: ReadOptions) -> int:
    """Print the findings; returns 1 where there are faults."""
    findings = [finding for path in paths for finding in _findings(path, reading)]
    for finding in findings:
        print(f"{finding.level}: {finding.where}: {finding.text}")
    faults = sum(finding.level == "fault" for finding in findings)
    print(f"{faults} faults, {len(findings) - faults} notes")
    return 1 if faults else 0


def _findings(path: Path, reading: ReadOptions) -> list[Finding]:
    findings: list[Finding] = []
    path = named_path(path)
    without_images = find_token_sets(path) or is_store(path)
    if without_images:
        findings += verify_metadata(path)
    found = reading.search_beside_tokens(path) if without_images else reading.search([path])
    findings += [Finding("fault", damaged.name, str(fault)) for damaged, fault in found.damaged]
    findings += [Finding("note", name, f"not used: {reason}") for name, reason in found.unused]
    for dataset in dataset_paths(found.recordings):
        findings += verify_metadata(dataset)
    for recording in tqdm(found.recordings, unit="recording", disable=None):
        findings += verify_recording(recording)
    return findings
