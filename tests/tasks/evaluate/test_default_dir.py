"""Where results are written if --out is not given."""

from pathlib import Path

from videomae_cli.tasks.evaluate.evaluate import default_dir


def test_results_of_a_run_stand_beside_final_which_resuming_replaces() -> None:
    weights = Path("runs/mine/final/model.safetensors")

    assert default_dir(weights, "label-curve") == Path("runs/mine/eval/label-curve")


def test_results_of_other_weights_stand_beside_them() -> None:
    assert default_dir(Path("weights/vitb.pth"), "val-5x3") == Path("weights/eval/val-5x3")
