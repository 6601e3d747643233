"""The training loop, one for all methods."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ldlva.distributions import FloatArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training.backbones import FaceNetwork
from ldlva.training.config import TrainConfig
from ldlva.training.distributed import ALONE, Group
from ldlva.training.images import augment, to_input
from ldlva.training.initial_weights import load_initial_weights
from ldlva.training.methods import METHODS, Batch, Method, TrainingSet
from ldlva.training.runs import Run
from ldlva.training.small_maps import unroll_small_maps

WARMUP_SHARE = 0.15
"""Share of all steps in which the learning rate rises."""


class Progress(Protocol):
    """Told after every step; `metrics` is set on an epoch's last."""

    def __call__(
        self, stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None
    ) -> None: ...


@dataclass(frozen=True)
class Compute:
    """Where and in which precision the network runs."""

    device: torch.device
    bfloat16: bool

    @classmethod
    def from_config(cls, config: TrainConfig) -> Compute:
        """Resolve `precision` and `threads`, and set torch's thread count."""
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        # By default cuDNN rounds float32 convolutions to ten bits on newer GPUs: not what is called float32 here.
        torch.backends.cudnn.allow_tf32 = False
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if config.precision is not None:
            return cls(device, config.precision == "bfloat16")
        return cls(device, device.type == "cuda" or _cpu_multiplies_bfloat16())

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)


def _cpu_multiplies_bfloat16() -> bool:
    capabilities = torch.backends.cpu.get_cpu_capability()
    return capabilities.startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()


