from videomae_cli.engine.logging import running_stats as window


def test_a_line_has_the_means_the_worst_step_and_the_last_order() -> None:
    gathered: window.Window = {}
    window.add_step(gathered, loss=1.0, grad_norm=4.0)
    window.record_order(gathered, [3, 1])
    window.add_step(gathered, loss=3.0, grad_norm=2.0)

    figures = window.take_averages(gathered)

    mark = figures.pop("order")
    assert figures == {"loss": 2.0, "loss_max": 3.0, "grad_norm": 3.0, "grad_norm_max": 4.0}
    assert gathered == {}
    window.record_order(gathered, [1, 3])
    assert gathered["order"] != mark


def test_one_video_alone_has_no_order() -> None:
    gathered: window.Window = {}

    window.record_order(gathered, [3])

    assert gathered == {}
