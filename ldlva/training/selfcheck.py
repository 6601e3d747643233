"""Our losses against numbers from the original authors' code.

A folder of golden files holds inputs and what the authors' code made of them (`*.npz`, plain arrays). Every check takes
the arrays of one file, runs this product's implementation on its inputs, and returns what was expected beside what came
out. Shapes, class counts and constants are read from the arrays. Everything is computed in float64 unless asked
otherwise, so what is measured is the formula, and the authors' rounding, but not ours.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ldlva.errors import TrainingError
from ldlva.training.losses import dmue, ldlva
from ldlva.training.losses.adaptive_similarity import AdaptiveSimilarity
from ldlva.training.losses.pairwise_uncertainty import (
    PairwiseUncertainty,
    class_similarities,
    cosine_similarities,
    rescaled_rows,
)
from ldlva.training.methods.dmue import Branches, DmueHead

RELATIVE_TOLERANCE = 1e-5
ABSOLUTE_TOLERANCE = 1e-7

Arrays = Mapping[str, npt.NDArray[np.generic]]


class Comparison(NamedTuple):
    """One output array: what the authors' code gave, and what ours gives."""

    name: str
    expected: npt.NDArray[np.float64]
    actual: npt.NDArray[np.float64]

    @property
    def difference(self) -> float:
        """max|actual - expected|; infinite where shapes differ or a value is not a number."""
        if self.expected.shape != self.actual.shape:
            return float("inf")
        if not (np.isfinite(self.expected).all() and np.isfinite(self.actual).all()):
            return float("inf")
        return float(np.abs(self.actual - self.expected).max(initial=0.0))

    @property
    def relative(self) -> float:
        """max|actual - expected| / max|expected|; the plain difference where all of `expected` is 0."""
        scale = float(np.abs(self.expected).max(initial=0.0))
        return self.difference / scale if scale > 0 else self.difference

    @property
    def agrees(self) -> bool:
        """|actual - expected| <= 1e-5 max|expected| + 1e-7 everywhere."""
        scale = float(np.abs(self.expected).max(initial=0.0))
        return self.difference <= RELATIVE_TOLERANCE * scale + ABSOLUTE_TOLERANCE


@dataclass(frozen=True)
class FileReport:
    """How one golden file came out.

    Attributes:
        name: the file's name without `.npz`.
        comparisons: one per output array; empty if the file could not be checked.
        error: why it could not be checked, or None.
    """

    name: str
    comparisons: tuple[Comparison, ...] = ()
    error: str | None = None

    @property
    def worst(self) -> Comparison | None:
        """The comparison closest to, or furthest beyond, its tolerance by relative difference."""
        return max(self.comparisons, key=lambda c: (not c.agrees, c.relative), default=None)

    @property
    def passed(self) -> bool:
        return self.error is None and bool(self.comparisons) and all(c.agrees for c in self.comparisons)


def check_folder(folder: Path) -> list[FileReport]:
    """Check every known golden file in `folder`; one that cannot be checked does not keep the others from it.

    Raises:
        TrainingError: no such folder, or none of the known files in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder. Name the one that holds the golden files.")
    found = [name for name in CHECKS if (folder / f"{name}.npz").exists()]
    if not found:
        raise TrainingError(f"{folder} holds none of the golden files: {', '.join(f'{name}.npz' for name in CHECKS)}.")
    return [check_file(folder / f"{name}.npz") for name in found]


def absent_files(folder: Path) -> list[str]:
    """Known golden files that `folder` does not have."""
    return [name for name in CHECKS if not (folder / f"{name}.npz").exists()]


def check_file(path: Path, dtype: torch.dtype = torch.float64) -> FileReport:
    """Check one golden file; its name says which check it is for. `dtype` is what ours is computed in."""
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        return FileReport(path.stem, error=f"the file cannot be read ({error})")
    try:
        return FileReport(path.stem, tuple(CHECKS[path.stem](arrays, dtype)))
    except MissingArrayError as error:
        return FileReport(path.stem, error=f"the array {error} is missing")
    except (IndexError, RuntimeError, ValueError, TypeError, ZeroDivisionError) as error:
        return FileReport(path.stem, error=f"its arrays do not fit together ({error})")


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """All arrays of an `.npz` file, without running anything that is in it."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        return {name: np.asarray(content[name]) for name in content.files}