def fit(
    method: Method,
    train: TrainingSet,
    valid: TrainingSet | None,
    config: TrainConfig,
    run: Run,
    progress: Progress,
    stage: str = "train",
    group: Group = ALONE,
) -> None:
    """Train to the last epoch, from the run's checkpoint if it has one, and save the final weights.

    The randomness of an epoch depends on (seed, epoch) alone, so a run killed at any moment and resumed gives the
    numbers of an uninterrupted one, and loses at most one epoch of work. All processes of `group` call this with the
    same arguments, but for a `run` that writes only in the main one.

    Raises:
        TrainingError: the loss is not finite, no batch could be learned from, or the folder cannot be written.
    """
    compute = Compute.from_config(config)
    method.to(compute.device)
    shared = method.share(group)
    if config.compile:
        method.compile_network()
    optimizer = build_optimizer(method, config)
    metrics: list[dict[str, Any]] = []
    first_epoch = 0
    if (state := run.load_checkpoint()) is not None:
        method.load_state_dict(state["method"])
        optimizer.load_state_dict(state["optimizer"])
        first_epoch, metrics = state["epoch"] + 1, state["metrics"]

    steps = max(1, len(train) // config.batch_size)
    for epoch in range(first_epoch, config.epochs):
        started = time.monotonic()
        seed_epoch(config.seed, epoch)
        method.train()
        method.start_epoch(epoch)
        total, learned = 0.0, 0
        for step, batch in enumerate(batches(train, config, compute.device)):
            set_learning_rate(
                optimizer, config.learning_rate * one_cycle((epoch * steps + step) / (config.epochs * steps))
            )
            loss = training_step(method, batch, optimizer, compute, lambda: group.add_up_gradients(shared))
            if loss is not None:
                total, learned = total + loss, learned + 1
            if not math.isfinite(total):
                raise TrainingError(
                    f"The loss stopped being a number in epoch {epoch + 1}, step {step + 1} of {run.folder}. "
                    f"Lower the learning rate (it was {optimizer.param_groups[0]['lr']:.2g})"
                    + (" or use --precision float32." if compute.bfloat16 else ".")
                )
            if step < steps - 1:
                progress(stage, epoch, config.epochs, step + 1, steps, None)
        if not learned:
            raise TrainingError(
                f"{config.method} could not learn from a single batch of epoch {epoch + 1}. "
                "Use --sampling balanced, or a larger --batch-size."
            )
        row: dict[str, Any] = {"epoch": epoch + 1, "loss": total / learned, **method.epoch_metrics()}
        if valid is not None and group.is_main:
            row |= validation_metrics(method.inference_network(), valid, compute)
        row["seconds"] = time.monotonic() - started
        metrics.append(row)
        run.save_checkpoint(
            {"epoch": epoch, "method": method.state_dict(), "optimizer": optimizer.state_dict(), "metrics": metrics}
        )
        run.write_metrics(metrics)
        progress(stage, epoch, config.epochs, steps, steps, row)
    run.write_metrics(metrics)  # again: a run killed right after its last checkpoint comes straight here
    run.save_weights(method.inference_network().state_dict())


def training_step(
    method: Method,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    compute: Compute,
    after_backward: Callable[[], None] = lambda: None,
) -> float | None:
    """One forward, backward and update; returns the loss, or None if the method left the batch out."""
    with compute.autocast():
        loss = method.loss(batch)
    if loss is None:
        return None
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    after_backward()
    optimizer.step()
    method.after_step()
    return float(loss.detach())


def build_method(config: TrainConfig, train: TrainingSet, resumed: bool = False) -> Method:
    """The configured method; initial weights are drawn from the configured seed, then replaced by `config.init`.

    Args:
        config: what to build.
        train: what it will learn from.
        resumed: a checkpoint will replace all weights, so `config.init` need not be there any more.
    """
    torch.manual_seed(config.seed)
    network = FaceNetwork(config.backbone, train.channels, len(EMOTION_NAMES), config.stem)
    if config.init is not None and not resumed:
        load_initial_weights(network, config.init)
    if config.fast_small_maps:
        unroll_small_maps(network)
    return METHODS[config.method](train, network, config.method_options())


def build_optimizer(method: Method, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum; weight decay on weight matrices only, not on norms and biases."""
    # The fused update needs all parameters of a group to get their first gradient in the same step; a method's own
    # networks may join later than the classifier.
    network = list(method.network.parameters())
    own = [p for name, p in method.named_parameters() if not name.startswith("network.")]
    groups = [
        {"params": [p for p in part if (p.ndim > 1) is matrices], "weight_decay": config.weight_decay * matrices}
        for part in (network, own)
        for matrices in (True, False)
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        fused=True,
    )


def one_cycle(position: float) -> float:
    """Share of the peak learning rate at `position` in [0, 1]: linear rise, then cosine fall to 0."""
    if position < WARMUP_SHARE:
        return 0.04 + 0.96 * position / WARMUP_SHARE
    return 0.5 * (1 + math.cos(math.pi * (position - WARMUP_SHARE) / (1 - WARMUP_SHARE)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def seed_epoch(seed: int, epoch: int) -> None:
    """Make everything random in an epoch a function of (seed, epoch)."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def batches(train: TrainingSet, config: TrainConfig, device: torch.device) -> Iterator[Batch]:
    """One epoch in random order; the incomplete last batch is left out (unless it is the only one)."""
    if config.sampling == "balanced":
        order = balanced_order(torch.from_numpy(train.labels), config.batch_size)
    else:
        order = torch.randperm(len(train))
    labels = torch.from_numpy(train.labels)
    class_weights = torch.from_numpy(train.class_weights()).float() if config.class_weights else None
    for start in range(0, max(1, len(train) - config.batch_size + 1), config.batch_size):
        rows = order[start : start + config.batch_size]
        batch = to_input(train.images[rows.numpy()])
        if config.augmentation:
            batch = augment(batch)
        weights = torch.ones(len(rows)) if class_weights is None else class_weights[labels[rows]]
        yield Batch(
            batch.to(device, memory_format=torch.channels_last),
            labels[rows].to(device),
            rows.to(device),
            weights.to(device),
        )


def balanced_order(labels: Tensor, batch_size: int) -> Tensor:
    """Rows of one epoch, drawn so that every class of the training set is equally frequent in every batch.

    This is inverse-frequency sampling (She et al. 2021 draw each row with a chance of 1 over its class's size) with
    the chance taken out: a batch holds as many rows of each class as of any other, up to one, and no row comes again
    before all others of its class have come.

    Args:
        labels: int64 `[N]`.
        batch_size: rows per batch; N if N is smaller.

    Returns:
        int64 `[steps * batch]`, as many steps as an epoch in uniform order has.
    """
    classes = torch.bincount(labels).nonzero().flatten()
    size = min(batch_size, len(labels))
    rounds = -(-size // len(classes))
    drawn = torch.cat(
        [
            torch.cat([classes[torch.randperm(len(classes))] for _ in range(rounds)])[:size]
            for _ in range(max(1, len(labels) // batch_size))
        ]
    )
    order = torch.empty_like(drawn)
    for label in classes:
        places = (drawn == label).nonzero().flatten()
        rows = (labels == label).nonzero().flatten()
        passes = -(-len(places) // len(rows))
        order[places] = torch.cat([rows[torch.randperm(len(rows))] for _ in range(passes)])[: len(places)]
    return order


@torch.inference_mode()
def network_outputs(
    network: FaceNetwork, images: Any, compute: Compute, batch_size: int = 256
) -> tuple[Tensor, Tensor]:
    """Logits `[N, C]` and features `[N, D]`, float32 on the CPU, for uint8 images at the network's size."""
    network.eval()
    logits: list[Tensor] = []
    features: list[Tensor] = []
    for start in range(0, len(images), batch_size):
        with compute.autocast():
            batch_logits, batch_features = network(to_input(images[start : start + batch_size]).to(compute.device))
        logits.append(batch_logits.cpu())
        features.append(batch_features.cpu())
    return torch.cat(logits), torch.cat(features)


def posteriors(network: FaceNetwork, images: Any, compute: Compute) -> FloatArray:
    """Softmax of the logits in float64, `[N, C]`."""
    logits, _ = network_outputs(network, images, compute)
    return np.asarray(torch.softmax(logits.double(), dim=1).numpy())


def validation_metrics(network: FaceNetwork, valid: TrainingSet, compute: Compute) -> dict[str, float]:
    """Accuracy and cross-entropy against the single label; votes play no part in training decisions."""
    logits, _ = network_outputs(network, valid.images, compute)
    labels = torch.from_numpy(valid.labels)
    return {
        "valid_accuracy": float((logits.argmax(dim=1) == labels).double().mean()),
        "valid_cross_entropy": float(nn.functional.cross_entropy(logits, labels)),
    }
