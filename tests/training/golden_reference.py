"""The formulas behind the golden files, in plain float64 NumPy, to make such files in other shapes.

Written from the published formulas alone: nothing here calls the product. Gradients are central differences, so a wrong
gradient cannot be wrong here in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def gradient(function: Callable[[Array], Any], at: Array, step: float = 1e-6) -> Array:
    """Central differences of a scalar function."""
    point = at.astype(np.float64).copy()
    result = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        kept = point[index]
        point[index] = kept + step
        above = float(function(point))
        point[index] = kept - step
        result[index] = (above - float(function(point))) / (2 * step)
        point[index] = kept
    return result


def stored(arrays: dict[str, Any]) -> Arrays:
    """As the files store them: float32 and int64."""
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    return {name: a.astype(np.float32 if a.dtype.kind == "f" else np.int64) for name, a in plain.items()}


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Random numbers that float32 holds exactly."""
    return (scale * rng.normal(size=shape)).astype(np.float32).astype(np.float64)


def single(value: float) -> float:
    return float(np.float32(value))


def sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def one_hot(labels: Array, classes: int) -> Array:
    return np.eye(classes)[labels]


def labels_with_all(rng: np.random.Generator, n: int, classes: int, at_least: int = 2) -> Array:
    """Every class at least `at_least` times, the rest anyhow, in random order."""
    extra = rng.integers(0, classes, n - at_least * classes)
    return rng.permutation(np.concatenate([np.repeat(np.arange(classes), at_least), extra]))


def neighbor_mean(probabilities: Array, contribution: Array) -> Array:
    return np.asarray(np.einsum("bk,bkc->bc", contribution, probabilities) / contribution.sum(axis=1, keepdims=True))


# LDLVA


def ldlva_similarity(rng: np.random.Generator, n: int, k: int) -> Arrays:
    va = rng.uniform(-1, 1, (n, 2)).astype(np.float32).astype(np.float64)
    index = rng.integers(0, n, (n, k))
    weights = np.array([[np.exp(-np.abs(va[i] - va[j]).sum() / 0.5) for j in index[i]] for i in range(n)])
    return stored({"va": va, "neighbor_idx": index, "knn_weights": weights})


def ldlva_adaptive_similarity(
    rng: np.random.Generator, b: int, k: int, d: int, hidden: tuple[int, int], epsilon: float, momentum: float
) -> Arrays:
    sizes = (2 * d, *hidden, 1)
    g: dict[str, Any] = {"feat": normal(rng, b, d), "feat_aux": normal(rng, b, k, d)}
    for i in range(3):
        g[f"dense{i}_kernel"] = normal(rng, sizes[i], sizes[i + 1], scale=(2 / sizes[i]) ** 0.5)
        g[f"dense{i}_bias"] = normal(rng, sizes[i + 1], scale=0.3)
    g["dense2_bias_train_mode"] = normal(rng, 1) - 1
    for i in range(2):
        width = hidden[i]
        g[f"bn{i}_gamma"], g[f"bn{i}_beta"] = normal(rng, width), normal(rng, width)
        g[f"bn{i}_moving_mean"] = normal(rng, width)
        g[f"bn{i}_moving_variance"] = np.abs(normal(rng, width)) + 0.5
        g[f"bn{i}_epsilon"], g[f"bn{i}_momentum"] = single(epsilon), single(momentum)
    for name in [name for name, value in g.items() if isinstance(value, np.ndarray)]:
        g[name] = g[name].astype(np.float32).astype(np.float64)

    def forward(feat: Array, training: bool, bias: str) -> tuple[Array, list[tuple[Array, Array]]]:
        x = np.concatenate([np.repeat(feat, k, axis=0), g["feat_aux"].reshape(b * k, d)], axis=1)
        statistics = []
        for i in range(2):
            x = x @ g[f"dense{i}_kernel"] + g[f"dense{i}_bias"]
            if training:
                mean, variance = x.mean(axis=0), x.var(axis=0)
            else:
                mean, variance = g[f"bn{i}_moving_mean"], g[f"bn{i}_moving_variance"]
            statistics.append((mean, variance))
            x = (x - mean) / np.sqrt(variance + g[f"bn{i}_epsilon"]) * g[f"bn{i}_gamma"] + g[f"bn{i}_beta"]
            x = np.maximum(x, 0)
        return (x @ g["dense2_kernel"] + g[bias]).reshape(b, k), statistics

    def scores(feat: Array) -> Array:
        return sigmoid(np.maximum(forward(feat, False, "dense2_bias")[0], -1.3))

    trained, statistics = forward(g["feat"], True, "dense2_bias_train_mode")
    outputs: dict[str, Any] = {
        "logits_before_clip": forward(g["feat"], False, "dense2_bias")[0],
        "scores": scores(g["feat"]),
        "grad_sum_scores_wrt_feat": gradient(lambda feat: scores(feat).sum(), g["feat"]),
        "scores_train_mode": sigmoid(np.maximum(trained, -1.3)),
    }
    for i, batch in enumerate(statistics):
        for name, value in zip(("mean", "variance"), batch, strict=True):
            share = g[f"bn{i}_momentum"]
            outputs[f"bn{i}_moving_{name}_after_train_call"] = share * g[f"bn{i}_moving_{name}"] + (1 - share) * value
    return stored(g | outputs)


