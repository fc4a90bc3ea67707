"""Every benchmark has help; the step's keys, FLOP and products are right, on a tiny model."""

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode


def test_every_program_answers_help(
    benchmarks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = sorted(path.stem for path in benchmarks.glob("*.py"))
    helpless = []
    monkeypatch.setattr(sys, "argv", ["program", "--help"])
    for name in programs:
        with pytest.raises(SystemExit) as stopped:
            import_module(name).main()
        if stopped.value.code or "--help" not in capsys.readouterr().out:
            helpless.append(name)

    assert helpless == []
    assert len(programs) > 10


def test_the_step_gives_the_ratios_that_are_asked_for(tmp_path: Path) -> None:
    step, file = import_module("step"), tmp_path / "step.json"
    words = ["--size", "micro", "--clip-size", "32", "--rounds", "1", "--squares", "64"]

    step.run(step.parse([*words, "--device", "cpu", "--busy-ok", "--json", str(file)]))

    content = json.loads(file.read_text())
    assert list(content["ratios"]) == ["micro_default", "micro_bf16", "micro_fp32", "micro_roof"]
    assert set(content["better"].values()) == {"higher"}
    assert content["ratios"]["micro_roof"] > 0
    assert content["bound"].keys() == {"micro"}
    assert content["settings"]["batch"] == [4]


def test_both_sides_train_the_same_model_on_the_same_clips_and_masks() -> None:
    steps = import_module("measuring.training_steps")
    common = "micro", 2, "fp32", "cpu", "clip.size=32"

    losses = [[step() for _ in range(3)] for step in (steps.ours(*common), steps.theirs(*common))]

    # targets of mean 0 and variance 1, predictions near 0: the first losses are about 1
    assert losses[0] == pytest.approx(losses[1], abs=0.2)


def test_every_value_of_recompute_that_a_recipe_may_have_can_be_measured() -> None:
    modes = import_module("memory").recompute_modes()
    ours = import_module("measuring.training_steps").ours
    common = "micro", 2, "fp32", "cpu", "clip.size=32"

    losses = [ours(*common, f"train.recompute={value}")() for value in modes.values()]

    assert "true" in modes.values()
    assert losses == [ours(*common)()] * len(modes)


def test_flop_are_those_that_torch_counted_on_the_plain_model() -> None:
    products = import_module("measuring.products")
    recipe = import_module("measuring.training_steps").pretrain_recipe

    # FlopCounterMode, forward and backward of one clip, before attention was written anew; with
    # the fused kernel 210.3 GFLOP for ViT-B
    small, base = (products.flop_per_clip(recipe(size)) for size in ("vits", "vitb"))
    assert small == (64_045_449_216, 68_057_825_280)
    assert base == (202_295_476_224, 210_320_228_352)


def test_the_products_of_a_step_are_all_recorded() -> None:
    products = import_module("measuring.products")
    step = import_module("measuring.training_steps").ours("micro", 2, "fp32", "cpu", "clip.size=32")
    counter = FlopCounterMode(display=False)

    recorded = products.record_products(step)
    with counter:
        step()

    assert sum(product.flop for product in recorded) == counter.get_total_flops()


def test_a_layout_makes_tensors_of_its_shape_and_strides() -> None:
    layout = import_module("measuring.products").Layout
    transposed_T = torch.zeros(3, 4).T

    made = layout.of(transposed_T).make("cpu")

    assert (made.shape, made.stride()) == (transposed_T.shape, transposed_T.stride())


@pytest.mark.skipif(shutil.which("bash") is None, reason="gpu.sh needs bash")
def test_the_gpu_script_needs_a_folder_and_knows_its_benchmarks(
    benchmarks: Path, tmp_path: Path
) -> None:
    def gpu(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", benchmarks / "gpu.sh", *words]
        return subprocess.run(command, capture_output=True, text=True)

    without, unknown = gpu("--dry-run"), gpu("--dry-run", str(tmp_path), "nonsense")

    assert (without.returncode, unknown.returncode) == (2, 1)
    assert "benchmarks/gpu.sh FOLDER" in without.stderr
    assert "no benchmark is called nonsense" in unknown.stderr
