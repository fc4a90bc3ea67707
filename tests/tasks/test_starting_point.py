import pytest

from videomae_cli.tasks.starting_point import choose_starting_point


@pytest.mark.parametrize(
    ("videos", "has_gpu", "pretrains", "figure"),
    [
        (0, None, False, "73.3 %"),
        (208, False, False, "larger class"),
        (208, True, False, "62.6 and 91.3 %"),
        (10_000, True, False, "73.3 %"),
        (10_001, False, False, "no GPU was found"),
        (10_001, True, False, "compare both"),
        (10_001, None, False, "compare both"),
        (42_000, False, False, "no GPU was found"),
        (42_000, True, True, "69.6 %"),
        (42_000, None, True, "19.5 hours on 64 GPUs"),
    ],
)
def test_the_number_of_videos_and_the_machine_decide(
    videos: int, has_gpu: bool | None, pretrains: bool, figure: str
):
    start = choose_starting_point(videos, "data/x", has_labels=True, has_gpu=has_gpu)

    assert start.pretrains == pretrains
    assert figure in start.reason
    assert start.way.startswith("pretrain" if pretrains else "start from published weights")
    finetune = "videomae finetune --recipe small-data-vits-finetune --data data/x"
    pretrain = "videomae pretrain --recipe k400-vitb --data data/x"
    assert start.command == (pretrain if pretrains else f"{finetune} --checkpoint WEIGHTS")


def test_without_labels_pretraining_goes_on_from_the_weights():
    start = choose_starting_point(208, "data/x", has_labels=False, has_gpu=None)

    assert start.command == (
        "videomae pretrain --recipe small-data-vits --data data/x --checkpoint WEIGHTS"
    )
