"""`python -m workers.accelerators` on real outputs of nvidia-smi, and on damaged ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workers.accelerators.base import Vendor, read, vendors
from workers.accelerators.nvidia import Nvidia
from workers.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[3]
FIELDS = {
    "vendor", "index", "uuid", "model", "memory_total_mib", "memory_used_mib", "utilisation_pct", "temperature_c",
    "power_w", "health", "driver", "processes",
}  # fmt: skip
TABLE = """
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 590.48.01              Driver Version: 590.48.01      CUDA Version: 13.1     |
+-----------------------------------------+------------------------+----------------------+
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:00:09.0 Off |                    0 |
| N/A   59C    P0            632W /  700W |   19818MiB /  81559MiB |    100%      Default |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:00:0A.0 Off |                    0 |
| N/A   31C    P0             70W /  700W |       1MiB /  81559MiB |      0%      Default |
+-----------------------------------------------------------------------------------------+
|    0   N/A  N/A            4242      C   python                                19810MiB |
+-----------------------------------------------------------------------------------------+
"""
CSV = """index, uuid, name, memory.total [MiB], memory.used [MiB], utilization.gpu [%], temperature.gpu, power.draw [W]
0, GPU-aa, NVIDIA L40S, 46068 MiB, 1235 MiB, 9 %, 54, 110.23 W
1, GPU-bb, NVIDIA L40S, 46068 MiB, 0 MiB, [N/A], 40, [Not Supported]
"""


@pytest.fixture(scope="module")
def samples(shared_data):
    return shared_data / "12_fixtures" / "accelerators"


def test_the_table():
    first, second = read(TABLE)
    assert (first.model, first.memory_used_mib, first.memory_total_mib) == ("NVIDIA H100 80GB HBM3", 19818, 81559)
    assert (first.utilisation_pct, first.temperature_c, first.power_w, first.driver) == (
        100.0,
        59.0,
        632.0,
        "590.48.01",
    )
    assert first.processes == [{"pid": 4242, "name": "python", "memory_mib": 19810}]
    assert (second.index, second.processes) == (1, [])


def test_csv():
    first, second = read(CSV)
    assert (first.uuid, first.memory_total_mib, first.power_w) == ("GPU-aa", 46068, 110.23)
    assert (second.utilisation_pct, second.power_w) == (None, None), "null where the tool does not say"


@pytest.mark.parametrize(
    ("file", "model", "total", "driver"),
    [
        ("nvidia_smi_q_x/a100-sxm4-v12.xml", "NVIDIA A100-SXM4-80GB", 81920, "535.54.03"),
        ("nvidia_smi_q_x/gtx-1070-ti.xml", "GeForce GTX 1070 Ti", 4096, None),
        ("nvidia_smi_q_x/tesla-t4.xml", "Tesla T4", 15360, "515.105.01"),
        (
            "nvidia_captures/linux-x86_64__nvidia-h100-80gb-hbm3__590.48.01.txt",
            "NVIDIA H100 80GB HBM3",
            81559,
            "590.48.01",
        ),
        (
            "nvidia_captures/windows-x86_64__nvidia-geforce-rtx-2080-super__591.86.txt",
            "NVIDIA GeForce RTX 2080 SUPER",
            8192,
            "591.86",
        ),
    ],
)
def test_real_outputs(samples, file, model, total, driver):
    device = read((samples / file).read_text())[0]
    assert (device.model, device.memory_total_mib, device.driver, device.health) == (model, total, driver, "ok")


def test_the_command_prints_one_array(samples):
    file = samples / "nvidia_smi_q_x" / "tesla-t4.xml"
    done = subprocess.run(
        [sys.executable, "-m", "workers.accelerators", str(file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (device,) = json.loads(done.stdout)
    assert set(device) == FIELDS and [row["pid"] for row in device["processes"]] == [675, 5762]


def test_a_cut_off_or_hostile_xml_is_refused(samples):
    text = (samples / "nvidia_smi_q_x" / "tesla-t4.xml").read_text()
    bomb = '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><nvidia_smi_log>&b;</nvidia_smi_log>'
    for damaged in (text[: len(text) // 2], bomb):
        with pytest.raises(InvalidInput):
            read(damaged)


def test_what_no_vendor_knows_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear all,\n")
    done = subprocess.run(
        [sys.executable, "-m", "workers.accelerators", str(tmp_path / "letter.txt")],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr and not done.stdout


def test_a_run_sees_only_its_cards():
    assert Nvidia().environment([])["CUDA_VISIBLE_DEVICES"] == ""
    two = [{"vendor": "nvidia", "index": 0, "uuid": "GPU-aa"}, {"vendor": "nvidia", "index": 3, "uuid": ""}]
    assert Nvidia().environment(two)["CUDA_VISIBLE_DEVICES"] == "GPU-aa,3"


def test_every_vendor_is_whole():
    """A new file is tested by being there."""
    for name, vendor in vendors.items():
        assert isinstance(vendor, Vendor) and vendor.name == name
        assert vendor.recognises("") is False
        assert all(isinstance(value, str) for value in vendor.environment([]).values())
        for device in vendor.detect():
            assert set(device.as_json()) == FIELDS and device.vendor == name