def ldlva_target(rng: np.random.Generator, b: int, k: int, classes: int, scale: float) -> Arrays:
    labels = rng.integers(0, classes, b)
    neighbor_preds = softmax(normal(rng, b, k, classes, scale=scale)).astype(np.float32).astype(np.float64)
    preds = softmax(normal(rng, b, classes, scale=scale)).astype(np.float32).astype(np.float64)
    weights, scores = (rng.uniform(0.05, 1, (2, b, k))).astype(np.float32).astype(np.float64)
    lamb = sigmoid(normal(rng, b, 1)).astype(np.float32).astype(np.float64)
    class_weights = rng.uniform(0.2, 5, classes).astype(np.float32).astype(np.float64)
    neighbors = neighbor_mean(neighbor_preds, weights * scores)
    hot = one_hot(labels, classes)
    target = lamb * hot + (1 - lamb) * neighbors
    per_sample = -(target * np.log(preds + 1e-10)).sum(axis=1)
    sample_weights = class_weights[labels]
    slope = -target / (preds + 1e-10) / b
    return stored(
        {
            "labels": labels, "neighbor_preds": neighbor_preds, "knn_weights": weights, "calib_scores": scores,
            "lamb": lamb, "num_classes": classes, "target": target,
            "target_lamb_scalar_0_9": 0.9 * hot + 0.1 * neighbors, "preds": preds, "class_weights": class_weights,
            "sample_weights": sample_weights, "ce": per_sample.mean(),
            "ce_weighted": (sample_weights * per_sample).sum() / b, "grad_ce_wrt_preds": slope,
            "grad_ce_weighted_wrt_preds": slope * sample_weights[:, None],
        }
    )  # fmt: skip


def push(centers: Array) -> float:
    n, d = centers.shape
    total = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            total += float(np.exp(-((centers[i] - centers[j]) ** 2).sum() / d))
    return total


def center_gradient(x: Array, y: Array, weight: Array, centers: Array) -> Array:
    result = np.zeros_like(centers)
    for c in range(len(centers)):
        members = y == c
        if members.any():
            pull = (weight[members, None] * (centers[c] - x[members])).sum(axis=0)
            result[c] = pull / (members.sum() + 1) / len(x)
    return result


def moved_centers(x: Array, y: Array, weight: Array, centers: Array, rate: float) -> Array:
    pulled = centers - rate * center_gradient(x, y, weight, centers)
    return np.asarray(pulled - rate * gradient(lambda c: 0.1 * push(c), pulled))


def discriminative(x: Array, y: Array, weight: Array, centers: Array) -> float:
    return float(0.5 * (weight * ((x - centers[y]) ** 2).sum(axis=1)).mean())


