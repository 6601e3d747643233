"""LDLVA's loss (Le et al., WACV 2023) on the inputs of the authors' code, one function per golden file."""

from __future__ import annotations

import torch
from torch import Tensor

from ldlva.training.losses import ldlva
from ldlva.training.losses.adaptive_similarity import AdaptiveSimilarity
from ldlva.training.selfcheck.golden import Golden


def similarity(g: Golden) -> None:
    g.compare("knn_weights", ldlva.local_similarity(g["va"], g["neighbor_idx"]))


def adaptive_similarity(g: Golden) -> None:
    network = _calibration_network(g, "dense2_bias").eval()
    features = g.leaf("feat")
    g.compare("logits_before_clip", network.logits(features, g["feat_aux"]))
    scores = network(features, g["feat_aux"])
    g.compare("scores", scores)
    scores.sum().backward()
    g.compare_gradient("grad_sum_scores_wrt_feat", features)

    network = _calibration_network(g, "dense2_bias_train_mode").train()
    g.compare("scores_train_mode", network(g["feat"], g["feat_aux"]))
    for i, norm in enumerate((network.norm0, network.norm1)):
        assert norm.running_mean is not None and norm.running_var is not None
        g.compare(f"bn{i}_moving_mean_after_train_call", norm.running_mean)
        g.compare(f"bn{i}_moving_variance_after_train_call", norm.running_var)


def _calibration_network(g: Golden, last_bias: str) -> AdaptiveSimilarity:
    hidden = (g["dense0_bias"].shape[0], g["dense1_bias"].shape[0])
    network = AdaptiveSimilarity(g["feat"].shape[1], hidden).to(g.dtype)
    state = {f"dense{i}.weight": g[f"dense{i}_kernel"].T for i in range(3)}
    state |= {"dense0.bias": g["dense0_bias"], "dense1.bias": g["dense1_bias"], "dense2.bias": g[last_bias]}
    for i, norm in enumerate((network.norm0, network.norm1)):
        norm.eps = g.number(f"bn{i}_epsilon")
        norm.momentum = 1 - g.number(f"bn{i}_momentum")  # Keras names the share of the old value
        state |= {
            f"norm{i}.weight": g[f"bn{i}_gamma"],
            f"norm{i}.bias": g[f"bn{i}_beta"],
            f"norm{i}.running_mean": g[f"bn{i}_moving_mean"],
            f"norm{i}.running_var": g[f"bn{i}_moving_variance"],
        }
    network.load_state_dict(state, strict=False)
    return network


def target(g: Golden) -> None:
    labels = g["labels"]
    neighbors = ldlva.neighbor_distribution(g["neighbor_preds"], g["knn_weights"] * g["calib_scores"])
    target = ldlva.target_distribution(labels, g["lamb"], neighbors)
    g.compare("target", target)
    fixed = ldlva.target_distribution(labels, torch.tensor(0.9, dtype=g.dtype), neighbors)
    g.compare("target_lamb_scalar_0_9", fixed)
    sample_weights = g["class_weights"][labels]
    g.compare("sample_weights", sample_weights)
    for suffix, weights in (("", None), ("_weighted", sample_weights)):
        probabilities = g.leaf("preds")
        loss = ldlva.target_cross_entropy(target, probabilities, weights)
        g.compare(f"ce{suffix}", loss)
        loss.backward()  # type: ignore[no-untyped-call]
        g.compare_gradient(f"grad_ce{suffix}_wrt_preds", probabilities)


def discriminative(g: Golden) -> None:
    labels = torch.cat([g["y"], g["y_aux"].flatten()])
    weight = torch.sigmoid(g["lamb_hat"][g["indices"]])
    rate = g.number("centers_alpha")
    for prefix, centers in (("", g["init_centers"]), ("zeroinit_", torch.zeros_like(g["init_centers"]))):
        x, x_aux = g.leaf("x"), g.leaf("x_aux")
        features = torch.cat([x, x_aux.flatten(0, 1)])
        ldlva.discriminative_loss(features, labels, weight, centers).backward()  # type: ignore[no-untyped-call]
        g.compare_gradient(f"{prefix}grad_loss_wrt_x", x)
        if not prefix:
            g.compare_gradient("grad_loss_wrt_x_aux", x_aux)
        constant = features.detach()
        steps: dict[str, list[Tensor]] = {
            name: [] for name in ("loss", "center_grad", "centers_after_pull", "push_grad", "centers_after_update")
        }
        for _ in range(len(g[f"{prefix}loss_steps"])):
            pull = ldlva.center_gradient(constant, labels, weight, centers)
            pulled = centers - rate * pull
            steps["loss"].append(ldlva.discriminative_loss(constant, labels, weight, centers))
            steps["center_grad"].append(pull)
            steps["centers_after_pull"].append(pulled)
            steps["push_grad"].append(ldlva.push_gradient(pulled))
            centers = ldlva.updated_centers(constant, labels, weight, centers, rate)
            steps["centers_after_update"].append(centers)
        for name, values in steps.items():
            g.compare(f"{prefix}{name}_steps", torch.stack(values))


def lambda_step(g: Golden) -> None:
    rows, neighbor_rows = g["idx"], g["neighbor_idx"]
    item_rows = torch.cat([rows, neighbor_rows.flatten()])
    labels = g["labels_all"][rows]
    for suffix, sample_weight in (("", None), ("_classweights", g["class_weights"][labels])):
        features, logits, scores = g.leaf("feat"), g.leaf("logits"), g.leaf("calib_scores")
        lambda_hat = g.leaf("lamb_hat")
        neighbors = ldlva.neighbor_distribution(torch.softmax(g["logits_aux"], dim=-1), scores * g["knn_weights"])
        target = ldlva.target_distribution(labels, torch.sigmoid(lambda_hat[rows]), neighbors)
        emotion = ldlva.target_cross_entropy(target, torch.softmax(logits, dim=1), sample_weight)
        items = torch.cat([features, g["feat_aux"].flatten(0, 1)])
        weight = torch.sigmoid(lambda_hat[item_rows]).detach()
        item_labels = g["labels_all"][item_rows]
        discriminative = ldlva.discriminative_loss(items, item_labels, weight, g["init_centers"])
        total = emotion + g.number("gamma") * discriminative
        total.backward()  # type: ignore[no-untyped-call]
        assert lambda_hat.grad is not None
        moved = lambda_hat.detach() - g.number("lamb_lr") * lambda_hat.grad
        centers = ldlva.updated_centers(
            items.detach(), item_labels, weight, g["init_centers"], g.number("centers_alpha")
        )
        for name, value in (
            ("emotion_loss", emotion),
            ("dcm_loss", discriminative),
            ("total_loss", total),
            ("target", target),
            ("lamb_hat_after", moved),
            ("centers_after", centers),
            ("mean_lambda_logged", torch.sigmoid(moved[rows]).mean()),
        ):
            g.compare(f"{name}{suffix}", value)
        for name, leaf in (("lamb_hat", lambda_hat), ("logits", logits), ("feat", features), ("calib", scores)):
            g.compare_gradient(f"grad_{name}{suffix}", leaf)
