from videomae_cli.engine import window


def test_a_line_has_the_means_the_worst_step_and_the_last_order() -> None:
    gathered: window.Window = {}
    window.add(gathered, loss=1.0, grad_norm=4.0)
    window.mark_order(gathered, [3, 1])
    window.add(gathered, loss=3.0, grad_norm=2.0)

    figures = window.close(gathered)

    mark = figures.pop("order")
    assert figures == {"loss": 2.0, "loss_max": 3.0, "grad_norm": 3.0, "grad_norm_max": 4.0}
    assert gathered == {}
    window.mark_order(gathered, [1, 3])
    assert gathered["order"] != mark


def test_one_video_alone_has_no_order() -> None:
    gathered: window.Window = {}

    window.mark_order(gathered, [3])

    assert gathered == {}
