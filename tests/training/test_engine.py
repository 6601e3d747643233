from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.datasets import FaceDataset, load_dataset
from ldlva.errors import DatasetError, TrainingError
from ldlva.training.config import TrainConfig, resolve_config
from ldlva.training.engine import complete, noisy_labels, run_record, train, training_part
from ldlva.training.evaluation import evaluate
from ldlva.training.methods import TrainingSet
from ldlva.training.runs import Run
from ldlva.training.trainer import Compute
from tests.conftest import FerPlusMaker
from tests.training.conftest import silent


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_label_noise_changes_its_share_of_labels_and_none_into_itself(share: float) -> None:
    labels = np.random.default_rng(0).integers(0, 7, 2000)
    noisy = noisy_labels(labels, share, seed=3)
    assert (noisy != labels).sum() == round(share * 2000)
    assert set(np.unique(noisy)) <= set(range(7))
    np.testing.assert_array_equal(noisy, noisy_labels(labels, share, seed=3))
    assert (noisy != noisy_labels(labels, share, seed=4)).any()


def dataset(valence_arousal: bool = False) -> FaceDataset:
    rng = np.random.default_rng(0)
    return FaceDataset(
        "x", "train", "argmax", tuple(map(str, range(70))), rng.integers(0, 256, (70, 32, 32), dtype=np.uint8),
        np.tile(np.arange(7), 10), vote_counts=rng.integers(1, 5, (70, 7)),
        valence_arousal=rng.uniform(-1, 1, (70, 2)) if valence_arousal else None,
    )  # fmt: skip


def test_a_method_that_does_not_ask_gets_no_votes_and_noise_reaches_the_labels() -> None:
    clean = training_part(dataset(), resolve_config(data="x:y", image_size=32))
    noisy = training_part(dataset(), resolve_config(data="x:y", image_size=32, label_noise=0.2))
    assert clean.distributions is None
    assert (clean.labels != noisy.labels).sum() == 14


def test_the_record_says_where_valence_and_arousal_come_from() -> None:
    config = resolve_config(data="x:y", method="ldlva", threads=1)
    assert "pseudo" in run_record(config, dataset())["valence_arousal_source"]
    assert run_record(config, dataset(valence_arousal=True))["valence_arousal_source"] == "the data set's own"


def test_class_weights_average_one_and_favour_the_rare(tiny_set: Callable[..., TrainingSet]) -> None:
    whole = tiny_set()
    part = whole.subset(np.flatnonzero((whole.labels != 6) & ~((whole.labels == 5) & (np.arange(28) > 7))))
    weights = part.class_weights()
    assert weights[part.labels].mean() == pytest.approx(1)
    assert weights[5] == pytest.approx(4 * weights[0])
    assert weights[6] == 0


