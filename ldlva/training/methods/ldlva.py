"""LDLVA: uncertainty-aware label distribution learning (Le et al., WACV 2023).

The target of a sample mixes its label with the predictions of its neighbours in valence-arousal space; the mixing
weight of every sample is learned. By default neighbour features and predictions are read from a memory bank holding
each sample's latest values, which costs about a tenth of a step instead of K extra forward passes. The bank is this
project's choice, not the authors'; `neighbors=forward` is theirs. With `neighbors=teachers`, ours too, the neighbours'
predictions are those of out-of-fold teachers: ripe from the first target on, and of a network that was not told their
labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ldlva.emotions import EMOTION_NAMES
from ldlva.training.backbones import FaceNetwork
from ldlva.training.images import to_input
from ldlva.training.losses import ldlva as losses
from ldlva.training.losses.adaptive_similarity import LOGIT_FLOOR, AdaptiveSimilarity
from ldlva.training.losses.cross_entropy import label_cross_entropy
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet
from ldlva.training.neighbors import nearest_in_features, nearest_neighbors, random_neighbors

REFERENCE_BATCH = 32
"""Batch size of the authors' settings. A lambda's gradient carries 1/B but is applied once per visit, so the rate is
scaled by B / 32: lambda then moves per epoch as it did for them, whatever the batch."""


class LdlvaOptions(Options):
    """Settings of LDLVA; defaults are the authors' (RAF-DB) where they have one."""

    variant: Literal["code", "paper"] = Field("code", description="which to follow where the two differ")
    neighbors: Literal["bank", "forward", "teachers"] = Field(
        "bank",
        description="whose predictions the neighbours' are. bank: each sample's latest; forward: neighbours pass "
        "through the network each step; teachers: those of out-of-fold teachers",
    )
    neighbor_space: Literal["valence_arousal", "random", "features"] = Field(
        "valence_arousal", description="where neighbours are near; the other two are ablations"
    )
    neighbor_count: int = Field(8, ge=1, description="K, neighbours per sample")
    similarity_width: float = Field(0.5, gt=0, description="delta of the local similarity")
    gamma: float = Field(0.01, ge=0, description="weight of the discriminative loss")
    lambda_init: float = Field(0.5, description="initial logit of the label's weight")
    lambda_rate: float = Field(10.0, ge=0, description="SGD rate of lambda at batch size 32; 0 keeps it fixed")
    center_rate: float = Field(0.5, ge=0, description="SGD rate of the class centres")
    warmup_epochs: int = Field(1, ge=0, description="cross-entropy epochs before the first target, filling the bank")

    @model_validator(mode="after")
    def _bank_needs_warm_up(self) -> Self:
        if self.warmup_epochs == 0 and (self.neighbors != "forward" or self.neighbor_space == "features"):
            raise ValueError("warmup_epochs: 0 needs neighbors=forward and neighbours that do not come from the bank")
        return self


