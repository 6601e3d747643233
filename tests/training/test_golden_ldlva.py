"""Numbers from the original authors' code (`../shared/golden`, tolerance 1e-5 x max|array| + 1e-7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ldlva.training.losses import ldlva as losses
from ldlva.training.losses.adaptive_similarity import AdaptiveSimilarity

Golden = Callable[[str], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def golden(golden_folder: Path) -> Golden:
    def load(name: str) -> dict[str, torch.Tensor]:
        with np.load(golden_folder / f"{name}.npz", allow_pickle=False) as arrays:
            return {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}

    return load


def assert_golden(actual: torch.Tensor, expected: torch.Tensor) -> None:
    tolerance = 1e-5 * float(expected.abs().max()) + 1e-7
    assert actual.shape == expected.shape
    assert float((actual.detach() - expected).abs().max()) <= tolerance


def test_local_similarity(golden: Golden) -> None:
    g = golden("ldlva_similarity")
    assert_golden(losses.local_similarity(g["va"], g["neighbor_idx"]), g["knn_weights"])


def calibration_network(g: dict[str, torch.Tensor]) -> AdaptiveSimilarity:
    network = AdaptiveSimilarity(g["feat"].shape[1])
    state = {f"dense{i}.weight": g[f"dense{i}_kernel"].T for i in range(3)}
    state |= {f"dense{i}.bias": g[f"dense{i}_bias"] for i in range(3)}
    for i in range(2):
        state |= {
            f"norm{i}.weight": g[f"bn{i}_gamma"],
            f"norm{i}.bias": g[f"bn{i}_beta"],
            f"norm{i}.running_mean": g[f"bn{i}_moving_mean"],
            f"norm{i}.running_var": g[f"bn{i}_moving_variance"],
        }
    network.load_state_dict(state, strict=False)
    return network


def test_calibration_scores_and_their_gradient_at_inference(golden: Golden) -> None:
    g = golden("ldlva_adaptive_similarity")
    network = calibration_network(g).eval()
    features = g["feat"].clone().requires_grad_()
    assert_golden(network.logits(features, g["feat_aux"]), g["logits_before_clip"])
    scores = network(features, g["feat_aux"])
    assert_golden(scores, g["scores"])
    scores.sum().backward()
    assert features.grad is not None
    assert_golden(features.grad, g["grad_sum_scores_wrt_feat"])


def test_calibration_scores_and_stored_statistics_in_training(golden: Golden) -> None:
    g = golden("ldlva_adaptive_similarity")
    network = calibration_network(g | {"dense2_bias": g["dense2_bias_train_mode"]}).train()
    assert_golden(network(g["feat"], g["feat_aux"]), g["scores_train_mode"])
    for i, norm in enumerate((network.norm0, network.norm1)):
        assert norm.running_mean is not None and norm.running_var is not None
        assert_golden(norm.running_mean, g[f"bn{i}_moving_mean_after_train_call"])
        assert_golden(norm.running_var, g[f"bn{i}_moving_variance_after_train_call"])


def test_target_and_cross_entropy(golden: Golden) -> None:
    g = golden("ldlva_target")
    neighbors = losses.neighbor_distribution(g["neighbor_preds"], g["knn_weights"] * g["calib_scores"])
    target = losses.target_distribution(g["labels"], g["lamb"], neighbors)
    assert_golden(target, g["target"])
    fixed = losses.target_distribution(g["labels"], torch.tensor(0.9), neighbors)
    assert_golden(fixed, g["target_lamb_scalar_0_9"])
    for weight, suffix in ((None, ""), (g["class_weights"][g["labels"]], "_weighted")):
        probabilities = g["preds"].clone().requires_grad_()
        loss = losses.target_cross_entropy(target, probabilities, weight)
        assert_golden(loss, g[f"ce{suffix}"])
        loss.backward()  # type: ignore[no-untyped-call]
        assert probabilities.grad is not None
        assert_golden(probabilities.grad, g[f"grad_ce{suffix}_wrt_preds"])


@pytest.mark.parametrize("prefix", ["", "zeroinit_"])
def test_discriminative_loss_and_three_centre_updates(golden: Golden, prefix: str) -> None:
    g = golden("ldlva_discriminative")
    x = g["x"].clone().requires_grad_()
    x_aux = g["x_aux"].clone().requires_grad_()
    features = torch.cat([x, x_aux.flatten(0, 1)])
    labels = torch.cat([g["y"], g["y_aux"].flatten()])
    weight = torch.sigmoid(g["lamb_hat"][g["indices"]])
    centers = torch.zeros_like(g["init_centers"]) if prefix else g["init_centers"]

    losses.discriminative_loss(features, labels, weight, centers).backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and x_aux.grad is not None
    assert_golden(x.grad, g[f"{prefix}grad_loss_wrt_x"])
    if not prefix:
        assert_golden(x_aux.grad, g["grad_loss_wrt_x_aux"])

    rate = float(g["centers_alpha"])
    for step in range(3):
        constant = features.detach()
        assert_golden(losses.discriminative_loss(constant, labels, weight, centers), g[f"{prefix}loss_steps"][step])
        pull = losses.center_gradient(constant, labels, weight, centers)
        assert_golden(pull, g[f"{prefix}center_grad_steps"][step])
        pulled = centers - rate * pull
        assert_golden(pulled, g[f"{prefix}centers_after_pull_steps"][step])
        assert_golden(losses.push_gradient(pulled), g[f"{prefix}push_grad_steps"][step])
        centers = losses.updated_centers(constant, labels, weight, centers, rate)
        assert_golden(centers, g[f"{prefix}centers_after_update_steps"][step])


@pytest.mark.parametrize("suffix", ["", "_classweights"])
def test_whole_step(golden: Golden, suffix: str) -> None:
    """Loss, every gradient, and the moved lambda and centres of the authors' train_step."""
    g = golden("ldlva_lambda_step")
    features, logits, scores = (g[name].clone().requires_grad_() for name in ("feat", "logits", "calib_scores"))
    lambda_hat = g["lamb_hat"].clone().requires_grad_()
    labels, rows, neighbor_rows = g["labels_all"][g["idx"]], g["idx"], g["neighbor_idx"]

    neighbors = losses.neighbor_distribution(torch.softmax(g["logits_aux"], dim=-1), scores * g["knn_weights"])
    target = losses.target_distribution(labels, torch.sigmoid(lambda_hat[rows]), neighbors)
    sample_weight = g["class_weights"][labels] if suffix else None
    emotion_loss = losses.target_cross_entropy(target, torch.softmax(logits, dim=1), sample_weight)
    item_rows = torch.cat([rows, neighbor_rows.flatten()])
    items = torch.cat([features, g["feat_aux"].flatten(0, 1)])
    weight = torch.sigmoid(lambda_hat[item_rows]).detach()
    dcm_loss = losses.discriminative_loss(items, g["labels_all"][item_rows], weight, g["init_centers"])
    total = emotion_loss + g["gamma"] * dcm_loss
    total.backward()  # type: ignore[no-untyped-call]

    assert_golden(target, g[f"target{suffix}"])
    assert_golden(emotion_loss, g[f"emotion_loss{suffix}"])
    assert_golden(dcm_loss, g[f"dcm_loss{suffix}"])
    assert_golden(total, g[f"total_loss{suffix}"])
    for tensor, name in ((lambda_hat, "lamb_hat"), (logits, "logits"), (features, "feat"), (scores, "calib")):
        assert tensor.grad is not None
        assert_golden(tensor.grad, g[f"grad_{name}{suffix}"])
    assert lambda_hat.grad is not None
    assert_golden(lambda_hat - g["lamb_lr"] * lambda_hat.grad, g[f"lamb_hat_after{suffix}"])
    centers = losses.updated_centers(
        items.detach(), g["labels_all"][item_rows], weight, g["init_centers"], float(g["centers_alpha"])
    )
    assert_golden(centers, g[f"centers_after{suffix}"])