def test_a_finished_run_knows_its_temperature(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(per_emotion=3, parts=("train", "valid", "test"))
    config = resolve_config(data=f"ferplus:{root}", backbone="mobilenet_v2", image_size=32, epochs=1, batch_size=7)
    run = Run(tmp_path / "run")
    train(config, run, silent)
    kept = run.temperature()
    assert kept is not None
    assert kept["fitted_on"] == {"source": "ferplus", "split": "valid", "filter": "argmax", "n": 21}
    on_test = evaluate([run], lambda size: load_dataset(f"ferplus:{root}", "test", None, size))
    assert on_test["calibrated"]["temperature"] == kept["temperature"]
    for rule in ("argmax", "majority"):  # another filter of the part does not make them other faces
        on_valid = evaluate([run], lambda size, rule=rule: load_dataset(f"ferplus:{root}", "valid", rule, size))  # type: ignore[misc]
        assert on_valid["calibrated"]["fitted_on"] == "the votes of the other half of these faces"

    (run.folder / "temperature.json").unlink()  # killed right after the weights were written
    complete(run)
    assert run.temperature() == kept


def test_few_faces_give_no_temperature(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(per_emotion=2)
    config = resolve_config(data=f"ferplus:{root}", backbone="mobilenet_v2", image_size=32, epochs=1, batch_size=7)
    run = Run(tmp_path / "run")
    train(config, run, silent)
    assert run.temperature() is None
    assert evaluate([run], lambda size: load_dataset(f"ferplus:{root}", "valid", None, size))["calibrated"] is None


def test_several_runs_are_an_ensemble(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    """The mean distribution of two models is no farther from people than the two on average (convexity)."""
    root = make_ferplus()
    runs = [Run(tmp_path / str(seed)) for seed in (0, 1)]
    settings = {"data": f"ferplus:{root}", "backbone": "mobilenet_v2", "image_size": 32, "batch_size": 7}
    for seed, run in enumerate(runs):
        train(resolve_config(**settings, epochs=1, learning_rate=1e-4, seed=seed), run, silent)

    def load(size: int) -> FaceDataset:
        return load_dataset(f"ferplus:{root}", "valid", None, size)

    single = [evaluate([run], load)["soft_cross_entropy"] for run in runs]
    assert evaluate(runs, load)["soft_cross_entropy"] < np.mean(single)


def test_a_run_started_from_another_begins_where_that_one_ended(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    settings = {"data": f"ferplus:{root}", "backbone": "mobilenet_v2", "image_size": 32, "batch_size": 7, "epochs": 1}
    first, second = Run(tmp_path / "first"), Run(tmp_path / "second")
    train(resolve_config(**settings), first, silent)
    train(resolve_config(**settings, init=str(first.folder), learning_rate=1e-12, seed=5), second, silent)
    weights = [run.load_weights()["classifier.weight"] for run in (first, second)]
    np.testing.assert_allclose(weights[0].numpy(), weights[1].numpy(), atol=1e-6)


def quick(root: Path, **changed: Any) -> TrainConfig:
    settings = {"backbone": "mobilenet_v2", "image_size": 32, "epochs": 1, "batch_size": 7, "threads": 1}
    return resolve_config(data=f"ferplus:{root}", **settings | changed)


def test_two_trainings_in_one_folder_are_refused_from_the_first_moment(
    tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    config, run = quick(make_ferplus()), Run(tmp_path / "run")

    def load_and_look(*arguments: Any) -> FaceDataset:
        """While the first still reads its images: nothing but the lock is there."""
        assert not run.exists()
        with pytest.raises(TrainingError, match="is being trained already"):
            train(config, Run(run.folder), silent)
        return load_dataset(*arguments)

    calls = iter([load_and_look])
    train(config, run, silent, lambda *arguments: next(calls, load_dataset)(*arguments))
    assert run.is_finished()
    with pytest.raises(TrainingError, match="was started with other settings"):
        train(quick(tmp_path / "FERPlus", seed=2), run, silent)


def test_a_training_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        train(quick(tmp_path / "nowhere"), Run(tmp_path / "run"), silent)
    assert not (tmp_path / "run").exists()


def test_ldlva_that_would_be_cross_entropy_throughout_is_refused(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    with pytest.raises(TrainingError, match="leaves none after the warm-up"):
        train(quick(make_ferplus(), method="ldlva", options={"warmup_epochs": 1}), Run(tmp_path / "run"), silent)


def test_a_run_resumes_without_the_weights_it_started_from(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    root, first, second = make_ferplus(), Run(tmp_path / "first"), Run(tmp_path / "second")
    train(quick(root), first, silent)
    config = quick(root, init=str(first.folder))
    train(config, second, silent)
    expected = second.load_weights()["classifier.weight"]
    shutil.rmtree(first.folder)
    (second.folder / "model.safetensors").unlink()
    train(config, second, silent)
    torch.testing.assert_close(second.load_weights()["classifier.weight"], expected)


def test_float32_is_not_rounded_to_ten_bits_on_a_gpu() -> None:
    torch.backends.cudnn.allow_tf32 = True
    Compute.from_config(resolve_config(data="x:y"))
    assert not torch.backends.cudnn.allow_tf32


def test_ldlva_with_teachers_opinions_trains_them_once_for_both_uses(
    tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    root = make_ferplus()
    options = {"neighbors": "teachers", "neighbor_count": 3}
    run = Run(tmp_path / "run")
    train(quick(root, method="ldlva", epochs=2, teacher_epochs=1, options=options), run, silent)
    assert run.is_finished()
    assert "out-of-fold" in run.record()["posteriors_source"]
    assert (run.folder / "posteriors.csv").is_file() and (run.folder / "valence_arousal.csv").is_file()
    assert sorted(path.name for path in (run.folder / "teacher").iterdir()) == ["fold0", "fold1", "fold2"]


@pytest.mark.parametrize("space", ["random", "features"])
def test_neighbours_without_coordinates_take_no_teachers(
    tmp_path: Path, make_ferplus: FerPlusMaker, space: str
) -> None:
    root = make_ferplus()
    settings = {"data": f"ferplus:{root}", "backbone": "mobilenet_v2", "image_size": 32, "batch_size": 7, "epochs": 2}
    run = Run(tmp_path / "run")
    options = {"neighbor_space": space, "neighbor_count": 3}
    train(resolve_config(**settings, method="ldlva", options=options), run, silent)
    assert run.is_finished()
    assert run.record()["valence_arousal_source"] is None
    assert not (run.folder / "teacher").exists() and not (run.folder / "valence_arousal.csv").exists()
