from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.config import TrainConfig, resolve_config
from ldlva.training.losses import dmue as losses
from ldlva.training.losses.pairwise_uncertainty import PairwiseUncertainty
from ldlva.training.methods import Batch, TrainingSet
from ldlva.training.methods.dmue import Dmue
from ldlva.training.runs import Run
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, fit, training_step
from tests.training.conftest import silent

CPU = Compute(torch.device("cpu"), bfloat16=False)
MakeSet = Callable[..., TrainingSet]


def configured(**settings: Any) -> TrainConfig:
    quick: dict[str, Any] = {"backbone": "mobilenet_v2", "image_size": 32, "batch_size": 28, "threads": 1}
    return resolve_config(data="x:y", method="dmue", **(quick | settings))


def built(config: TrainConfig, train: TrainingSet) -> Dmue:
    method = build_method(config, train)
    assert isinstance(method, Dmue)
    return method.train()


def first_batch(config: TrainConfig, train: TrainingSet) -> Batch:
    torch.manual_seed(0)
    return next(iter(batches(train, config, torch.device("cpu"))))


def rows_of(batch: Batch, rows: torch.Tensor) -> Batch:
    return Batch(batch.images[rows], batch.labels[rows], batch.rows[rows], batch.weights[rows])


def test_the_inference_network_is_the_target_branch_with_its_neck(tiny_set: MakeSet) -> None:
    """Neck in eval mode and classifier are one linear layer; the rest of the product sees a plain network."""
    train, config = tiny_set(), configured()
    method, batch = built(config, train), first_batch(config, train)
    for _ in range(3):
        training_step(method, batch, build_optimizer(method, config), CPU)
    with torch.no_grad():  # as after long training
        method.head.neck.weight.uniform_(0.5, 2)
        method.head.neck.bias.normal_()
        method.head.target.weight.normal_()
    method.eval()
    with torch.inference_mode():
        logits, features = method.inference_network()(batch.images)
        trunk, last_stage = method.network.split()
        torch.testing.assert_close(features, last_stage(trunk(batch.images)))
        torch.testing.assert_close(logits, method.head.target(method.head.neck(features)), rtol=1e-4, atol=1e-4)
    assert list(method.inference_network().state_dict()) == list(
        build_method(config.model_copy(update={"method": "ce", "options": {}}), train).network.state_dict()
    )


def test_every_branch_starts_as_the_target_branch(tiny_set: MakeSet) -> None:
    method = built(configured(), tiny_set()).eval()
    trunk, last_stage = method.network.split()
    with torch.inference_mode():
        shared = trunk(torch.randn(2, 1, 32, 32))
        for branch in method.branches:
            torch.testing.assert_close(branch(shared), last_stage(shared))
    assert len({p.data_ptr() for branch in method.branches for p in branch.parameters()}) == sum(
        1 for branch in method.branches for _ in branch.parameters()
    )


def test_a_branch_sees_its_own_class_only_as_a_constant(tiny_set: MakeSet) -> None:
    train, config = tiny_set(), configured()
    method, batch = built(config, train), first_batch(config, train)
    branches = method._branch_features(batch.images, batch.labels)
    for c in range(7):
        assert batch.labels[branches.own_rows[c]].tolist() == [c] * 4
        assert c not in batch.labels[branches.rows[c]].tolist()
        assert len(branches.auxiliary[c]) == 24 and len(branches.own[c]) == 4
        assert branches.auxiliary[c].requires_grad and not branches.own[c].requires_grad


def test_a_batch_that_lacks_a_class_is_left_out_and_counted(tiny_set: MakeSet) -> None:
    train, config = tiny_set(), configured()
    method, batch = built(config, train), first_batch(config, train)
    others, members = (batch.labels != 3).nonzero().flatten(), (batch.labels == 3).nonzero().flatten()
    lacking = rows_of(batch, torch.cat([others, members[:1]]))
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    assert training_step(method, lacking, build_optimizer(method, config), CPU) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.state_dict().items())
    assert training_step(method, batch, build_optimizer(method, config), CPU) is not None
    assert method.epoch_metrics()["skipped_batches"] == 1
    method.start_epoch(1)
    assert method.epoch_metrics()["skipped_batches"] == 0


def test_a_run_that_could_learn_from_no_batch_says_so(tiny_set: MakeSet, tmp_path: Any) -> None:
    train = tiny_set(per_class=16)
    rare = np.flatnonzero((train.labels != 3) | (np.arange(len(train)) < 14))
    config = configured(sampling="uniform", batch_size=14, epochs=1)
    run = Run(tmp_path)
    run.create(config, {})
    with pytest.raises(TrainingError, match=r"not learn from a single batch of epoch 1.*--sampling balanced"):
        fit(built(config, train.subset(rare)), train.subset(rare), None, config, run, silent)


