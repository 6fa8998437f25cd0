"""Kind lms.evaluate: the harness's own numbers, every single question kept, clear refusals."""

import csv
import json
import math
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tests.workers import tiny
from workers.errors import InvalidInput
from workers.lms.benchmarks import benchmarks
from workers.lms.evaluate import Params

CONTEXT = 4096
SUBJECTS = {"mmlu": "machine_learning", "ceval": "law", "cmmlu": "agronomy", "unknown": "knitting"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("model") / "m", max_position_embeddings=CONTEXT)


def question(number: int) -> dict[str, str]:
    return {"text": f"How much is {number} + {number}?", **{x: str(number * 2 + n) for n, x in enumerate("ABCD")}}


def write_benchmark(folder: Path, name: str, subject: str, counts: dict[str, int]) -> Path:
    """A benchmark in its authors' layout, as far as its reader says."""
    benchmark = benchmarks.get(name)
    for split, count in counts.items():
        suffix = "" if name == "cmmlu" else f"_{split}"
        path = folder / split / f"{subject}{suffix}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not benchmark.columns:
                header = (
                    ["id", "question", *"ABCD", "answer"] if name == "ceval" else ["", "Question", *"ABCD", "Answer"]
                )
                writer.writerow(header)
            for number in range(count):
                fields = question(number + 10 * len(split))
                row = [fields["text"], *(fields[x] for x in "ABCD"), "ABCD"[number % 4]]
                writer.writerow(row if benchmark.columns else [number, *row])
    return folder


def splits_of(name: str) -> dict[str, int]:
    return {"dev": 4, benchmarks.get(name).test[0]: 13}


def evaluate(directory: Path, model: Path, params: dict, more: dict | None = None) -> dict:
    inputs = {"model": ("model_version", model, {}), **(more or {})}
    return tiny.run(tiny.write_spec(directory, "lms.evaluate", {"model": "m", **params}, inputs))


def upload(folder: Path) -> dict:
    return {"source": ("upload", folder, {})}


def answers(directory: Path) -> list[dict]:
    path = directory / "outputs" / "evaluation" / "answers.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("name", benchmarks.names())
def test_scores_equal_the_harness(tmp_path, model, name, shots):
    """The oracle: the harness's own model class, asked one by one, on the same task."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    from workers.lms.benchmarks import read_folder
    from workers.lms.scoring import harness

    sent = write_benchmark(tmp_path / "sent", name, SUBJECTS[name], splits_of(name))
    result = evaluate(tmp_path / "run", model, {"suite": name, "source": "s", "shots": shots}, upload(sent))
    splits = read_folder(benchmarks.get(name), sent)[SUBJECTS[name]]
    theirs = simple_evaluate(
        "hf",
        f"pretrained={model},dtype=float32",
        tasks=[harness.suite_task(benchmarks.get(name), SUBJECTS[name], splits)],
        num_fewshot=shots,
        device="cpu",
        task_manager=TaskManager(include_defaults=False),
    )
    score = result["scores"][SUBJECTS[name]]
    assert score["acc"] == theirs["results"][SUBJECTS[name]]["acc,none"]
    assert score["acc_stderr"] == pytest.approx(theirs["results"][SUBJECTS[name]]["acc_stderr,none"])
    assert score["n"] == 13
    ours = [record["loglikelihoods"] for record in answers(tmp_path / "run")]
    samples = sorted(theirs["samples"][SUBJECTS[name]], key=lambda sample: sample["doc_id"])
    for mine, sample in zip(ours, samples, strict=True):
        assert mine == pytest.approx([response[0] for response in sample["filtered_resps"]], abs=1e-4)


@pytest.mark.slow
def test_scores_equal_the_harness_command(tmp_path, model):
    """The oracle: lm-eval's command line with its built-in templates, only their data replaced by local files."""
    from workers.lms.benchmarks import read_folder
    from workers.lms.scoring.harness import TEMPLATES

    ours = {}
    for name in benchmarks.names():
        benchmark, subject = benchmarks.get(name), SUBJECTS[name]
        sent = write_benchmark(tmp_path / name, name, subject, splits_of(name))
        run = evaluate(tmp_path / f"run-{name}", model, {"suite": name, "source": "s", "shots": 2}, upload(sent))
        ours[f"local_{name}"] = run["scores"][subject]["acc"]
        files = {}
        for split, docs in read_folder(benchmark, sent)[subject].items():
            files[split] = str(tmp_path / f"{name}-{split}.jsonl")
            Path(files[split]).write_text("".join(json.dumps(doc) + "\n" for doc in docs))
        config = {
            "include": str(TEMPLATES / benchmark.templates.format(subject)),
            "task": f"local_{name}",
            "tag": [],
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": files},
        }
        (tmp_path / "tasks").mkdir(exist_ok=True)
        (tmp_path / "tasks" / f"{name}.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu", "--num_fewshot", "2"]
    command += ["--model_args", f"pretrained={model},dtype=float32", "--tasks", ",".join(ours)]
    command += ["--include_path", str(tmp_path / "tasks"), "--output_path", str(tmp_path / "out.json")]
    subprocess.run(command, check=True, timeout=400, capture_output=True)
    (report,) = tmp_path.glob("out*.json")
    theirs = {name: found["acc,none"] for name, found in json.loads(report.read_text())["results"].items()}
    assert theirs == ours


