"""DMUE's loss (She et al., CVPR 2021) on the inputs of the authors' code, one function per golden file."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from ldlva.training.losses import dmue
from ldlva.training.losses.pairwise_uncertainty import (
    PairwiseUncertainty,
    class_similarities,
    cosine_similarities,
    rescaled_rows,
)
from ldlva.training.methods.dmue import Branches, DmueHead
from ldlva.training.selfcheck.golden import Golden, MissingArrayError


def soft_loss(g: Golden) -> None:
    logits = g.leaf("logits")
    loss = dmue.soft_loss(logits, g["labels"], g["softlabel"])
    loss.backward()  # type: ignore[no-untyped-call]
    g.compare("soft_loss", loss)
    g.compare_gradient("grad_logits", logits)


def sp_loss(g: Golden) -> None:
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


def confidence(g: Golden) -> None:
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


def _uncertainty_state(g: Golden, prefix: str) -> dict[str, Tensor]:
    return {
        "project0.weight": g[f"{prefix}proj0_weight"],
        "project0.bias": g[f"{prefix}proj0_bias"],
        "activation.weight": g[f"{prefix}prelu_weight"],
        "project1.weight": g[f"{prefix}proj1_weight"],
        "project1.bias": g[f"{prefix}proj1_bias"],
    }


def _uncertainty_network(g: Golden, classes: int, prefix: str) -> PairwiseUncertainty:
    network = PairwiseUncertainty(classes).to(g.dtype)
    network.load_state_dict(_uncertainty_state(g, prefix))
    return network


def sharpened_targets(g: Golden) -> None:
    labels, classes = g["labels"], g.count("num_classes")
    targets = torch.zeros(len(labels), classes, dtype=g.dtype)
    for c in range(classes):
        targets[labels == c] = dmue.latent_distribution(g[f"softlabel_logits_{c}"], c, g.number("T"))
    g.compare("soft_targets", targets)


RAMP_NAME = re.compile(r"ramp_(?P<which>up|down)_a(?P<beta>\d+(?:\.\d+)?)(?P<rest>.*)")
FACTOR = re.compile(r"_[a-z]*_?2[._p]?5")
"""The end of a ramp's name if the authors' `lamda` was 2.5; without it, it was 1."""


def ramp(g: Golden) -> None:
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


def total(g: Golden) -> None:
    _compare_total(g)
    _compare_end_to_end(g)


def _compare_total(g: Golden) -> None:
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


def _weights(g: Golden) -> tuple[float, float]:
    return g.number("w"), g.number("gamma")


def _compare_end_to_end(g: Golden) -> None:
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
