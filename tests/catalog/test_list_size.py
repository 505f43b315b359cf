"""A list of the size of the reference city loads in seconds and in little memory, from each of the three forms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from catalog import likeness
from catalog.export import to_csv_zip, to_yaml
from catalog.load import load_report_bytes

from .large import DEPARTMENTS, RESOURCES, make_large_list, workbook

# Generous: the machine that runs this may be busy. CHANGELOG and the report tell what was measured.
CPU_S = 12
RSS_MIB = 300

# The peak as the kernel has it for this program alone: what getrusage tells begins with that of its parent.
MEASURE = """
import re, sys, time
from pathlib import Path
from catalog.load import load_report
started = time.process_time()
found = load_report(Path(sys.argv[1]))
taken = time.process_time() - started
peak = re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())
print(len(found.faults), len(found.list_.resources), taken, int(peak[1]) / 1024)
"""


@pytest.fixture(scope="module")
def city():
    return make_large_list()


def test_the_city_loads_whole(city):
    assert (len(city.departments), len(city.resources)) == (DEPARTMENTS, RESOURCES)
    assert sum(len(resource.fields) for resource in city.resources) >= 40_000
    found = load_report_bytes(to_csv_zip(city), ".zip", "l.zip")
    assert found.faults == ()
    assert found.list_ == city
    part = make_large_list(resources=100)
    assert load_report_bytes(to_yaml(part).encode(), ".yaml", "l.yaml").list_ == part


def test_a_workbook_of_the_city_takes_seconds_and_little_memory(city, tmp_path):
    path = tmp_path / "l.xlsx"
    path.write_bytes(workbook(city))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    faults, resources, cpu_s, rss_mib = map(float, done.stdout.split())
    assert (faults, resources) == (0, RESOURCES)
    assert cpu_s < CPU_S
    assert rss_mib < RSS_MIB


def test_ten_thousand_names_are_compared_in_proportion_to_their_number(monkeypatch):
    compared = 0
    close = likeness._close

    def counted(*args):
        nonlocal compared
        compared += 1
        return close(*args)

    monkeypatch.setattr(likeness, "_close", counted)
    # All alike but for a number: every pair shares nearly every bigram.
    names = [f"行政许可和行政处罚{number:05d}信用公示" for number in range(10_000)]
    assert likeness.alike(names) == []
    assert compared <= 10_000 * 150