def test_subject_the_harness_does_not_know(tmp_path, model, monkeypatch, capfd):
    """Nor does its log speak of a repository that nobody has."""
    monkeypatch.chdir(tmp_path)
    sent = write_benchmark(tmp_path / "sent", "mmlu", "knitting", splits_of("mmlu"))
    result = evaluate(tmp_path / "run", model, {"suite": "mmlu", "source": "s", "limit": 3}, upload(sent))
    assert result["scores"]["knitting"]["n"] == 3
    assert "git" not in capfd.readouterr().err


def test_archive_subjects_and_mean(tmp_path, model):
    for subject, count in (("law", 10), ("art", 5), ("left_out", 3)):
        write_benchmark(tmp_path / "sent" / "deep", "ceval", subject, {"dev": 2, "val": count})
    (tmp_path / "packed").mkdir()
    with tarfile.open(tmp_path / "packed" / "ceval.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "sent", "ceval-exam")
    result = evaluate(
        tmp_path / "run",
        model,
        {"suite": "ceval", "source": "s", "subjects": ["law", "art"]},
        upload(tmp_path / "packed"),
    )
    assert set(result["scores"]) == {"law", "art"}
    right = [record["correct"] for record in answers(tmp_path / "run")]
    assert len(right) == 15
    assert result["mean"] == pytest.approx(sum(right) / 15)
    record = answers(tmp_path / "run")[0]
    assert record["correct"] == (record["predicted"] == int(record["target"]))
    assert record["choices"] == ["A", "B", "C", "D"]
    assert [event for event in tiny.read_events(tmp_path / "run", "progress") if event["unit"] == "choices"]


@pytest.mark.parametrize("letters", [False, True])
def test_questions_of_a_dataset(tmp_path, model, letters):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "data").mkdir()
    questions = [
        {
            "question": f"{n}?",
            "choices": ["yes", "no", "perhaps"][: 2 + n % 2],
            "answer": n % 2,
            "subject": "s" if n else "",
        }
        for n in range(9)
    ]
    pq.write_table(pa.Table.from_pylist(questions), tmp_path / "data" / "data.parquet")
    result = evaluate(
        tmp_path / "run",
        model,
        {"benchmark": "b", "letters": letters, "subjects": ["s"], "shots": 2},
        {"benchmark": ("dataset_version", tmp_path / "data", {})},
    )
    assert result["suite"] == "dataset"
    assert result["scores"]["s"]["n"] == 6  # eight questions, two of them examples
    record = answers(tmp_path / "run")[0]
    assert record["choices"] == (["A", "B"] if letters else ["yes", "no"])[: len(record["choices"])] + (
        ["C" if letters else "perhaps"] if len(record["choices"]) == 3 else []
    )
    (artefact,) = tiny.read_events(tmp_path / "run", "artefact")
    assert artefact["artefact_type"] == "evaluation"
    assert artefact["meta"]["scores"] == result["scores"]