def ldlva_discriminative(
    rng: np.random.Generator, b: int, k: int, d: int, classes: int, n: int, steps: int, rate: float, scale: float
) -> Arrays:
    idx = rng.permutation(n)[:b]
    neighbor_idx = rng.integers(0, n, (b, k))
    indices = np.concatenate([idx, neighbor_idx.ravel()])
    g: dict[str, Any] = {
        "x": normal(rng, b, d, scale=scale), "y": rng.integers(0, classes, b),
        "x_aux": normal(rng, b, k, d, scale=scale), "y_aux": rng.integers(0, classes, (b, k)),
        "lamb_hat": normal(rng, n, 1, scale=scale), "idx": idx, "neighbor_idx": neighbor_idx, "indices": indices,
        "init_centers": normal(rng, classes, d), "num_classes": classes, "centers_alpha": single(rate),
    }  # fmt: skip
    x = np.concatenate([g["x"], g["x_aux"].reshape(-1, d)])
    y = np.concatenate([g["y"], g["y_aux"].ravel()])
    weight = sigmoid(g["lamb_hat"][indices, 0])
    for prefix, start in (("", g["init_centers"]), ("zeroinit_", np.zeros((classes, d)))):
        slope = weight[:, None] * (x - start[y]) / len(x)
        g[f"{prefix}grad_loss_wrt_x"] = slope[:b]
        if not prefix:
            g["grad_loss_wrt_x_aux"] = slope[b:].reshape(b, k, d)
        centers, rows = start, []
        for _ in range(steps):
            pull = center_gradient(x, y, weight, centers)
            pulled = centers - g["centers_alpha"] * pull
            pushed = gradient(lambda c: 0.1 * push(c), pulled)
            after = pulled - g["centers_alpha"] * pushed
            rows.append((discriminative(x, y, weight, centers), pull, pulled, pushed, after))
            centers = after
        names = ("loss", "center_grad", "centers_after_pull", "push_grad", "centers_after_update")
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            g[f"{prefix}{name}_steps"] = np.stack([np.asarray(value) for value in values])
    return stored(g)


def _swapped(loss: Callable[..., float], logits: Array, lamb_hat: Array, scores: Array) -> float:
    return loss(logits, scores, lamb_hat)


def ldlva_lambda_step(
    rng: np.random.Generator, b: int, k: int, d: int, classes: int, n: int, gamma: float, rate: float, scale: float
) -> Arrays:
    idx = rng.permutation(n)[:b]
    neighbor_idx = rng.integers(0, n, (b, k))
    g: dict[str, Any] = {
        "feat": normal(rng, b, d), "logits": normal(rng, b, classes, scale=scale),
        "labels_all": rng.integers(0, classes, n), "idx": idx, "neighbor_idx": neighbor_idx,
        "feat_aux": normal(rng, b, k, d), "logits_aux": normal(rng, b, k, classes, scale=scale),
        "knn_weights": rng.uniform(0.05, 1, (b, k)).astype(np.float32).astype(np.float64),
        "calib_scores": rng.uniform(0.2142, 1, (b, k)).astype(np.float32).astype(np.float64),
        "lamb_hat": normal(rng, n, 1), "init_centers": normal(rng, classes, d),
        "class_weights": rng.uniform(0.2, 5, classes).astype(np.float32).astype(np.float64),
        "gamma": single(gamma), "lamb_lr": single(rate), "lamb_momentum": single(0.9), "centers_alpha": single(0.3),
        "num_classes": classes,
    }  # fmt: skip
    labels = g["labels_all"][idx]
    item_rows = np.concatenate([idx, neighbor_idx.ravel()])
    item_labels = g["labels_all"][item_rows]
    item_weight = sigmoid(g["lamb_hat"][item_rows, 0])
    feat, logits, scores, lamb_hat = (g[name] for name in ("feat", "logits", "calib_scores", "lamb_hat"))

    def target(scores: Array, lamb_hat: Array) -> Array:
        neighbors = neighbor_mean(softmax(g["logits_aux"]), scores * g["knn_weights"])
        lamb = sigmoid(lamb_hat[idx])
        return np.asarray(lamb * one_hot(labels, classes) + (1 - lamb) * neighbors)

    def emotion(w: Array, logits: Array, scores: Array, lamb_hat: Array) -> float:
        log = np.log(softmax(logits) + 1e-10)
        return float((w * -(target(scores, lamb_hat) * log).sum(axis=1)).sum() / b)

    def items(feat: Array) -> Array:
        return np.concatenate([feat, g["feat_aux"].reshape(-1, d)])

    def dcm(feat: Array) -> float:
        return discriminative(items(feat), item_labels, item_weight, g["init_centers"])

    outputs: dict[str, Any] = {}
    for suffix, weights in (("", np.ones(b)), ("_classweights", g["class_weights"][labels])):
        loss = partial(emotion, weights)
        by_lambda = gradient(partial(loss, logits, scores), lamb_hat)
        after = lamb_hat - g["lamb_lr"] * by_lambda
        outputs |= {
            f"emotion_loss{suffix}": loss(logits, scores, lamb_hat),
            f"dcm_loss{suffix}": dcm(feat),
            f"total_loss{suffix}": loss(logits, scores, lamb_hat) + g["gamma"] * dcm(feat),
            f"target{suffix}": target(scores, lamb_hat),
            f"grad_lamb_hat{suffix}": by_lambda,
            f"lamb_hat_after{suffix}": after,
            f"grad_logits{suffix}": gradient(partial(loss, scores=scores, lamb_hat=lamb_hat), logits),
            f"grad_feat{suffix}": g["gamma"] * gradient(dcm, feat),
            f"grad_calib{suffix}": gradient(partial(_swapped, loss, logits, lamb_hat), scores),
            f"centers_after{suffix}": moved_centers(
                items(feat), item_labels, item_weight, g["init_centers"], g["centers_alpha"]
            ),
            f"mean_lambda_logged{suffix}": sigmoid(after[idx]).mean(),
        }
    return stored(g | outputs)