class Ldlva(Method):
    """Label distribution learning: a face's target mixes its label with the predictions of its neighbours in
    valence-arousal space, and how much is learned face by face (Le et al., WACV 2023).

    Buffers: lambda_hat `[N, 1]`, centers `[C, D]`, and the bank: features `[N, D]`, probabilities `[N, C]`,
    filled `[N]`. With `neighbors=teachers` also their probabilities `[N, C]`.
    """

    options_type = LdlvaOptions
    needs_valence_arousal = True

    lambda_hat: Tensor
    bank_filled: Tensor
    bank_features: Tensor
    bank_probabilities: Tensor
    teacher_probabilities: Tensor
    centers: Tensor
    labels: Tensor
    neighbor_rows: Tensor
    similarity: Tensor

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        self.options = cast(LdlvaOptions, options)
        paper = self.options.variant == "paper"
        self.calibration = AdaptiveSimilarity(self.network.feature_width, logit_floor=None if paper else LOGIT_FLOOR)
        n, width, classes = len(train), self.network.feature_width, self.network.classifier.out_features
        self.register_buffer("lambda_hat", torch.full((n, 1), self.options.lambda_init))
        self.register_buffer("centers", torch.zeros(classes, width))
        # bfloat16 has the range of float32 and halves the checkpoint; the features carry its precision anyway.
        self.register_buffer("bank_features", torch.zeros(n, width, dtype=torch.bfloat16))
        self.register_buffer("bank_probabilities", torch.full((n, classes), 1 / classes))
        self.register_buffer("bank_filled", torch.zeros(n, dtype=torch.bool))
        k = self.options.neighbor_count
        if self.uses_valence_arousal(options):
            if train.valence_arousal is None:
                raise ValueError("LDLVA needs valence_arousal in its training set")
            rows = torch.from_numpy(nearest_neighbors(train.valence_arousal, k))
            similarity = losses.paper_local_similarity if paper else losses.local_similarity
            coordinates = torch.from_numpy(train.valence_arousal)
            weights = similarity(coordinates, rows, self.options.similarity_width).float()
        else:  # the calibration network still weighs neighbours
            rows = random_neighbors(n, k)  # neighbours in feature space replace these as soon as there are features
            weights = torch.ones(n, k)
        # Rebuilt from the data (or, for features, at the start of every epoch), so not stored in checkpoints.
        self.register_buffer("labels", torch.from_numpy(train.labels), persistent=False)
        self.register_buffer("neighbor_rows", rows, persistent=False)
        self.register_buffer("similarity", weights, persistent=False)
        if self.uses_posteriors(options):
            if train.posteriors is None:
                raise ValueError("neighbors=teachers needs posteriors in the training set")
            self.register_buffer("teacher_probabilities", torch.from_numpy(train.posteriors).float(), persistent=False)
        self._images = train.images
        self._warming_up = True
        self._seen: _Seen | None = None

    @classmethod
    def uses_valence_arousal(cls, options: Options) -> bool:
        return cast(LdlvaOptions, options).neighbor_space == "valence_arousal"

    @classmethod
    def uses_posteriors(cls, options: Options) -> bool:
        return cast(LdlvaOptions, options).neighbors == "teachers"

    def start_epoch(self, epoch: int) -> None:
        self._warming_up = epoch < self.options.warmup_epochs
        by_features = self.options.neighbor_space == "features"
        if not self._warming_up and (self.options.neighbors != "forward" or by_features):
            self._fill_bank()
            if by_features:
                self.neighbor_rows.copy_(nearest_in_features(self.bank_features, self.options.neighbor_count))

    def loss(self, batch: Batch) -> Tensor:
        if self._warming_up:
            logits, features = self.network(batch.images)
            self._seen = _Seen(batch.rows, torch.softmax(logits.detach(), dim=1), features.detach())
            return label_cross_entropy(logits, batch.labels, batch.weights)

        neighbor_rows = self.neighbor_rows[batch.rows]
        # Before the batch, as in the authors' code: both move the stored statistics of the network's norms.
        neighbor_features, neighbor_probabilities = self._neighbor_outputs(neighbor_rows)
        logits, features = self.network(batch.images)
        probabilities = torch.softmax(logits, dim=1)
        lambda_hat = self.lambda_hat[batch.rows].requires_grad_()
        contribution = self.calibration(features, neighbor_features) * self.similarity[batch.rows]
        neighbors = losses.neighbor_distribution(neighbor_probabilities, contribution)
        target = losses.target_distribution(batch.labels, torch.sigmoid(lambda_hat), neighbors)
        classification = losses.target_cross_entropy(target, probabilities, batch.weights)

        # The code's discriminative loss runs over the batch and its neighbours, the paper's over the batch alone; only
        # the batch's features carry gradient.
        paper = self.options.variant == "paper"
        item_rows = batch.rows if paper else torch.cat([batch.rows, neighbor_rows.flatten()])
        items = _Items(
            features=features if paper else torch.cat([features, neighbor_features.flatten(0, 1)]),
            labels=self.labels[item_rows],
            label_weight=torch.sigmoid(self.lambda_hat[item_rows]),
        )
        discriminative = losses.discriminative_loss(items.features, items.labels, items.label_weight, self.centers)
        if paper:
            discriminative = discriminative + losses.paper_center_push(self.centers)
        self._seen = _Seen(batch.rows, probabilities.detach(), features.detach(), lambda_hat, items)
        return classification + self.options.gamma * discriminative

    @torch.no_grad()
    def _neighbor_outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features `[B, K, D]` and probabilities `[B, K, C]` of the neighbours `rows` `[B, K]`, as constants."""
        if self.options.neighbors != "forward":
            by_teachers = self.options.neighbors == "teachers"
            said = self.teacher_probabilities if by_teachers else self.bank_probabilities
            return self.bank_features[rows].float(), said[rows]
        images = to_input(self._images[rows.flatten().cpu().numpy()]).to(rows.device)  # never augmented
        logits, features = self.network(images)
        # Autocast remembers weights that were cast here, without gradient, and would use them for the batch too.
        torch.clear_autocast_cache()
        shape = (*rows.shape, -1)
        return features.view(shape), torch.softmax(logits, dim=1).view(shape)

    @torch.no_grad()
    def after_step(self) -> None:
        seen = self._seen
        if seen is None:
            return
        self._seen = None
        if seen.lambda_hat is not None and seen.lambda_hat.grad is not None:
            rate = self.options.lambda_rate * len(seen.rows) / REFERENCE_BATCH
            # Added, not assigned: balanced sampling may hold a row twice.
            self.lambda_hat.index_add_(0, seen.rows, seen.lambda_hat.grad, alpha=-rate)
        if seen.items is not None:
            updated = losses.paper_updated_centers if self.options.variant == "paper" else losses.updated_centers
            self.centers.copy_(
                updated(
                    seen.items.features.detach(),
                    seen.items.labels,
                    seen.items.label_weight,
                    self.centers,
                    self.options.center_rate,
                )
            )
        self._store(seen.rows, seen.features, seen.probabilities)

    def _store(self, rows: Tensor, features: Tensor, probabilities: Tensor) -> None:
        self.bank_features[rows] = features.to(self.bank_features.dtype)
        self.bank_probabilities[rows] = probabilities
        self.bank_filled[rows] = True

    @torch.no_grad()
    def _fill_bank(self) -> None:
        """Pass the few rows that no batch held so far (epochs leave the incomplete batch out) through the network."""
        missing = (~self.bank_filled).nonzero().flatten()
        was_training = self.network.training
        self.network.eval()
        for rows in torch.split(missing, 256):
            images = to_input(self._images[rows.cpu().numpy()]).to(rows.device)
            logits, features = self.network(images)
            self._store(rows, features, torch.softmax(logits, dim=1))
        self.network.train(was_training)

    def epoch_metrics(self) -> dict[str, float]:
        weight = torch.sigmoid(self.lambda_hat).squeeze(1)
        spread = {"label_weight_mean": float(weight.mean()), "label_weight_std": float(weight.std())}
        # A rare label's weight may fall until nothing is left of the label: shown by label, it is seen.
        return spread | {
            f"label_weight_{name}": float(weight[own].mean())
            for label, name in enumerate(EMOTION_NAMES)
            if (own := self.labels == label).any()
        }


@dataclass(frozen=True)
class _Items:
    """The B(K+1) rows of the discriminative loss: features `[M, D]`, labels `[M]`, label_weight `[M, 1]`."""

    features: Tensor
    labels: Tensor
    label_weight: Tensor


@dataclass(frozen=True)
class _Seen:
    """What one forward pass leaves for `after_step`."""

    rows: Tensor
    probabilities: Tensor
    features: Tensor
    lambda_hat: Tensor | None = None
    items: _Items | None = None
