"""LDLVA's options: the paper's variant, neighbours through the network, and the ablations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.config import resolve_config
from ldlva.training.images import to_input
from ldlva.training.losses import ldlva as losses
from ldlva.training.methods import Batch, TrainingSet
from ldlva.training.methods.ldlva import Ldlva
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, training_step

CPU = Compute(torch.device("cpu"), bfloat16=False)
MakeSet = Callable[..., TrainingSet]


def built(train: TrainingSet, epochs: int = 1, **options: Any) -> tuple[Ldlva, Batch]:
    """The method after `epochs` warm-up epochs, and a batch."""
    config = resolve_config(
        data="x:y", method="ldlva", backbone="mobilenet_v2", image_size=32, batch_size=14, threads=1,
        options={"neighbor_count": 3, **options},
    )  # fmt: skip
    method = build_method(config, train)
    assert isinstance(method, Ldlva)
    method.train()
    optimizer = build_optimizer(method, config)
    for epoch in range(epochs):
        method.start_epoch(epoch)
        for batch in batches(train, config, torch.device("cpu")):
            training_step(method, batch, optimizer, CPU)
    method.start_epoch(epochs)
    torch.manual_seed(0)
    return method, next(iter(batches(train, config, torch.device("cpu"))))


def test_forward_gives_targets_from_the_network_as_it_is_now(tiny_set: MakeSet) -> None:
    """Train mode, no gradient, images as they are: what the authors' code does."""
    train = tiny_set()
    method, batch = built(train, epochs=0, neighbors="forward", warmup_epochs=0)
    rows = method.neighbor_rows[batch.rows]
    reference = build_method(
        resolve_config(data="x:y", method="ldlva", backbone="mobilenet_v2", image_size=32, threads=1), train
    ).network.train()
    with torch.no_grad():
        logits, features = reference(to_input(train.images[rows.flatten().numpy()]))
    neighbor_features, probabilities = method._neighbor_outputs(rows)
    torch.testing.assert_close(neighbor_features, features.view(14, 3, -1))
    torch.testing.assert_close(probabilities, torch.softmax(logits, dim=1).view(14, 3, 7))
    assert not neighbor_features.requires_grad
    mean = method.network.get_buffer("backbone.features.0.1.running_mean")
    torch.testing.assert_close(mean, reference.get_buffer("backbone.features.0.1.running_mean"))
    assert bool((mean != 0).any())


def test_forward_does_not_read_the_bank_and_bank_does(tiny_set: MakeSet) -> None:
    train = tiny_set()
    for neighbors, same in (("forward", True), ("bank", False)):
        losses_seen = []
        for spoiled in (False, True):
            method, batch = built(train, neighbors=neighbors)
            if spoiled:
                method.bank_features.fill_(3.0)
                method.bank_probabilities.zero_()[:, 2] = 1.0
            losses_seen.append(float(method.loss(batch).detach()))
        assert (losses_seen[0] == losses_seen[1]) is same


def test_teachers_speak_for_the_neighbours_whatever_the_bank_says(tiny_set: MakeSet) -> None:
    train = tiny_set()
    posteriors = np.random.default_rng(0).dirichlet(np.ones(7), len(train))
    said, unlike = (replace(train, posteriors=given) for given in (posteriors, posteriors[::-1].copy()))
    method, batch = built(said, neighbors="teachers")
    method.bank_probabilities.zero_()[:, 2] = 1.0
    rows = method.neighbor_rows[batch.rows]
    features, probabilities = method._neighbor_outputs(rows)
    torch.testing.assert_close(probabilities, torch.from_numpy(posteriors).float()[rows])
    torch.testing.assert_close(features, method.bank_features[rows].float())
    others, same_batch = built(unlike, neighbors="teachers")
    assert torch.equal(batch.rows, same_batch.rows)
    assert float(method.loss(batch).detach()) != float(others.loss(same_batch).detach())
    with pytest.raises(ValueError, match="needs posteriors"):
        built(replace(train, posteriors=None), neighbors="teachers")


def test_the_labels_weight_is_logged_by_label(tiny_set: MakeSet) -> None:
    method, _ = built(tiny_set(), epochs=0)
    method.lambda_hat[method.labels == 5] = -2.0
    logged = method.epoch_metrics()
    assert logged["label_weight_disgust"] == pytest.approx(1 / (1 + np.exp(2)))
    assert logged["label_weight_anger"] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert logged["label_weight_mean"] == pytest.approx(float(torch.sigmoid(method.lambda_hat).mean()))


