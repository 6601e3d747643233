"""DMUE: latent label distributions and pairwise uncertainty (She et al., CVPR 2021, "Dive into Ambiguity").

Beside the target branch, one auxiliary branch per class has its own copy of the network's last stage and never sees
its class: asked about samples of that class, it tells what else they look like. These latent distributions teach the
target branch, whose own loss is weighted by a confidence estimated from each sample's similarity to the batch. The
auxiliary branches are for training only; prediction is the target branch's plain softmax.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ldlva.errors import TrainingError
from ldlva.training.backbones import FaceNetwork
from ldlva.training.distributed import ALONE, Group, synchronise_norms
from ldlva.training.losses import dmue as losses
from ldlva.training.losses.pairwise_uncertainty import PairwiseUncertainty
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet
from ldlva.training.small_maps import unchanged_weights, unroll_small_maps

CLASSIFIER_DEVIATION = 0.001
MINIMUM_PER_CLASS = 2
"""The authors skip a batch with fewer of any class: without a partner neither confidence nor neck statistics exist."""


SIMILARITY_WEIGHT = {"ours": 10.0, "code": 1000.0}
"""With the authors' weight the other losses drown in this product's training: measured in `docs/methods.md`."""


class DmueOptions(Options):
    """Settings of DMUE; defaults are the authors' where they have one."""

    variant: Literal["ours", "code"] = Field(
        "ours",
        description="code: confidence network and neck scale are never trained, and all branches move the neck's "
        "statistics, as in the authors' script",
    )
    ramp_epoch: float = Field(6, gt=0, description="beta, where the target branch takes over (FER+: 10-14 of 36)")
    temperature: float = Field(1.2, gt=0, description="T of the latent distributions")
    soft_weight: float = Field(0.5, ge=0, description="w, weight of the latent distributions")
    similarity_weight: float = Field(
        default_factory=lambda options: SIMILARITY_WEIGHT[options.get("variant", "ours")],
        ge=0,
        description="gamma, weight of the similarity-preserving loss; default: 10, and the authors' 1000 for code",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="share of pooled features dropped in training")


@dataclass(frozen=True)
class Branches:
    """Pooled features of one batch, `[n, D]`, before dropout and neck.

    Attributes:
        target: the target branch on all B rows.
        auxiliary: branch c on the rows with another label than c.
        own: branch c on the rows labelled c, constants.
        rows: the rows of `auxiliary`, ascending.
        own_rows: the rows of `own`, ascending.
    """

    target: Tensor
    auxiliary: Sequence[Tensor]
    own: Sequence[Tensor]
    rows: Sequence[Tensor]
    own_rows: Sequence[Tensor]


@dataclass(frozen=True)
class Terms:
    """What the head computes from a batch; the losses are scalars, `auxiliary` is `[C]`.

    Attributes:
        logits: `[B, C]` of the target branch.
        confidence: `[B, 1]`.
        latent: `[B, C]` latent distributions.
        target, soft, similarity, auxiliary: L_WCE, L_soft, L_SP, and the cross-entropy of each branch.
    """

    logits: Tensor
    confidence: Tensor
    latent: Tensor
    target: Tensor
    soft: Tensor
    similarity: Tensor
    auxiliary: Tensor


