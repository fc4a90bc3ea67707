"""A run's steps, taken on made-up clips and thrown away, for the memory that they need."""

from collections.abc import Sequence

from torch import Tensor, nn

from videomae_cli.data.dataset import collate
from videomae_cli.data.workers import PREFETCH
from videomae_cli.engine.average import Average
from videomae_cli.engine.optim import adamw
from videomae_cli.engine.runtime import Runtime
from videomae_cli.models.recompute import recompute_blocks
from videomae_cli.tasks.made_up import MadeUpClips
from videomae_cli.tasks.resume import TrainingRecipe
from videomae_cli.tasks.training import Job, worker_count


class Trial:
    """What the run would train, to take steps with on made-up clips.

    Args:
        job: Its objective, its parameter groups, its feed.
        recipe: The run's.
        runtime: The run's.
    """

    def __init__(self, job: Job, recipe: TrainingRecipe, runtime: Runtime) -> None:
        optim = recipe.optim
        self._runtime, self._feed = runtime, job.feed
        self._sample = MadeUpClips(recipe, 1)[0, 0]
        objective = job.objective.to(runtime.device).train()
        if recipe.train.recompute:
            recompute_blocks(objective)
        self._optimizer = adamw(job.groups, betas=optim.betas, eps=optim.eps)
        # for evaluation: in the run's precision, without exchanging gradients
        self._model: nn.Module = runtime.accelerator.prepare_model(objective, evaluation_mode=True)
        self._average = Average(objective, recipe.train.ema) if recipe.train.ema else None
        weights = _bytes_of(list(objective.parameters()))
        trained = _bytes_of([p for group in job.groups for p in group["params"]])
        self._exchange = trained if runtime.world > 1 else 0  # the buckets of gradients
        averaged = weights if self._average else 0
        self.fixed = weights + 3 * trained + averaged + self._exchange
        """Bytes of weights, gradients, both moments of AdamW, average and exchange."""
        self._waiting = 0  # bytes that decoded clips take where the model is, per clip of a batch
        if runtime.device.type == "cpu":
            workers = worker_count(recipe.train.workers, runtime)
            self._waiting = PREFETCH * workers * _bytes_of([self._sample["clip"]])

    def take(self, size: int) -> None:
        """Take two steps: in the second, moments and gradients are there from the beginning."""
        batch = self._runtime.to_device(collate([self._sample] * size))
        self._optimizer.zero_grad()
        for number in range(2):
            self._model(**self._feed(batch, 0, number)).loss.backward()
            self._optimizer.step()

    def beside(self, size: int) -> int:
        """Return the bytes that a run takes and a trial does not."""
        return self._exchange + size * self._waiting


def _bytes_of(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
