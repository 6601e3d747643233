"""What became of a run and how long it will take, from fabricated folders and one real training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ldlva import cli, run_folder
from ldlva.errors import JobError, TrainingError
from ldlva.jobs import Job, new_job, process_identity
from ldlva.run_folder import (
    FRESH_SECONDS,
    READING,
    ProgressWriter,
    RunSummary,
    about,
    check_not_running,
    find_runs,
    outlook,
    read_progress,
    read_run,
)
from ldlva.run_jobs import (
    check_name,
    delete_run,
    discard_run,
    free_name,
    last_lines,
    predict,
    resume_run,
    start_run,
    stop_run,
)
from tests.conftest import FerPlusMaker
from tests.fabricated_runs import CONFIG, GONE, make_run, write_job, write_progress


def read(folder: Path) -> RunSummary:
    return read_run(folder, folder.name, time.time())


def test_a_run_whose_process_lives_is_running(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    write_progress(folder)
    run = read(folder)
    assert (run.state, run.by_page, run.epochs_done) == ("running", False, 3)


def test_a_process_that_is_gone_or_another_one_leaves_an_interrupted_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    write_progress(folder, **GONE)
    assert read(folder).state == "interrupted"
    write_progress(folder, process="another start")  # the number is in use again
    run = read(folder)
    assert run.state == "interrupted"
    assert "was killed" in run.reason


def test_on_another_machine_a_run_counts_as_running_while_it_writes(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    write_progress(folder, **GONE, machine="elsewhere")
    assert read(folder).state == "running"
    write_progress(folder, **GONE, machine="elsewhere", updated=time.time() - FRESH_SECONDS - 1)
    assert read(folder).state == "interrupted"


def test_states_of_runs_that_a_page_started(tmp_path: Path) -> None:
    stopped, failed, killed, finished, resumed = (make_run(tmp_path, name) for name in "abcde")
    for folder in (stopped, failed, killed, finished):
        write_progress(folder, **GONE)  # fresh, but nobody is there
    write_job(stopped, stopped=True)
    write_job(failed, log="epoch 1\nError: Cannot write x: the disk is full. Free some space.\n", code=1)
    write_job(killed)
    write_job(finished, code=0)
    (finished / "model.safetensors").touch()
    write_job(resumed, stopped=True)
    write_progress(resumed)  # from the command line, since
    states = {run.name: run.state for run in find_runs(tmp_path)}
    assert states == {"a": "stopped", "b": "failed", "c": "failed", "d": "finished", "e": "running"}
    assert read(failed).reason == "Cannot write x: the disk is full. Free some space."
    assert last_lines(read(failed), 1).startswith("Error: Cannot write x")
    assert "was killed" in read(killed).reason


def test_a_start_that_failed_leaves_its_reason_and_frees_its_name(tmp_path: Path) -> None:
    write_job(tmp_path / "a", log="Error: /nowhere is not a folder.\n", code=1, method="ce", epochs=3)
    run = read(tmp_path / "a")
    assert (run.state, run.reason, run.has_begun) == ("failed", "/nowhere is not a folder.", False)
    assert run.config["method"] == "ce"
    check_name(tmp_path, "a")
    discard_run(run)
    assert find_runs(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", "{", "config.json cannot be read"),
        ("config.json", "[]", "config.json is not a JSON object"),
        ("config.json", '{"config": {}}', "config.json is not a run's record"),
        ("config.json", None, "config.json is missing"),
        ("metrics.jsonl", '{"epoch": 1}\n{"epo', "metrics.jsonl, line 2 is damaged"),
        ("metrics.jsonl", "[1]", "metrics.jsonl, line 1 is damaged"),
        ("metrics.jsonl", '{"epoch": 1, "loss": "x"}', "metrics.jsonl, line 1 is damaged"),
        ("temperature.json", "{}", "temperature.json has no temperature"),
    ],
)
def test_a_damaged_run_is_listed_with_the_reason(tmp_path: Path, file: str, content: str | None, reason: str) -> None:
    folder = make_run(tmp_path, "a")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    make_run(tmp_path, "b", finished=True)
    runs = {run.name: run for run in find_runs(tmp_path)}
    assert runs["a"].state == "damaged"
    assert reason in runs["a"].reason
    assert runs["b"].state == "finished"


def test_damaged_progress_and_job_records_break_nothing(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    (folder / "progress.json").write_text("{")
    (folder / "job").mkdir()
    (folder / "job" / "job.json").write_text('{"kind": 1}')
    assert read(folder).state == "interrupted"


def test_runs_are_found_newest_first_in_grids_too_but_teachers_are_not_runs(tmp_path: Path) -> None:
    old = make_run(tmp_path, "old", created_at="2026-01-01T00:00:00+00:00", finished=True)
    make_run(old / "teacher", "fold0")
    make_run(tmp_path / "table1", "resnet18-ce", created_at="2026-01-02T00:00:00+00:00")
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").touch()
    runs = find_runs(tmp_path)
    assert [run.name for run in runs] == ["table1/resnet18-ce", "old"]
    assert runs[1].started == datetime(2026, 1, 1, tzinfo=UTC)
    assert runs[1].seconds == 2 * 3 * 20  # its own epochs and the teacher's
    assert runs[1].temperature == 1.25
    assert find_runs(tmp_path / "nowhere") == []


def test_time_left_follows_the_measured_speed(tmp_path: Path) -> None:
    progress = write_progress(tmp_path, epoch=3, epochs=15, step=5, steps=10, seconds_per_step=2.0)
    found = outlook(progress, CONFIG, 640, teachers=False, now=progress.updated + 3)
    assert found.share == pytest.approx(35 / 150)
    assert found.seconds_left == pytest.approx(115 * 2 - 3)
    assert outlook(progress, CONFIG, 640, False, progress.updated + 10**6).seconds_left == 0
    unmeasured = write_progress(tmp_path, seconds_per_step=None)
    assert outlook(unmeasured, CONFIG, 640, False, 0.0).seconds_left is None


def test_time_left_counts_the_teachers() -> None:
    """Three teachers on two thirds of 640 images (6 steps), six epochs each, then 15 epochs of 10 steps."""
    folder = Path()
    run = RunSummary("a", folder, "running", config=CONFIG)
    assert run.outlook(0.0).seconds_left is None
    at = {"started": 0.0, "updated": 0.0, "pid": 1, "process": None, "machine": "x", "seconds_per_step": 1.0}
    teacher = run_folder.RunProgress("teacher 2/3", epoch=0, epochs=6, step=6, steps=6, **at)  # type: ignore[arg-type]
    found = outlook(teacher, CONFIG, 640, True, 0.0)
    assert found.seconds_left == (36 - 6) + 36 + 150
    assert found.share == pytest.approx(42 / 258)
    main = run_folder.RunProgress("train", epoch=0, epochs=15, step=1, steps=10, **at)  # type: ignore[arg-type]
    found = outlook(main, CONFIG, 640, True, 0.0)
    assert found.seconds_left == 149
    assert found.share == pytest.approx(109 / 258)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than 10 s"),
        (44, "about 40 s"),
        (100, "about 2 min"),
        (60 * 89, "about 89 min"),
        (3600 * 2, "about 2 h"),
        (3600 * 3.5, "about 3 h 30 min"),
        (3600 * 2 - 1, "about 2 h"),
    ],
)
def test_an_estimate_is_no_more_exact_than_it_is(seconds: float, text: str) -> None:
    assert about(seconds) == text


def test_progress_is_written_whole_and_seldom_and_measures_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    write = ProgressWriter(tmp_path)
    write(READING)
    steps = []
    for step in range(1, 9):
        clock[0] += 0.2
        write("train", 0, 2, step, 8)
        found = read_progress(tmp_path)
        assert found is not None
        steps.append(found.step)
    assert found is not None
    assert steps == [1, 1, 1, 4, 4, 4, 7, 8]
    assert found.seconds_per_step == pytest.approx(0.2)
    assert (found.pid, found.is_alive(time.time())) == (os.getpid(), True)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    ProgressWriter(tmp_path / "nowhere")("train", 0, 1, 1, 1)
    assert not (tmp_path / "nowhere").exists()


def test_a_second_training_in_the_same_folder_is_refused(
    tmp_path: Path, make_ferplus: FerPlusMaker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, "a")
    write_progress(folder)
    check_not_running(folder)  # this very process
    write_progress(folder, pid=os.getppid(), process=process_identity(os.getppid()))
    with pytest.raises(TrainingError, match="being trained already"):
        resume_run(read(folder))
    monkeypatch.setattr(sys, "argv", ["ldlva", "train", "--resume", "--out", str(folder)])
    with pytest.raises(SystemExit):
        cli.main()
    assert "being trained already" in capsys.readouterr().err.replace("\n", " ")


def test_names_of_new_runs(tmp_path: Path) -> None:
    make_run(tmp_path, "taken")
    for bad in ("", "../x", "a/b", ".hidden", "-x", "a" * 81, "ä"):
        with pytest.raises(TrainingError, match="cannot be a run's name"):
            check_name(tmp_path, bad)
    with pytest.raises(TrainingError, match="There is a run named 'taken'"):
        check_name(tmp_path, "taken")
    assert free_name(tmp_path, "taken") == "taken-2"
    assert free_name(tmp_path, "a b:c") == "a-b-c"


def test_a_run_that_has_begun_is_never_discarded_and_only_a_finished_one_predicts(tmp_path: Path) -> None:
    run = read(make_run(tmp_path, "a"))
    with pytest.raises(TrainingError, match="choose Delete"):
        discard_run(run)
    with pytest.raises(TrainingError, match="has not finished"):
        predict(run, "demo")
    assert run.folder.is_dir()


def test_a_run_is_deleted_only_when_nothing_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_progress(make_run(tmp_path, "running"), pid=sleeping.pid, process=process_identity(sleeping.pid))
    running = read(tmp_path / "running")
    assert running.state == "running"
    with pytest.raises(TrainingError, match="is being trained already"):
        delete_run(running)
    ended = read(make_run(tmp_path, "ended", finished=True))
    job = new_job()
    details = {"run": str(ended.folder.absolute()), "study": "demo"}
    job.start("predict", ["predict", "--run", str(ended.folder), "--study", "demo"], details)
    monkeypatch.setattr(Job, "state", lambda self: "running")
    with pytest.raises(TrainingError, match="is predicting"):
        delete_run(ended)
    assert running.folder.is_dir() and ended.folder.is_dir()
    monkeypatch.setattr(Job, "state", lambda self: "failed")
    delete_run(ended)
    assert not ended.folder.exists()
    assert not job.folder.exists()  # or the next run of this name would seem to have predicted
    sleeping.communicate(b"\n", timeout=60)


def test_a_folder_of_runs_is_not_deleted_for_one(tmp_path: Path) -> None:
    """Which `find_runs` names as a damaged run where it cannot look into it."""
    run = make_run(tmp_path / "table1", "a", finished=True)
    group = read(tmp_path / "table1")
    assert group.state == "damaged"
    with pytest.raises(TrainingError, match="is not a run"):
        delete_run(group)
    assert run.is_dir()


def test_a_run_on_another_disk_is_deleted_there(tmp_path: Path) -> None:
    target = make_run(tmp_path / "disk", "a", finished=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").symlink_to(target)
    delete_run(read(tmp_path / "runs" / "a"))
    assert not target.exists() and not (tmp_path / "runs" / "a").is_symlink()


def test_a_real_start_with_a_wrong_folder_says_so_and_a_running_one_cannot_start_twice(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    arguments = ["--data", "ferplus:/nowhere", "--threads", "1"]
    start_run(root, "a", arguments, {"method": "ce"})
    assert read(root / "a").state == "running"
    with pytest.raises(TrainingError, match="There is a run named 'a'"):
        start_run(root, "a", arguments, {})
    with pytest.raises(JobError, match="running already"):
        resume_run(read(root / "a"))
    deadline = time.monotonic() + 120
    while (run := read(root / "a")).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run.state == "failed"
    assert "/nowhere is not a folder" in run.reason
    start_run(root, "a", arguments, {})
    stop_run(read(root / "a"))
    assert read(root / "a").state == "stopped"


def test_a_real_training_with_teachers_tells_where_it_is(
    tmp_path: Path, make_ferplus: FerPlusMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    seen: list[tuple[str, float]] = []
    write = ProgressWriter.__call__

    def spy(writer: ProgressWriter, *progress: object) -> None:
        write(writer, *progress)  # type: ignore[arg-type]
        if (run := read(out)).has_begun and run.progress is not None:
            seen.append((run.progress.stage, run.outlook(time.time()).share))

    monkeypatch.setattr(ProgressWriter, "__call__", spy)
    monkeypatch.setattr(run_folder, "WRITE_SECONDS", 0.0)
    train = ["train", "--data", f"ferplus:{make_ferplus()}", "--method", "ldlva", "--backbone", "mobilenet_v2"]
    quick = ["--epochs", "2", "--batch-size", "7", "--image-size", "32", "--threads", "1", "--teacher-epochs", "1"]
    monkeypatch.setattr(sys, "argv", ["ldlva", *train, *quick, "--out", str(out)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["teacher 1/3", "teacher 2/3", "teacher 3/3", "train"]
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    run = read(out)
    assert (run.epochs_done, run.last("valid_accuracy") is not None) == (2, True)
    assert run.record["created_at"] == run.started.isoformat() if run.started else False
    assert json.loads((out / "progress.json").read_text())["stage"] == "train"
    assert not Job(out / "job").folder.exists()


def test_what_is_published_of_a_record_names_no_folder() -> None:
    data, file = "/home/ana lopez/FER+", "/home/ana lopez/posteriors.csv"
    record = {
        "config": {
            "data": f"ferplus:{data}",
            "init": "torchvision",
            "teacher_posteriors": file,
            "valence_arousal": None,
        },
        "posteriors_source": f"posteriors of file {file}",
        "data": {"n": 3},
    }
    assert run_folder.without_paths(record) == {
        "config": {
            "data": "ferplus:FER+", "init": "torchvision", "teacher_posteriors": "posteriors.csv",
            "valence_arousal": None,
        },
        "posteriors_source": "posteriors of file posteriors.csv",
        "data": {"n": 3},
    }  # fmt: skip
    nameless = {"config": {"data": "folder:."}, "versions": {"torch": "2.14.1"}}
    assert run_folder.without_paths(nameless) == {**nameless, "config": {"data": "folder:"}}
    for other in ({}, {"config": 3}, {"config": {"data": "study:pilot"}}, {"config": {"data": "faces"}}):
        assert run_folder.without_paths(other) == other