# DMUE


def soft_loss(logits: Array, labels: Array, softlabel: Array) -> float:
    p = softmax(logits) * (1 - one_hot(labels, logits.shape[1]))
    return float(((p - softlabel) ** 2).mean())


def dmue_soft_loss(rng: np.random.Generator, labels: Array, classes: int, scale: float) -> Arrays:
    logits = normal(rng, len(labels), classes, scale=scale)
    soft = rng.uniform(0.01, 1, (len(labels), classes)) * (1 - one_hot(labels, classes))
    soft = (soft / soft.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    return stored(
        {
            "logits": logits,
            "labels": labels,
            "softlabel": soft,
            "soft_loss": soft_loss(logits, labels, soft),
            "grad_logits": gradient(lambda z: soft_loss(z, labels, soft), logits),
        }
    )


def unit_rows(gram: Array) -> Array:
    return np.asarray(gram / np.maximum(np.linalg.norm(gram, axis=1, keepdims=True), 1e-12))


def branch_mse(aux_logits: Array, x_main: Array, rows: Array) -> float:
    a = unit_rows(aux_logits @ aux_logits.T)
    m = unit_rows(x_main[rows] @ x_main[rows].T)
    return float(((a - m) ** 2).mean())


def dmue_sp_loss(rng: np.random.Generator, labels: Array, classes: int, d: int) -> Arrays:
    x = normal(rng, len(labels), d)
    rows = [np.flatnonzero(labels != c) for c in range(classes)]
    logits = [normal(rng, len(r), classes - 1) for r in rows]
    per_branch = [branch_mse(z, x, r) for z, r in zip(logits, rows, strict=True)]
    g: dict[str, Any] = {"labels": labels, "num_classes": classes, "x_main": x}
    for c in range(classes):
        g |= {
            f"aux_logits_{c}": logits[c],
            f"aux_index_{c}": rows[c],
            f"G_aux_{c}": unit_rows(logits[c] @ logits[c].T),
            f"G_main_{c}": unit_rows(x[rows[c]] @ x[rows[c]].T),
            f"grad_aux_logits_{c}": gradient(partial(branch_mse, x_main=x, rows=rows[c]), logits[c]) / classes,
        }
    g |= {
        "mse_per_branch": np.array(per_branch),
        "sp_loss": np.mean(per_branch),
        "grad_x_main": gradient(lambda v: np.mean([branch_mse(z, v, r) for z, r in zip(logits, rows, strict=True)]), x),
    }
    return stored(g)


def confidence_parts(feat: Array, labels: Array, classes: int, g: dict[str, Any], prefix: str) -> dict[str, Array]:
    length = np.sqrt((feat**2).sum(axis=1))
    cos = feat @ feat.T / np.outer(length, length)
    raw = np.stack([cos[:, labels == c].mean(axis=1) for c in range(classes)], axis=1)
    low, high = raw.min(axis=1, keepdims=True), raw.max(axis=1, keepdims=True)
    scaled = (raw - low) / (high - low)
    statics = np.concatenate([scaled, one_hot(labels, classes)], axis=1)
    hidden = statics @ g[f"{prefix}proj0_weight"].T + g[f"{prefix}proj0_bias"]
    hidden = np.where(hidden > 0, hidden, g[f"{prefix}prelu_weight"] * hidden)
    score = sigmoid(hidden @ g[f"{prefix}proj1_weight"].T + g[f"{prefix}proj1_bias"])
    return {"cos_similarity": cos, "cos_mean_raw": raw, "cos_mean_scaled": scaled, "statics": statics, "score": score}


def projection(rng: np.random.Generator, classes: int, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}proj0_weight": normal(rng, classes, 2 * classes, scale=0.5),
        f"{prefix}proj0_bias": normal(rng, classes, scale=0.3),
        f"{prefix}prelu_weight": normal(rng, 1, scale=0.2),
        f"{prefix}proj1_weight": normal(rng, 1, classes),
        f"{prefix}proj1_bias": normal(rng, 1),
    }