def test_in_bfloat16_the_network_still_learns_after_its_neighbours_passed_through(tiny_set: MakeSet) -> None:
    """Autocast remembers cast weights; those cast without gradient must not serve the batch."""
    method, batch = built(tiny_set(), epochs=0, neighbors="forward", warmup_epochs=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = method.loss(batch)
    loss.backward()  # type: ignore[no-untyped-call]
    without = [name for name, parameter in method.named_parameters() if parameter.grad is None]
    assert without == []


def test_random_neighbours_know_nothing_of_valence_and_arousal(tiny_set: MakeSet) -> None:
    train = tiny_set(per_class=10)
    near, _ = built(train, epochs=0)
    random, _ = built(train, epochs=0, neighbor_space="random")
    again, _ = built(train, epochs=0, neighbor_space="random")
    assert torch.equal(random.neighbor_rows, again.neighbor_rows)
    assert not torch.equal(random.neighbor_rows, near.neighbor_rows)
    assert bool((random.similarity == 1).all()) and not bool((near.similarity == 1).any())
    pairs = zip(random.neighbor_rows.tolist(), near.neighbor_rows.tolist(), strict=True)
    shared = [len(set(drawn) & set(nearest)) for drawn, nearest in pairs]
    assert sum(shared) / len(shared) < 0.6  # 3 of 69 by chance: 0.13


def test_feature_space_neighbours_are_found_anew_every_epoch(tiny_set: MakeSet) -> None:
    method, _ = built(tiny_set(), neighbor_space="features")
    assert bool((method.similarity == 1).all())
    for shift in (0, 5):
        features = torch.arange(28.0).roll(shift).unsqueeze(1).expand(28, 1280)
        method.bank_features.copy_(features)
        method.start_epoch(2)
        distance = (features[method.neighbor_rows] - features.unsqueeze(1))[..., 0].abs()
        assert float(distance.max()) <= 3
        assert bool((distance > 0).all())


def test_the_paper_differs_from_the_code_where_it_should(tiny_set: MakeSet) -> None:
    train = tiny_set()
    code, _ = built(train, gamma=0.0)
    paper, _ = built(train, gamma=0.0, variant="paper")
    assert train.valence_arousal is not None
    coordinates = torch.from_numpy(train.valence_arousal)
    squared = (coordinates.unsqueeze(1) - coordinates[paper.neighbor_rows]).square().sum(dim=-1)
    torch.testing.assert_close(paper.similarity, torch.exp(-squared / 0.25).float())
    assert not torch.allclose(code.similarity, paper.similarity)
    for method in (code, paper):
        method.calibration.dense2.bias.data.fill_(-9.0)
    features, neighbors = torch.randn(14, 1280), torch.randn(14, 3, 1280)
    assert float(code.calibration(features, neighbors).detach().min()) > 0.214
    assert float(paper.calibration(features, neighbors).detach().max()) < 0.1


def test_the_papers_discriminative_loss_is_over_the_batch_and_holds_the_push(tiny_set: MakeSet) -> None:
    train = tiny_set()
    values, items = {}, {}
    for variant in ("code", "paper"):
        for gamma in (0.0, 1.0):
            method, batch = built(train, variant=variant, gamma=gamma)
            torch.manual_seed(3)
            method.centers.normal_()
            values[variant, gamma] = float(method.loss(batch).detach())
            assert method._seen is not None and method._seen.items is not None
            items[variant] = method._seen.items
            centers = method.centers.clone()
    assert len(items["code"].labels) == 14 * 4
    assert items["paper"].labels.tolist() == batch.labels.tolist()
    weighted = losses.discriminative_loss(items["paper"].features, batch.labels, items["paper"].label_weight, centers)
    expected = float(weighted.detach() + losses.paper_center_push(centers))
    assert values["paper", 1.0] - values["paper", 0.0] == pytest.approx(expected, rel=1e-4)
    method.after_step()
    moved = losses.paper_updated_centers(
        items["paper"].features.detach(), batch.labels, items["paper"].label_weight, centers, 0.5
    )
    torch.testing.assert_close(method.centers, moved)


def test_the_papers_centres_descend_their_own_loss() -> None:
    torch.manual_seed(0)
    features, labels, weight = torch.randn(9, 4).double(), torch.randint(5, (9,)), torch.rand(9, 1).double()
    centers = torch.randn(6, 4).double().requires_grad_()
    pair = [
        torch.exp(-(centers[j] - centers[k]).square().sum() / 2) for j in range(6) for k in range(6) if j != k
    ]  # sqrt(4) = 2
    push = torch.stack(pair).sum()
    torch.testing.assert_close(losses.paper_center_push(centers), push)
    loss = losses.discriminative_loss(features, labels, weight, centers) + push
    loss.backward()  # type: ignore[no-untyped-call]
    assert centers.grad is not None
    expected = centers.detach() - 0.3 * centers.grad
    actual = losses.paper_updated_centers(features, labels, weight, centers.detach(), 0.3)
    torch.testing.assert_close(actual, expected)


def test_lambda_stays_where_it_began_at_rate_0(tiny_set: MakeSet) -> None:
    method, batch = built(tiny_set(), lambda_rate=0.0, lambda_init=1.5)
    method.loss(batch).backward()  # type: ignore[no-untyped-call]
    method.after_step()
    assert bool((method.lambda_hat == 1.5).all())


def test_a_row_that_a_batch_holds_twice_moves_by_both_gradients(tiny_set: MakeSet) -> None:
    moved = []
    for copies in (1, 2):
        method, batch = built(tiny_set(), gamma=0.0)
        method.eval()  # the same outputs for both copies, and for batches of both sizes
        rows = torch.arange(14).repeat(copies)
        twice = Batch(batch.images[rows], batch.labels[rows], batch.rows[rows], batch.weights[rows])
        method.loss(twice).backward()  # type: ignore[no-untyped-call]
        method.after_step()
        moved.append(method.lambda_hat[batch.rows] - 0.5)
    # Twice the rows halve each gradient and double the rate; both copies then count.
    torch.testing.assert_close(moved[1], 2 * moved[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"neighbors": "bank"}, {"neighbors": "teachers"}, {"neighbors": "forward", "neighbor_space": "features"}],
)
def test_a_bank_needs_a_warm_up(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="warmup_epochs: 0 needs neighbors=forward"):
        resolve_config(data="x:y", method="ldlva", options={"warmup_epochs": 0, **options})