class DmueHead(nn.Module):
    """Everything after pooling: dropout, a batch-norm neck shared by all branches, bias-free classifiers, confidence.

    Args:
        feature_width: D.
        classes: C.
        temperature: of the latent distributions.
        dropout: share of features dropped in training.
        shared_statistics: every branch moves the neck's stored statistics, as in the authors' code. False: only the
            target branch does, whose predictions are what they are stored for.
    """

    def __init__(
        self,
        feature_width: int,
        classes: int,
        temperature: float = 1.2,
        dropout: float = 0.5,
        shared_statistics: bool = True,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.shared_statistics = shared_statistics
        self.dropout = nn.Dropout(dropout)
        self.neck = nn.BatchNorm1d(feature_width)
        self.neck.bias.requires_grad_(False)  # as in the authors' code: no bias anywhere in the head
        self.target = nn.Linear(feature_width, classes, bias=False)
        self.auxiliary = nn.ModuleList(nn.Linear(feature_width, classes - 1, bias=False) for _ in range(classes))
        for layer in (self.target, *self.auxiliary):
            nn.init.normal_(layer.weight, std=CLASSIFIER_DEVIATION)
        self.uncertainty = PairwiseUncertainty(classes)

    def forward(self, branches: Branches, labels: Tensor, weights: Tensor) -> Terms:
        """All terms of one batch; `weights` `[B]` are factors on the samples' cross-entropies."""
        # Order as in the authors' code, where every call of the neck moves its stored statistics.
        auxiliary_logits = [
            classifier(self._branch_neck(self.dropout(features)))
            for classifier, features in zip(self.auxiliary, branches.auxiliary, strict=True)
        ]
        confidence = self.uncertainty(branches.target, labels)
        features = self.neck(self.dropout(branches.target))
        logits = self.target(features)
        latent = torch.zeros_like(logits)
        with torch.no_grad():
            for c, (classifier, own) in enumerate(zip(self.auxiliary, branches.own, strict=True)):
                if len(own):
                    own_logits = classifier(self._branch_neck(own))
                    latent[branches.own_rows[c]] = losses.latent_distribution(own_logits, c, self.temperature)
        auxiliary = torch.stack(
            [
                _weighted_cross_entropy(branch_logits, losses.branch_labels(labels[rows], c), weights[rows])
                for c, (branch_logits, rows) in enumerate(zip(auxiliary_logits, branches.rows, strict=True))
            ]
        )
        return Terms(
            logits=logits,
            confidence=confidence,
            latent=latent,
            target=_weighted_cross_entropy(logits * confidence, labels, weights),
            soft=losses.soft_loss(logits, labels, latent),
            similarity=losses.similarity_preserving_losses(features, auxiliary_logits, branches.rows).mean(),
            auxiliary=auxiliary,
        )

    def _branch_neck(self, features: Tensor) -> Tensor:
        """The neck on an auxiliary branch's features."""
        if self.shared_statistics or not self.training:
            normalized: Tensor = self.neck(features)
            return normalized
        neck = self.neck
        return functional.batch_norm(features, None, None, neck.weight, neck.bias, training=True, eps=neck.eps)

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight `[C, D]` and bias `[C]` of one linear layer equal to the neck in eval mode and the classifier."""
        neck = self.neck
        assert neck.running_mean is not None and neck.running_var is not None
        scale = neck.weight / torch.sqrt(neck.running_var + neck.eps)
        bias = self.target.weight @ (neck.bias - neck.running_mean * scale)
        return self.target.weight * scale, bias


def _weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    return (functional.cross_entropy(logits, labels, reduction="none") * weights).mean()


class Dmue(Method):
    """See the module.

    The network's own classifier is not trained: `inference_network` writes the folded head into it.
    """

    options_type = DmueOptions
    default_sampling = "balanced"

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        self.options = cast(DmueOptions, options)
        classes = network.classifier.out_features
        network.classifier.requires_grad_(False)
        trunk, last_stage = network.split()
        self.branches = nn.ModuleList(copy.deepcopy(last_stage) for _ in range(classes))
        unroll_small_maps(self.branches, channels_last=True)
        unroll_small_maps(network)
        trunk, last_stage = network.split()
        # A tuple, so that these modules of the network are not registered a second time.
        self._split = (trunk, last_stage)
        self._group = ALONE
        code = self.options.variant == "code"
        self.head = DmueHead(
            network.feature_width, classes, self.options.temperature, self.options.dropout, shared_statistics=code
        )
        if code:
            self.head.uncertainty.requires_grad_(False)
            self.head.neck.weight.requires_grad_(False)
        self._classes = sorted(set(train.labels.tolist()))
        if len(self._classes) < 2:
            raise TrainingError("DMUE compares emotions: it needs training images of at least two.")
        self.start_epoch(0)

    def share(self, group: Group) -> list[nn.Module]:
        if group.size > 1:
            synchronise_norms(self.network)
            synchronise_norms(self.branches)
            self._split = self.network.split()  # it held the norms that were replaced
        self._group = group
        return [self.network, self.branches]

    def compile_network(self, **settings: Any) -> None:
        # The branches are matrix products of their own, and see another number of images in every batch.
        self._split[0].compile(**settings)

    def start_epoch(self, epoch: int) -> None:
        self._up = losses.ramp_up(epoch, self.options.ramp_epoch)
        self._down = losses.ramp_down(epoch, self.options.ramp_epoch)
        self._skipped = 0
        self._confidence: list[Tensor] = []

    def loss(self, batch: Batch) -> Tensor | None:
        if len(batch.labels) < MINIMUM_PER_CLASS * len(self._classes):
            raise TrainingError(
                f"DMUE needs {MINIMUM_PER_CLASS} images of each of the {len(self._classes)} emotions in a batch, and "
                f"the batch has {len(batch.labels)} images. Use a larger --batch-size (or more training images)."
            )
        counts = torch.bincount(batch.labels, minlength=len(self.branches))
        if int(counts[self._classes].min()) < MINIMUM_PER_CLASS:
            self._skipped += 1
            return None
        branches = self._branch_features(batch.images, batch.labels)
        # The head is cheap, and the Gram matrices need float32.
        with torch.autocast(batch.images.device.type, enabled=False):
            terms = self.head(branches, batch.labels, batch.weights)
        self._confidence.append(terms.confidence.detach().mean())
        return losses.total_loss(
            terms.target,
            terms.soft,
            terms.similarity,
            terms.auxiliary.mean(),
            self._up,
            self._down,
            self.options.soft_weight,
            self.options.similarity_weight,
        )

    def _branch_features(self, images: Tensor, labels: Tensor) -> Branches:
        """Every branch on the rows it needs, and no others."""
        trunk, last_stage = self._split
        part = self._group.part(len(images))
        shared = trunk(images[part])

        def through(stage: nn.Module, rows: Tensor) -> Tensor:
            """The rows of the batch that are among `rows`; this process computes those of its part."""
            first, end = torch.searchsorted(rows, rows.new_tensor([part.start, part.stop])).tolist()
            features = stage(shared.index_select(0, rows[first:end] - part.start))
            return self._group.assemble(features.float(), first, len(rows))

        rows = [(labels != c).nonzero().flatten() for c in range(len(self.branches))]
        own_rows = [(labels == c).nonzero().flatten() for c in range(len(self.branches))]
        auxiliary, own = [], []
        for branch, others, members in zip(self.branches, rows, own_rows, strict=True):
            with unchanged_weights():
                auxiliary.append(through(branch, others))
                with torch.no_grad():
                    own.append(through(branch, members) if len(members) else shared.new_zeros(0, 0))
        return Branches(
            through(last_stage, torch.arange(len(labels), device=labels.device)), auxiliary, own, rows, own_rows
        )

    @torch.no_grad()
    def inference_network(self) -> FaceNetwork:
        """The backbone with the target branch, and the head folded into its classifier."""
        weight, bias = self.head.folded()
        self.network.classifier.weight.copy_(weight)
        self.network.classifier.bias.copy_(bias)
        return self.network

    def epoch_metrics(self) -> dict[str, float]:
        confidence = float(torch.stack(self._confidence).mean()) if self._confidence else float("nan")
        return {
            "skipped_batches": float(self._skipped),
            "confidence_mean": confidence,
            "ramp_up": self._up,
            "ramp_down": self._down,
        }
