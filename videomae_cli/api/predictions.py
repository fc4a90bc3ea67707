"""Predict the labels of videos with a loaded classifier, as `videomae predict` does."""

from videomae_cli.api.results import Prediction
from videomae_cli.api.session import Session, VideoOptions, check_outputs, compute, read_list
from videomae_cli.data.ingest.input_videos import RejectedInput
from videomae_cli.errors import CheckpointError
from videomae_cli.models.classifier import Classifier
from videomae_cli.tasks.evaluate.options import EvalOptions, choose_protocol
from videomae_cli.tasks.evaluate.run_views import Run
from videomae_cli.tasks.predict.items import make_item_views, make_summary, plan_items, read_output
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.result import select_labels


def predict_videos(
    session: Session, videos: object, options: PredictOptions, video_options: VideoOptions
) -> list[Prediction]:
    """Return the predictions for a video or a list, in this order; raises as `Model.predict`."""
    classifier = _require_classifier(session, options)
    config = session.config
    wanted = EvalOptions(protocol=options.protocol, clips=options.clips, crops=options.crops)
    protocol = choose_protocol(config, wanted, session.report)
    clip = protocol.apply(config.clip()).candidates()
    found = read_list(session, videos, protocol, clip, video_options)
    items = plan_items(found.inputs, clip, protocol, options).items
    views = make_item_views(found.inputs, items, clip, protocol)
    run = Run(views, make_summary(protocol, config, has_windows=False), "predicting")
    outputs = compute(session, classifier, run)
    predictions = []
    for output in check_outputs(session, outputs, views, video_options):
        video = found.inputs.videos[output.number]
        for one in read_output(output, items[output.number], video):
            assert not isinstance(one, RejectedInput), "the outputs have been checked"
            classes = config.classes or ()
            top = select_labels(one.score_K, classes, config.task, options.top_k)
            predictions.append(Prediction(one.video, classes, one.score_K, top, config.task))
    return predictions


def _require_classifier(session: Session, options: PredictOptions) -> Classifier:
    file = session.loaded.file
    if not isinstance(session.network, Classifier):
        raise CheckpointError(
            f"{file}: a checkpoint of kind {session.config.kind} has no classes to predict",
            "fine-tune it first: videomae finetune; its features need no classes",
        )
    if session.is_untrained and not options.allow_untrained_head:
        raise CheckpointError(
            f"{file}: its head was never trained, so its predictions mean nothing",
            "fine-tune it first: videomae finetune; or give allow_untrained_head=True",
        )
    return session.network