def test_a_batch_too_small_for_two_of_each_is_refused_with_advice(tiny_set: MakeSet) -> None:
    train, config = tiny_set(), configured(batch_size=13)
    with pytest.raises(TrainingError, match=r"2 images of each of the 7 emotions.*13 images.*--batch-size"):
        built(config, train).loss(first_batch(config, train))


def test_emotions_without_training_images_are_left_aside(tiny_set: MakeSet) -> None:
    train = tiny_set()
    train = train.subset(np.flatnonzero(train.labels < 5))
    config = configured(batch_size=20)
    method = built(config, train)
    loss = method.loss(first_batch(config, train))
    assert loss is not None and bool(torch.isfinite(loss))
    with pytest.raises(TrainingError, match="at least two"):
        built(config, train.subset(np.flatnonzero(train.labels == 2)))


def test_scores_leave_absent_classes_out_of_the_scaling() -> None:
    torch.manual_seed(0)
    features, labels = torch.randn(6, 4), torch.tensor([0, 0, 2, 2, 2, 0])
    statistics = PairwiseUncertainty(3).statistics(features, labels)[:, :3]
    assert statistics[:, 1].tolist() == [0] * 6
    assert statistics[:, [0, 2]].sort(dim=1).values.tolist() == [[0, 1]] * 6
    alike = PairwiseUncertainty(3).statistics(torch.ones(6, 4), labels)
    assert bool(torch.isfinite(alike).all())


@pytest.mark.parametrize("variant", ["ours", "code"])
def test_the_authors_defect_is_an_option(tiny_set: MakeSet, variant: str) -> None:
    """In the authors' script no optimiser holds the confidence network and the neck's scale."""
    train, config = tiny_set(), configured(options={"variant": variant})
    method, batch = built(config, train), first_batch(config, train)
    method.start_epoch(50)
    before = {name: tensor.clone() for name, tensor in method.head.named_parameters()}
    training_step(method, batch, build_optimizer(method, config), CPU)
    moved = {name for name, tensor in method.head.named_parameters() if not torch.equal(tensor, before[name])}
    defective = {name for name in before if name.startswith("uncertainty.")} | {"neck.weight"}
    assert {"target.weight", "auxiliary.0.weight", "auxiliary.6.weight"} <= moved
    assert "neck.bias" not in moved
    assert moved & defective == (set() if variant == "code" else defective)


@pytest.mark.parametrize("variant", ["ours", "code"])
def test_stored_neck_statistics_are_those_of_the_predicting_branch(tiny_set: MakeSet, variant: str) -> None:
    """In the authors' script they are mostly those of the auxiliary branches, which come last."""
    train, config = tiny_set(), configured(options={"variant": variant, "dropout": 0})
    method, batch = built(config, train), first_batch(config, train)
    branches = method._branch_features(batch.images, batch.labels)
    method.head(branches, batch.labels, batch.weights)
    assert method.head.neck.running_mean is not None
    expected = 0.1 * branches.target.mean(dim=0)
    assert torch.allclose(method.head.neck.running_mean, expected, atol=1e-5) is (variant == "ours")


def test_the_similarity_weight_is_the_variants_own_unless_chosen() -> None:
    chosen = [
        resolve_config(data="x:y", method="dmue", options=options).options["similarity_weight"]
        for options in ({}, {"variant": "code"}, {"variant": "code", "similarity_weight": 3})
    ]
    assert chosen == [10, 1000, 3]


def test_sample_weights_scale_both_cross_entropies(tiny_set: MakeSet) -> None:
    train, config = tiny_set(), configured(options={"soft_weight": 0, "similarity_weight": 0, "dropout": 0})
    method, batch = built(config, train), first_batch(config, train)
    once, twice = method.loss(batch), method.loss(replace(batch, weights=2 * batch.weights))
    assert once is not None and twice is not None
    torch.testing.assert_close(twice, 2 * once)


def test_ramps_follow_the_epoch(tiny_set: MakeSet) -> None:
    method = built(configured(options={"ramp_epoch": 4}), tiny_set())
    seen = []
    for epoch in (0, 4, 8):
        method.start_epoch(epoch)
        metrics = method.epoch_metrics()
        seen.append((metrics["ramp_up"], metrics["ramp_down"]))
    np.testing.assert_allclose(seen, [(np.exp(-5), 1), (1, 1), (1, np.exp(-0.25))])


def test_latent_distributions_do_not_learn() -> None:
    logits = torch.randn(3, 6, requires_grad=True)
    assert not losses.latent_distribution(logits, 2, 1.2).requires_grad
