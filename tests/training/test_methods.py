from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ldlva.datasets import FaceDataset
from ldlva.training.backbones import BACKBONES, FaceNetwork, Stem
from ldlva.training.config import resolve_config
from ldlva.training.methods import METHODS, TrainingSet
from ldlva.training.methods.ldlva import Ldlva
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, training_step

CPU = Compute(torch.device("cpu"), bfloat16=False)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_fits_two_batches(name: str, tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    config = resolve_config(
        data="x:y", method=name, image_size=32, batch_size=14, learning_rate=0.02, augmentation=False, threads=1
    )
    method = build_method(config, train)
    optimizer = build_optimizer(method, config)
    method.train()
    for epoch in range(30):  # the normalisation's stored statistics need the steps, not the weights
        method.start_epoch(epoch)
        for batch in batches(train, config, torch.device("cpu")):
            training_step(method, batch, optimizer, CPU)
    method.eval()
    [*both] = batches(train, config, torch.device("cpu"))
    logits = torch.cat([method.network(batch.images)[0] for batch in both])
    labels = torch.cat([batch.labels for batch in both])
    assert float((logits.argmax(dim=1) == labels).float().mean()) >= 0.9


def ldlva_after_one_epoch(train: TrainingSet, batch_size: int = 14) -> Ldlva:
    config = resolve_config(data="x:y", method="ldlva", image_size=32, batch_size=batch_size, threads=1)
    method = build_method(config, train)
    assert isinstance(method, Ldlva)
    method.train()
    method.start_epoch(0)
    optimizer = build_optimizer(method, config)
    for batch in batches(train, config, torch.device("cpu")):
        training_step(method, batch, optimizer, CPU)
    method.start_epoch(1)
    return method


def test_warming_up_fills_the_bank_and_leaves_lambda_alone(tiny_set: Callable[..., TrainingSet]) -> None:
    method = ldlva_after_one_epoch(tiny_set())
    assert bool((method.bank_features.float().abs().sum(dim=1) > 0).all())
    torch.testing.assert_close(method.bank_probabilities.sum(dim=1), torch.ones(28))
    assert bool((method.lambda_hat == 0.5).all())


def test_rows_that_no_batch_held_are_filled_before_the_first_target(tiny_set: Callable[..., TrainingSet]) -> None:
    """28 rows in batches of 5 leave 3 out of every epoch."""
    method = ldlva_after_one_epoch(tiny_set(), batch_size=5)
    assert bool(method.bank_filled.all())
    assert bool((method.bank_features.float().abs().sum(dim=1) > 0).all())
    assert method.network.training


def test_a_step_moves_lambda_of_its_own_rows_only(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    method = ldlva_after_one_epoch(train)
    config = resolve_config(data="x:y", method="ldlva", image_size=32, batch_size=14, threads=1)
    batch = next(iter(batches(train, config, torch.device("cpu"))))
    training_step(method, batch, build_optimizer(method, config), CPU)
    moved = (method.lambda_hat != 0.5).squeeze(1)
    assert sorted(moved.nonzero().flatten().tolist()) == sorted(batch.rows.tolist())
    assert float(method.centers.abs().sum()) > 0


def test_lambda_falls_where_the_neighbours_explain_the_prediction_better(tiny_set: Callable[..., TrainingSet]) -> None:
    """If the network contradicts the label and the neighbours agree with the network, the label loses weight."""
    train = tiny_set()
    method = ldlva_after_one_epoch(train)
    with torch.no_grad():
        method.network.classifier.weight.zero_()
        method.network.classifier.bias.copy_(torch.tensor([5.0, 0, 0, 0, 0, 0, 0]))
        method.bank_probabilities.zero_()[:, 0] = 1.0
    config = resolve_config(data="x:y", method="ldlva", image_size=32, batch_size=14, learning_rate=1e-9, threads=1)
    batch = next(iter(batches(train, config, torch.device("cpu"))))
    training_step(method, batch, build_optimizer(method, config), CPU)
    contradicted = batch.rows[batch.labels != 0]
    assert bool((method.lambda_hat[contradicted] < 0.5).all())


def test_only_methods_that_ask_for_votes_can_see_them(tiny_set: Callable[..., TrainingSet]) -> None:
    assert [name for name, method in METHODS.items() if method.needs_votes] == []
    votes = np.full((1, 7), 10)
    dataset = FaceDataset("x", "train", "argmax", ("a",), np.zeros((1, 32, 32), np.uint8), np.array([0]), votes)
    assert TrainingSet.from_dataset(dataset, dataset.images).distributions is None


def test_ldlva_without_coordinates_is_refused(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    with pytest.raises(ValueError, match="valence_arousal"):
        build_method(resolve_config(data="x:y", method="ldlva"), TrainingSet(train.names, train.images, train.labels))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stem", ["standard", "small"])
def test_every_backbone_gives_logits_and_features(name: str, channels: int, stem: Stem) -> None:
    network = FaceNetwork(name, channels, 7, stem).eval()
    with torch.inference_mode():
        logits, features = network(torch.zeros(2, channels, 48, 48))
    assert logits.shape == (2, 7)
    assert features.shape == (2, network.feature_width)
    trunk, last_stage = network.split()
    with torch.inference_mode():
        torch.testing.assert_close(last_stage(trunk(torch.zeros(2, channels, 48, 48))), features)
