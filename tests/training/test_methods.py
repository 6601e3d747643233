from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.datasets import FaceDataset
from ldlva.training.backbones import BACKBONES, FaceNetwork, Stem
from ldlva.training.config import resolve_config
from ldlva.training.losses import ldlva as ldlva_losses
from ldlva.training.methods import METHODS, Batch, Method, TrainingSet
from ldlva.training.methods.ldlva import Ldlva
from ldlva.training.small_maps import SmallMapConv2d
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, training_step

CPU = Compute(torch.device("cpu"), bfloat16=False)


QUICK: dict[str, dict[str, Any]] = {"dmue": {"options": {"ramp_epoch": 1, "dropout": 0.0}}}
"""What a few steps from random weights need."""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_fits_two_batches(name: str, tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    settings: dict[str, Any] = {"image_size": 32, "batch_size": 14, "learning_rate": 0.005, "threads": 1}
    config = resolve_config(data="x:y", method=name, augmentation=False, **(settings | QUICK.get(name, {})))
    method = build_method(config, train)
    optimizer = build_optimizer(method, config)
    method.train()
    for epoch in range(8 if name == "dmue" else 20):
        method.start_epoch(epoch)
        for batch in batches(train, config, torch.device("cpu")):
            training_step(method, batch, optimizer, CPU)
    # With the batches' own statistics: the stored ones of the normalisation take more steps than the weights.
    [*both] = batches(train, config, torch.device("cpu"))
    logits = torch.cat([method.inference_network()(batch.images)[0] for batch in both])
    labels = torch.cat([batch.labels for batch in both])
    assert float((logits.argmax(dim=1) == labels).float().mean()) >= 0.9


def step_of(method_name: str, train: TrainingSet, **settings: Any) -> tuple[Method, Batch, float]:
    """One step of a new method on its first batch: the method, the batch, the loss."""
    quick: dict[str, Any] = {"backbone": "mobilenet_v2", "image_size": 32, "batch_size": 14, "threads": 1}
    config = resolve_config(data="x:y", method=method_name, **(quick | settings))
    method = build_method(config, train).train()
    torch.manual_seed(0)
    batch = next(iter(batches(train, config, torch.device("cpu"))))
    loss = training_step(method, batch, build_optimizer(method, config), CPU)
    assert loss is not None
    return method, batch, loss


def outputs_of(method_name: str, train: TrainingSet, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities and features before the first step."""
    config = resolve_config(data="x:y", method=method_name, backbone="mobilenet_v2", image_size=32, threads=1)
    with torch.no_grad():
        logits, features = build_method(config, train).train().network(batch.images)
    return torch.log_softmax(logits, dim=1), features


def test_label_smoothing_spreads_its_share_over_all_labels(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    _, batch, loss = step_of("label_smoothing", train, options={"eps": 0.3})
    log, _ = outputs_of("label_smoothing", train, batch)
    target = 0.7 * torch.eye(7)[batch.labels] + 0.3 / 7
    assert loss == pytest.approx(float(-(target * log).sum(dim=1).mean()), rel=1e-5)


def test_soft_labels_learn_from_each_images_own_votes(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    assert train.distributions is not None
    _, batch, loss = step_of("soft", train)
    log, _ = outputs_of("soft", train, batch)
    votes = torch.from_numpy(train.distributions[batch.rows.numpy()])
    assert loss == pytest.approx(float(-(votes * log).sum(dim=1).mean()), rel=1e-5)
    with pytest.raises(ValueError, match="distributions"):
        step_of("soft", train.subset(np.arange(28)))


def test_center_loss_pulls_features_and_moves_centres_its_own_way(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    method, batch, loss = step_of("center", train, options={"center_weight": 0.2, "center_rate": 0.4})
    log, features = outputs_of("center", train, batch)
    cross_entropy = -log[torch.arange(14), batch.labels].mean()
    squared = features.square().sum(dim=1).mean()  # centres begin at 0
    assert loss == pytest.approx(float(cross_entropy + 0.2 / 2 * squared), rel=1e-5)
    for c in range(7):
        members = features[batch.labels == c]
        expected = 0.4 * members.sum(dim=0) / (1 + len(members))
        torch.testing.assert_close(method.get_buffer("centers")[c], expected, rtol=1e-4, atol=1e-6)


def test_total_is_cross_entropy_with_ldlvas_discriminative_loss(tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    method, batch, loss = step_of("total", train, options={"gamma": 0.2})
    log, features = outputs_of("total", train, batch)
    cross_entropy = -log[torch.arange(14), batch.labels].mean()
    squared = features.square().sum(dim=1).mean()
    assert loss == pytest.approx(float(cross_entropy + 0.2 / 2 * squared), rel=1e-5)
    expected = ldlva_losses.updated_centers(features, batch.labels, torch.ones(14, 1), torch.zeros(7, 1280), 0.5)
    torch.testing.assert_close(method.get_buffer("centers"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_class_weights_reach_every_classification_loss(name: str, tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    rare = train.labels.copy()
    rare[:7] = 0
    rare = np.where((rare == 3) & (np.arange(28) > 20), 0, rare)
    uneven = replace(train, labels=rare)
    plain, weighted = (step_of(name, uneven, sampling="balanced", class_weights=on)[2] for on in (False, True))
    assert plain != weighted


def ldlva_after_one_epoch(train: TrainingSet, batch_size: int = 14, **options: Any) -> Ldlva:
    config = resolve_config(
        data="x:y", method="ldlva", image_size=32, batch_size=batch_size, threads=1, options=options
    )
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
    assert [name for name, method in METHODS.items() if method.needs_votes] == ["soft"]
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


@pytest.mark.parametrize(
    ("name", "backbone", "fast"),
    [("ce", "mobilenet_v2_050", False), ("dmue", "mobilenet_v2_050", False), ("ce", "resnet18", True)],
)
def test_a_compiled_network_has_the_same_loss(
    name: str, backbone: str, fast: bool, tiny_set: Callable[..., TrainingSet]
) -> None:
    train = tiny_set()
    config = resolve_config(
        data="x:y", method=name, backbone=backbone, image_size=32, batch_size=14, threads=1, fast_small_maps=fast
    )
    losses = []
    for compiled in (False, True):
        method = build_method(config, train).train()
        if compiled:
            method.compile_network(backend="aot_eager")  # traced as ever, but without minutes of code generation
        torch.manual_seed(0)
        batch = next(iter(batches(train, config, torch.device("cpu"))))
        losses.append(training_step(method, batch, build_optimizer(method, config), CPU))
        names = set(method.inference_network().state_dict())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert names == set(build_method(config, train).inference_network().state_dict())


@pytest.mark.parametrize("name", ["ce", "ldlva", "dmue"])
def test_fast_small_maps_are_the_same_network(name: str, tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set()
    losses, kept = [], []
    for fast in (False, True):
        config = resolve_config(data="x:y", method=name, batch_size=14, threads=1, fast_small_maps=fast)
        method = build_method(config, train).train()
        unrolled = any(isinstance(layer, SmallMapConv2d) for layer in method.network.modules())
        assert unrolled is (fast or name == "dmue")
        torch.manual_seed(0)
        optimizer = build_optimizer(method, config)
        for batch in [*batches(train, config, torch.device("cpu"))][:2]:
            losses.append(training_step(method, batch, optimizer, CPU))
        kept.append(method.inference_network().state_dict())
    assert losses[:2] == pytest.approx(losses[2:], rel=1e-3)
    assert kept[0].keys() == kept[1].keys()
    for weight, other in zip(*(state.values() for state in kept), strict=True):
        torch.testing.assert_close(weight, other, rtol=0.01, atol=1e-3)


def test_ldlva_plus_mixes_the_label_with_the_teachers_view_of_the_sample_and_its_neighbours(
    tiny_set: Callable[..., TrainingSet],
) -> None:
    train = tiny_set()
    posteriors = train.posteriors
    assert posteriors is not None
    options = {"label_weight": 0.3, "neighbor_count": 2}
    method, batch, loss = step_of("ldlva_plus", train, options=options)
    log, _ = outputs_of("ldlva_plus", train, batch)
    distances = np.linalg.norm(posteriors[:, None] - posteriors, axis=2)
    nearest = distances.argsort(axis=1)[:, :3]  # the sample itself comes first
    target = 0.3 * np.eye(7)[train.labels] + 0.7 * posteriors[nearest].mean(axis=1)
    np.testing.assert_allclose(method.get_buffer("targets").numpy(), target, rtol=1e-5)
    expected = -(torch.from_numpy(target)[batch.rows] * log).sum(dim=1).mean()
    assert loss == pytest.approx(float(expected), rel=1e-5)
    alone, _, _ = step_of("ldlva_plus", train, options=options | {"neighbor_count": 0})
    np.testing.assert_allclose(
        alone.get_buffer("targets").numpy(), 0.3 * np.eye(7)[train.labels] + 0.7 * posteriors, rtol=1e-5
    )
    with pytest.raises(ValueError, match="posteriors"):
        step_of("ldlva_plus", train.subset(np.arange(28)))