def dmue_confidence(rng: np.random.Generator, labels: Array, classes: int, d: int) -> Arrays:
    feat = normal(rng, len(labels), d)
    g: dict[str, Any] = {"main_feat": feat, "labels": labels, "num_classes": classes, **projection(rng, classes, "")}
    g["classifier_weight"] = normal(rng, classes, d)
    parts = confidence_parts(feat, labels, classes, g, "")
    logits = feat @ g["classifier_weight"].T
    g |= parts
    g |= {
        "one_hot": one_hot(labels, classes),
        "logits": logits,
        "weighted_logits": logits * parts["score"],
        "grad_sum_score_wrt_main_feat": gradient(
            lambda v: confidence_parts(v, labels, classes, g, "")["score"].sum(), feat
        ),
    }
    return stored(g)


def latent(logits: Array, c: int, temperature: float) -> Array:
    return np.asarray(np.insert(softmax(logits / temperature), c, 0.0, axis=1))


def dmue_sharpened_targets(
    rng: np.random.Generator, labels: Array, classes: int, temperature: float, scale: float
) -> Arrays:
    g: dict[str, Any] = {"labels": labels, "num_classes": classes, "T": single(temperature)}
    targets = np.zeros((len(labels), classes))
    for c in range(classes):
        logits = normal(rng, int((labels == c).sum()), classes - 1, scale=scale)
        g[f"softlabel_logits_{c}"] = logits
        if len(logits):
            targets[labels == c] = latent(logits, c, g["T"])
    return stored(g | {"soft_targets": targets})


def ramps(epoch: float, a: float) -> tuple[float, float]:
    up = np.exp(-5 * (1 - epoch / a) ** 2) if epoch <= a else 1.0
    down = 1.0 if epoch < a else np.exp(-((1 - a / epoch) ** 2))
    return float(up), float(down)


def dmue_ramp(alphas: tuple[float, ...], epochs: list[int], factor_names: dict[str, float]) -> Arrays:
    g: dict[str, Any] = {"epochs": np.array(epochs)}
    for a in alphas:
        for ending, factor in factor_names.items():
            values = np.array([ramps(e, a) for e in epochs]) * factor
            g[f"ramp_up_a{a:g}{ending}"], g[f"ramp_down_a{a:g}{ending}"] = values[:, 0], values[:, 1]
    return stored(g)