def test_loss_is_what_the_model_says(tmp_path, model):
    """The oracle: the model's own loss on one row, labels masked by hand."""
    import torch

    from workers.lms.loading import load_model, load_tokenizer

    rows = [tiny.chat("One?", "Yes, one."), tiny.chat("And a longer question, number two?", "No.")]
    data = tiny.write_dataset(tmp_path / "data", [*rows, [{"role": "user", "content": "no answer"}]])
    result = evaluate(tmp_path / "run", model, {"dataset": "d"}, {"dataset": ("dataset_version", data, {})})
    network, tokenizer = load_model(model), load_tokenizer(model)
    total, count = 0.0, 0
    for row in rows:
        before = tokenizer.apply_chat_template(row[:1], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(before + row[1]["content"] + "<|im_end|>\n")["input_ids"]
        labels = [-100] * len(tokenizer(before)["input_ids"])
        labels += ids[len(labels) :]
        answer = sum(label != -100 for label in labels)
        total += float(network(torch.tensor([ids]), labels=torch.tensor([labels])).loss) * answer
        count += answer
    assert result["loss"] == pytest.approx(total / count, rel=1e-5)


def test_answers_are_the_most_likely_words_and_repeat(tmp_path, model):
    params = {"prompts": ["Hello?", "你好？"], "answer_tokens": 12}
    first = evaluate(tmp_path / "one", model, params)["answers"]
    assert [entry["prompt"] for entry in first] == params["prompts"]
    assert evaluate(tmp_path / "two", model, params)["answers"] == first


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"suite": "mmlu"}, "benchmark_missing"),
        ({"suite": "dataset"}, "benchmark_missing"),
    ],
)
def test_missing_input_is_named(tmp_path, model, params, code):
    with pytest.raises(InvalidInput) as caught:
        evaluate(tmp_path / "run", model, params)
    assert caught.value.code == code


def test_a_model_alone_is_refused_before_anything_starts():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        Params.model_validate({"model": "m"})
    assert Params.model_validate({"model": "m", "prompts": ["Hello?"]}).prompts


def test_unknown_suite_is_refused():
    with pytest.raises(ValidationError) as refused:
        Params.model_validate({"model": "m", "suite": "no-such"})
    assert "cmmlu" in refused.value.errors()[0]["ctx"]["expected"]


def test_unknown_subject_lists_the_known(tmp_path, model):
    sent = write_benchmark(tmp_path / "sent", "mmlu", "law", splits_of("mmlu"))
    with pytest.raises(InvalidInput, match="law"):
        evaluate(tmp_path / "run", model, {"suite": "mmlu", "source": "s", "subjects": ["magic"]}, upload(sent))


def test_folder_without_questions_is_refused(tmp_path, model):
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "readme.txt").write_text("nothing")
    with pytest.raises(InvalidInput) as caught:
        evaluate(tmp_path / "run", model, {"suite": "mmlu", "source": "s"}, upload(tmp_path / "sent"))
    assert caught.value.code == "benchmark_without_questions"


@pytest.mark.parametrize("line", ["q,1,2,3,4,E", "q,1,2,3", "\ufffd", '"never closed'])
def test_bad_question_is_named_by_file_and_line(tmp_path, model, line):
    sent = write_benchmark(tmp_path / "sent", "mmlu", "law", splits_of("mmlu"))
    with (sent / "test" / "law_test.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InvalidInput) as caught:
        evaluate(tmp_path / "run", model, {"suite": "mmlu", "source": "s"}, upload(sent))
    assert (caught.value.data["file"], caught.value.data["line"]) == ("law_test.csv", 14)


def test_file_in_another_encoding_is_named(tmp_path, model):
    sent = write_benchmark(tmp_path / "sent", "ceval", "law", splits_of("ceval"))
    path = sent / "val" / "law_val.csv"
    path.write_bytes(path.read_bytes() + "9,问题,甲,乙,丙,丁,A\n".encode("gb18030"))
    with pytest.raises(InvalidInput) as caught:
        evaluate(tmp_path / "run", model, {"suite": "ceval", "source": "s"}, upload(sent))
    assert caught.value.data["file"] == "law_val.csv"


def test_broken_weights_give_no_loss(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    broken = tiny.make_model(tmp_path / "model")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(math.nan)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    assert torch.isnan(weights["model.norm.weight"]).all()
    data = tiny.write_dataset(tmp_path / "data", [tiny.chat("One?", "Yes.")])
    with pytest.raises(InvalidInput) as caught:
        evaluate(tmp_path / "run", broken, {"dataset": "d"}, {"dataset": ("dataset_version", data, {})})
    assert caught.value.code == "loss_not_finite"
