"""GPUs of AMD and Apple are found by what their systems show, without a tool or a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from las_jupyter.resources.other_gpus import amd_gpus, apple_gpu, parse_properties, target_name

GIB = 2**30
# As /sys/class/kfd/kfd/topology/nodes/N/properties has them, shortened.
PROCESSOR = "cpu_cores_count 16\nsimd_count 0\nmem_banks_count 1\ndrm_render_minor 0\ngfx_target_version 0\n"
RADEON = "cpu_cores_count 0\nsimd_count 192\ngfx_target_version 110000\nvendor_id 4098\ndrm_render_minor {}\n"


def a_machine(root: Path, nodes: list[str], cards: dict[int, dict[str, str]]) -> Path:
    for at, properties in enumerate(nodes):
        folder = root / f"class/kfd/kfd/topology/nodes/{at}"
        folder.mkdir(parents=True)
        (folder / "properties").write_text(properties)
    for minor, files in cards.items():
        device = root / f"class/drm/renderD{minor}/device"
        device.mkdir(parents=True)
        for name, text in files.items():
            (device / name).write_text(text)
    return root


def card(total: int, used: int, **more: str) -> dict[str, str]:
    return {"mem_info_vram_total": f"{total}\n", "mem_info_vram_used": f"{used}\n", **more}


def test_the_gpus_of_the_compute_driver_are_found_with_their_free_memory(tmp_path):
    nodes = [PROCESSOR, RADEON.format(128), RADEON.format(129)]
    cards = {128: card(24 * GIB, 4 * GIB, product_name="Radeon RX 7900 XTX\n"), 129: card(16 * GIB, 0)}

    first, second = amd_gpus(a_machine(tmp_path, nodes, cards))

    assert first[:5] == ("0", "Radeon RX 7900 XTX", 24 * GIB, 20 * GIB, "amd")
    assert second[:5] == ("1", "AMD gfx1100", 16 * GIB, 16 * GIB, "amd")


def test_a_card_without_the_compute_driver_is_of_no_use_to_a_model(tmp_path):
    assert amd_gpus(a_machine(tmp_path, [], {128: card(24 * GIB, 0)})) == ()


def test_eleven_nodes_are_in_the_order_of_their_numbers(tmp_path):
    nodes = [PROCESSOR, *(RADEON.format(128 + at) for at in range(10))]
    cards = {128 + at: card((at + 1) * GIB, 0) for at in range(10)}

    assert [gpu.memory_total // GIB for gpu in amd_gpus(a_machine(tmp_path, nodes, cards))] == list(range(1, 11))


@pytest.mark.parametrize("text", ["", "simd_count", "simd_count many", "simd_count -4", "\x00\xff simd_count 4 4"])
def test_properties_that_make_no_sense_give_no_gpu(tmp_path, text):
    assert amd_gpus(a_machine(tmp_path, [text], {})) == ()


def test_a_gpu_whose_memory_is_not_told_is_found_without_it(tmp_path):
    assert amd_gpus(a_machine(tmp_path, [RADEON.format(128)], {}))[0].memory_total == 0


def test_a_node_that_cannot_be_read_does_not_cost_the_others(tmp_path):
    root = a_machine(tmp_path, [RADEON.format(128), RADEON.format(129)], {129: card(GIB, 0)})
    (root / "class/kfd/kfd/topology/nodes/0/properties").unlink()

    assert [gpu.memory_total for gpu in amd_gpus(root)] == [GIB]


@pytest.mark.parametrize(("version", "name"), [(90010, "gfx90a"), (100300, "gfx1030"), (110501, "gfx1151"), (0, "GPU")])
def test_the_name_of_the_instruction_set_is_written_as_rocm_does(version, name):
    assert target_name(version) == f"AMD {name}"


def test_properties_are_numbers_by_name():
    assert parse_properties(RADEON.format(128))["drm_render_minor"] == 128


MAC = "machdep.cpu.brand_string: Apple M2 Pro\nhw.memsize: {}\n"


@pytest.mark.parametrize(
    ("said", "share"),
    [
        (MAC.format(24 * GIB), 16 * GIB),
        (MAC.format(64 * GIB), 48 * GIB),
        (MAC.format(24 * GIB) + "iogpu.wired_limit_mb: 20480\n", 20 * GIB),
        (MAC.format(24 * GIB) + "iogpu.wired_limit_mb: 0\n", 16 * GIB),
    ],
    ids=["two thirds", "three quarters of a large one", "what was set", "nothing was set"],
)
def test_an_apple_gpu_has_a_share_of_the_machines_memory(said, share):
    gpu = apple_gpu(said, available=18 * GIB)

    assert gpu == ("0", "Apple M2 Pro", share, min(share, 18 * GIB), "apple", True)


@pytest.mark.parametrize(
    "said", ["", "hw.memsize: 1\n", MAC.format("much"), "machdep.cpu.brand_string: Intel(R)\nhw.memsize: 9\n"]
)
def test_another_machine_has_no_apple_gpu(said):
    assert apple_gpu(said) is None