def cross_entropy(logits: Array, labels: Array) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def dmue_total(
    rng: np.random.Generator,
    labels: Array,
    classes: int,
    d: int,
    epochs: list[int],
    epoch: int,
    constants: dict[str, float],
) -> Arrays:
    e, b = len(epochs), len(labels)
    g: dict[str, Any] = {"num_classes": classes, "alpha": int(constants["alpha"]), "epochs": np.array(epochs)}
    g |= {name: single(constants[name]) for name in ("w", "gamma", "T")}
    for name in ("ce", "soft", "sp"):
        g[name] = np.abs(normal(rng, e))
    g["aux_per_branch"] = np.abs(normal(rng, e, classes))
    up, down = np.array([ramps(value, g["alpha"]) for value in epochs]).T
    g["aux_mean"], g["ramp_up"], g["ramp_down"] = g["aux_per_branch"].mean(axis=1), up, down
    g["total"] = up * (g["ce"] + g["w"] * g["soft"] + g["gamma"] * g["sp"]) + down * g["aux_mean"]
    g["coefficients"] = np.stack([up, up * g["w"], up * g["gamma"], down / classes], axis=1)

    g |= {
        "e2e_main_feat": normal(rng, b, d), "e2e_aux_feat": normal(rng, classes, b, d), "e2e_labels": labels,
        "e2e_bn_weight": normal(rng, d), "e2e_bn_bias": normal(rng, d), "e2e_bn_running_mean": normal(rng, d),
        "e2e_bn_running_var": (np.abs(normal(rng, d)) + 0.5).astype(np.float32).astype(np.float64),
        "e2e_bn_eps": single(constants["bn_eps"]),
        "e2e_aux_classifier_weight": normal(rng, classes, classes - 1, d),
        "e2e_main_classifier_weight": normal(rng, classes, d), "e2e_epoch": epoch,
    }  # fmt: skip
    g |= projection(rng, classes, "e2e_")
    rows = [np.flatnonzero(labels != c) for c in range(classes)]
    targets = [labels[r] - (labels[r] > c) for c, r in enumerate(rows)]

    def neck(x: Array) -> Array:
        scale = g["e2e_bn_weight"] / np.sqrt(g["e2e_bn_running_var"] + g["e2e_bn_eps"])
        return np.asarray((x - g["e2e_bn_running_mean"]) * scale + g["e2e_bn_bias"])

    latents = np.zeros((b, classes))  # constants: no gradient flows through them
    for c in range(classes):
        own = labels == c
        latents[own] = latent(neck(g["e2e_aux_feat"][c][own]) @ g["e2e_aux_classifier_weight"][c].T, c, g["T"])

    def parts(main_feat: Array, aux_feat: Array, proj0: Array, weight: Array) -> dict[str, Any]:
        main_logits = neck(main_feat) @ weight.T
        replaced = g | {"e2e_proj0_weight": proj0}
        score = confidence_parts(main_feat, labels, classes, replaced, "e2e_")["score"]
        aux_logits = [neck(aux_feat[c][r]) @ g["e2e_aux_classifier_weight"][c].T for c, r in enumerate(rows)]
        ce = cross_entropy(main_logits * score, labels)
        soft = soft_loss(main_logits, labels, latents)
        sp = np.mean([branch_mse(z, neck(main_feat), r) for z, r in zip(aux_logits, rows, strict=True)])
        aux = np.mean([cross_entropy(z, t) for z, t in zip(aux_logits, targets, strict=True)])
        e2e_up, e2e_down = ramps(epoch, g["alpha"])
        total = e2e_up * (ce + g["w"] * soft + g["gamma"] * sp) + e2e_down * aux
        return {
            "main_logits": main_logits, "score": score, "weighted_logits": main_logits * score,
            "soft_targets": latents, "ce": ce, "soft": soft, "sp": sp, "aux_mean": aux, "total": total,
        }  # fmt: skip

    names = ("main_feat", "aux_feat", "proj0_weight", "main_classifier_weight")
    at = [g[f"e2e_{name}"] for name in names]
    outputs = {f"e2e_{name}": value for name, value in parts(*at).items()}

    def total_at(i: int, value: Array) -> Any:
        replaced = [*at[:i], value, *at[i + 1 :]]
        return parts(*replaced)["total"]

    for i, name in enumerate(names):
        outputs[f"e2e_grad_{name}"] = gradient(partial(total_at, i), at[i])
    outputs |= {f"e2e_branch_targets_{c}": target for c, target in enumerate(targets)}
    return stored(g | outputs)