class MissingArrayError(KeyError):
    """An array that a golden file should have."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Golden:
    """Arrays of one file as tensors (`dtype`, or int64) and numbers, and the comparisons made so far."""

    def __init__(self, arrays: Arrays, dtype: torch.dtype) -> None:
        self._arrays = arrays
        self.dtype = dtype
        self.comparisons: list[Comparison] = []

    def __getitem__(self, name: str) -> Tensor:
        array = self._array(name)
        if array.dtype.kind == "f":
            return torch.from_numpy(array.astype(np.float64)).to(self.dtype)
        return torch.from_numpy(array.astype(np.int64))

    def leaf(self, name: str) -> Tensor:
        """The array as something gradients can be asked for."""
        return self[name].requires_grad_()

    def number(self, name: str) -> float:
        return float(self[name])

    def count(self, name: str) -> int:
        return int(self[name])

    def names(self) -> Iterator[str]:
        return iter(self._arrays)

    def compare(self, name: str, actual: Tensor) -> None:
        self.comparisons.append(
            Comparison(name, self._array(name).astype(np.float64), actual.detach().double().numpy())
        )

    def compare_gradient(self, name: str, of: Tensor) -> None:
        self.compare(name, torch.zeros_like(of) if of.grad is None else of.grad)

    def _array(self, name: str) -> npt.NDArray[np.generic]:
        if name not in self._arrays:
            raise MissingArrayError(name)
        return self._arrays[name]


def check_ldlva_similarity(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    g.compare("knn_weights", ldlva.local_similarity(g["va"], g["neighbor_idx"]))
    return g.comparisons


def check_ldlva_adaptive_similarity(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
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
    return g.comparisons


def _calibration_network(g: _Golden, last_bias: str) -> AdaptiveSimilarity:
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


def check_ldlva_target(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
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
    return g.comparisons


def check_ldlva_discriminative(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
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
    return g.comparisons


def check_ldlva_lambda_step(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
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
    return g.comparisons


def check_dmue_soft_loss(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    logits = g.leaf("logits")
    loss = dmue.soft_loss(logits, g["labels"], g["softlabel"])
    loss.backward()  # type: ignore[no-untyped-call]
    g.compare("soft_loss", loss)
    g.compare_gradient("grad_logits", logits)
    return g.comparisons


def check_dmue_sp_loss(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    labels, features = g["labels"], g.leaf("x_main")
    branches = range(g.count("num_classes"))
    rows = [(labels != c).nonzero().flatten() for c in branches]
    logits = [g.leaf(f"aux_logits_{c}") for c in branches]
    per_branch = dmue.similarity_preserving_losses(features, logits, rows)
    loss = per_branch.mean()
    loss.backward()  # type: ignore[no-untyped-call]
    gram = (features @ features.T).detach()
    for c in branches:
        g.compare(f"aux_index_{c}", rows[c])
        g.compare(f"G_aux_{c}", dmue.normalized_gram(logits[c]))
        g.compare(f"G_main_{c}", torch.nn.functional.normalize(gram[rows[c]][:, rows[c]], dim=1))
        g.compare_gradient(f"grad_aux_logits_{c}", logits[c])
    g.compare("mse_per_branch", per_branch)
    g.compare("sp_loss", loss)
    g.compare_gradient("grad_x_main", features)
    return g.comparisons


def check_dmue_confidence(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    labels, features, classes = g["labels"], g.leaf("main_feat"), g.count("num_classes")
    network = _uncertainty_network(g, classes, "")
    one_hot = torch.nn.functional.one_hot(labels, classes).to(g.dtype)
    cosines = cosine_similarities(features)
    raw = class_similarities(cosines, labels, classes)
    score = network(features, labels)
    logits = features @ g["classifier_weight"].T
    score.sum().backward()
    for name, value in (
        ("cos_similarity", cosines),
        ("cos_mean_raw", raw),
        ("cos_mean_scaled", rescaled_rows(raw, one_hot.sum(dim=0) > 0)),
        ("one_hot", one_hot),
        ("statics", network.statistics(features, labels)),
        ("score", score),
        ("logits", logits),
        ("weighted_logits", logits * score),
    ):
        g.compare(name, value)
    g.compare_gradient("grad_sum_score_wrt_main_feat", features)
    return g.comparisons


def _uncertainty_state(g: _Golden, prefix: str) -> dict[str, Tensor]:
    return {
        "project0.weight": g[f"{prefix}proj0_weight"],
        "project0.bias": g[f"{prefix}proj0_bias"],
        "activation.weight": g[f"{prefix}prelu_weight"],
        "project1.weight": g[f"{prefix}proj1_weight"],
        "project1.bias": g[f"{prefix}proj1_bias"],
    }


def _uncertainty_network(g: _Golden, classes: int, prefix: str) -> PairwiseUncertainty:
    network = PairwiseUncertainty(classes).to(g.dtype)
    network.load_state_dict(_uncertainty_state(g, prefix))
    return network


def check_dmue_sharpened_targets(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    labels, classes = g["labels"], g.count("num_classes")
    targets = torch.zeros(len(labels), classes, dtype=g.dtype)
    for c in range(classes):
        targets[labels == c] = dmue.latent_distribution(g[f"softlabel_logits_{c}"], c, g.number("T"))
    g.compare("soft_targets", targets)
    return g.comparisons


RAMP_NAME = re.compile(r"ramp_(?P<which>up|down)_a(?P<beta>\d+(?:\.\d+)?)(?P<rest>.*)")
FACTOR = re.compile(r"_[a-z]*_?2[._p]?5")
"""The end of a ramp's name if the authors' `lamda` was 2.5; without it, it was 1."""


def check_dmue_ramp(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    epochs = g["epochs"].tolist()
    ramps = [name for name in g.names() if name != "epochs"]
    for which in ("up", "down"):
        if not any(name.startswith(f"ramp_{which}_") for name in ramps):
            raise MissingArrayError(f"ramp_{which}_a...")
    for name in ramps:
        parsed = RAMP_NAME.fullmatch(name)
        if parsed is None or not (parsed["rest"] == "" or FACTOR.fullmatch(parsed["rest"])):
            raise ValueError(f"{name} is not a ramp's name: ramp_up_a9, ramp_down_a9_lamda2.5")
        ramp = dmue.ramp_up if parsed["which"] == "up" else dmue.ramp_down
        factor = 2.5 if parsed["rest"] else 1.0
        values = [factor * ramp(epoch, float(parsed["beta"])) for epoch in epochs]
        g.compare(name, torch.tensor(values, dtype=torch.float64))
    return g.comparisons


def check_dmue_total(arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    g = _Golden(arrays, dtype)
    _compare_total(g)
    _compare_end_to_end(g)
    return g.comparisons


def _compare_total(g: _Golden) -> None:
    beta = g.number("alpha")
    terms = {name: g.leaf(name) for name in ("ce", "soft", "sp", "aux_per_branch")}
    up = [dmue.ramp_up(epoch, beta) for epoch in g["epochs"].tolist()]
    down = [dmue.ramp_down(epoch, beta) for epoch in g["epochs"].tolist()]
    auxiliary = terms["aux_per_branch"].mean(dim=1)
    total = torch.stack(
        [
            dmue.total_loss(
                terms["ce"][e], terms["soft"][e], terms["sp"][e], auxiliary[e], up[e], down[e], *_weights(g)
            )
            for e in range(len(up))
        ]
    )
    total.sum().backward()  # type: ignore[no-untyped-call]
    gradients = [terms[name].grad for name in ("ce", "soft", "sp")]
    assert terms["aux_per_branch"].grad is not None
    gradients.append(terms["aux_per_branch"].grad[:, 0])
    g.compare("aux_mean", auxiliary)
    g.compare("ramp_up", torch.tensor(up, dtype=torch.float64))
    g.compare("ramp_down", torch.tensor(down, dtype=torch.float64))
    g.compare("total", total)
    g.compare("coefficients", torch.stack([gradient for gradient in gradients if gradient is not None], dim=1))


def _weights(g: _Golden) -> tuple[float, float]:
    return g.number("w"), g.number("gamma")


def _compare_end_to_end(g: _Golden) -> None:
    labels, classes = g["e2e_labels"], g.count("num_classes")
    target_features, branch_features = g.leaf("e2e_main_feat"), g.leaf("e2e_aux_feat")
    head = DmueHead(target_features.shape[1], classes, g.number("T")).to(g.dtype).eval()
    head.neck.eps = g.number("e2e_bn_eps")
    state = {f"uncertainty.{name}": value for name, value in _uncertainty_state(g, "e2e_").items()}
    state |= {f"neck.{name}": g[f"e2e_bn_{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
    state |= {f"auxiliary.{c}.weight": g["e2e_aux_classifier_weight"][c] for c in range(classes)}
    state["target.weight"] = g["e2e_main_classifier_weight"]
    state["neck.num_batches_tracked"] = torch.tensor(0)
    head.load_state_dict(state)

    rows = [(labels != c).nonzero().flatten() for c in range(classes)]
    own_rows = [(labels == c).nonzero().flatten() for c in range(classes)]
    branches = Branches(
        target=target_features,
        auxiliary=[branch_features[c][rows[c]] for c in range(classes)],
        own=[branch_features[c][own_rows[c]] for c in range(classes)],
        rows=rows,
        own_rows=own_rows,
    )
    terms = head(branches, labels, torch.ones(len(labels), dtype=g.dtype))
    epoch, beta = g.number("e2e_epoch"), g.number("alpha")
    ramps = dmue.ramp_up(epoch, beta), dmue.ramp_down(epoch, beta)
    auxiliary = terms.auxiliary.mean()
    total = dmue.total_loss(terms.target, terms.soft, terms.similarity, auxiliary, *ramps, *_weights(g))
    total.backward()  # type: ignore[no-untyped-call]
    for name, value in (
        ("main_logits", terms.logits),
        ("score", terms.confidence),
        ("weighted_logits", terms.logits * terms.confidence),
        ("soft_targets", terms.latent),
        ("ce", terms.target),
        ("soft", terms.soft),
        ("sp", terms.similarity),
        ("aux_mean", auxiliary),
        ("total", total),
    ):
        g.compare(f"e2e_{name}", value)
    for name, leaf in (
        ("main_feat", target_features),
        ("aux_feat", branch_features),
        ("proj0_weight", head.uncertainty.project0.weight),
        ("main_classifier_weight", head.target.weight),
    ):
        g.compare_gradient(f"e2e_grad_{name}", leaf)
    for c in range(classes):
        g.compare(f"e2e_branch_targets_{c}", dmue.branch_labels(labels[rows[c]], c))


class Check(Protocol):
    """Ours on the inputs of one file."""

    def __call__(self, arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]: ...


CHECKS: dict[str, Check] = {
    "ldlva_similarity": check_ldlva_similarity,
    "ldlva_adaptive_similarity": check_ldlva_adaptive_similarity,
    "ldlva_target": check_ldlva_target,
    "ldlva_discriminative": check_ldlva_discriminative,
    "ldlva_lambda_step": check_ldlva_lambda_step,
    "dmue_soft_loss": check_dmue_soft_loss,
    "dmue_sp_loss": check_dmue_sp_loss,
    "dmue_confidence": check_dmue_confidence,
    "dmue_sharpened_targets": check_dmue_sharpened_targets,
    "dmue_ramp": check_dmue_ramp,
    "dmue_total": check_dmue_total,
}
"""Every golden file by name."""
