"""The steps of the demo, each through the SDK or, where a user would, through the openai client."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from aifs.demo import starter
from aifs.demo.screen import Screen
from aifs.sdk import Client
from aifs.sdk.errors import AifsError, NotFound
from aifs.sdk.jobs import Job

DATA = Path(__file__).resolve().parent / "data"
QUESTION = "Which database holds the truth in AIFS?"
BENCHMARK = "aifs-facts"
DATASET, HELD_OUT, MODEL, TUNED = "demo-instructions", "demo-heldout", "smollm2-135m", "smollm2-135m-aifs"
DEPLOYMENT, PROMPT = "aifs-demo", "aifs-helper"
TUNING = {"method": "lora", "lora_rank": 16, "learning_rate": 1e-3, "batch_size": 4, "epochs": 5, "max_steps": 80}
"""Rank 16 on all linear layers. In a trial 100 steps of 4 short rows took the held-out loss from about 3 to 0.29; the
training rows were known by heart after 80."""
HELD_OUT_ROWS = 64
"""Of a user's file: at most this many, and at most a fifth of the rows."""
PROMPT_CONTENT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "{{ question }}{% if polite %} Please.{% endif %}"}],
    "variables": [
        {"name": "question", "type": "long_text", "label": "Question", "primary": True},
        {"name": "polite", "type": "boolean", "label": "Say please", "required": False, "default": False},
    ],
    "settings": {"temperature": 0, "max_tokens": 60},
}


class Demo:
    """access: as in access.json. folder: where the demo keeps its files. data: the user's file, or None."""

    def __init__(self, access: dict[str, Any], folder: Path, data: Path | None, screen: Screen) -> None:
        self.client = Client(access["url"], access["api_key"], access["project"], access["gateway_url"])
        self.access = access
        self.folder = folder
        self.data = data
        self.screen = screen
        self.question = QUESTION
        self.found: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Every step in order. Raises AifsError at the first that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.client:
            self.import_model()
            self.prepare_data()
            self.import_benchmark()
            self.found |= {"question": self.question, "benchmark": {}}
            self.evaluate("before", self.model)
            self.tune()
            self.evaluate("after", self.tuned)
            self.deploy()
            self.chat()
            self.publish()
            self.found["urls"] = self.urls()
        self.found["seconds"] = self.screen.seconds
        return self.found

    # --- steps

    def import_model(self) -> None:
        with self.screen.step("Import the starter model", "import_model") as said:
            path = starter.starter_model(self.folder / "starter")
            job = self._wait(self.client.models.import_file(path, name=MODEL, licence=starter.LICENCE))
            version = self.client.models.version_of(job)
            self.model = version["id"]
            said.append(f"{MODEL}:{version['number']}, {version['parameters']:,} parameters, {version['format']}")

    def prepare_data(self) -> None:
        """Import, clean, and set rows aside: the shipped held-out file, or a share of the user's own rows."""
        with self.screen.step("Import the data", "import") as said:
            path = self.data or DATA / "instructions.jsonl"
            brought = self._import(path, DATASET)
            said.append(f"{path.name}: {brought['rows_in']} rows in, {brought['quarantined']} to quarantine")
            for reason, count in (brought.get("report") or {}).get("reasons", {}).items():
                said.append(f"  {reason}: {count}")
        with self.screen.step("Clean it", "clean") as said:
            cleaned = self.client.datasets.version_of(self._wait(self.client.datasets.clean(brought["id"])))
            said.append(f"{cleaned['rows']} rows kept, {cleaned['dropped']} dropped")
            for step in (cleaned.get("report") or {}).get("steps", []):
                for reason, count in step["dropped"].items():
                    said.append(f"  {step['step']}, {reason}: {count}")
        self.found |= {
            "rows_in": brought["rows_in"],
            "rows_kept": cleaned["rows"],
            "rows_quarantined": brought["quarantined"] + cleaned["quarantined"],
            "rows_dropped": cleaned["dropped"],
        }
        with self.screen.step("Set rows aside to measure with", "held_out") as said:
            if self.data is None:
                self.dataset = cleaned["id"]
                held_out = self._import(DATA / "heldout.jsonl", HELD_OUT)
            else:
                held_out = self._split(cleaned["id"])
            self.held_out = held_out["id"]
            said.append(f"{held_out['rows']} rows the model will not see")

    def import_benchmark(self) -> None:
        with self.screen.step("Import the benchmark", "benchmark") as said:
            version = self._import(DATA / "benchmark.jsonl", BENCHMARK, "evaluation")
            self.benchmark = version["id"]
            said.append(f"{version['rows']} multiple-choice questions")

    def evaluate(self, when: str, model: str) -> None:
        """Held-out loss, the benchmark, and the answer to one question."""
        with self.screen.step(f"Measure the model {when} tuning", f"evaluate_{when}") as said:
            job = self.client.evaluations.start(
                model,
                suite="dataset",
                benchmark=self.benchmark,
                dataset=self.held_out,
                prompts=[self.question],
                answer_tokens=60,
            )
            result = self.client.evaluations.of(self._wait(job))
            answer = result["answers"][0]["answer"].strip()
            score = self.found["benchmark"].setdefault(BENCHMARK, {})
            score[when] = result["mean"]
            score["n"] = sum(subject["n"] for subject in result["scores"].values())
            self.found |= {f"loss_{when}": result["loss"], f"answer_{when}": answer}
            said.append(f"held-out loss {result['loss']:.3f}, {BENCHMARK} {result['mean']:.1%} of {score['n']}")
            said.append(f"{self.question} → {answer}")

    def tune(self) -> None:
        with self.screen.step("Tune it with LoRA", "tune") as said:
            params = {"model": self.model, "dataset": self.dataset, "eval_dataset": self.held_out, "name": TUNED}
            job = self._wait(self.client.jobs.start("lmt.sft", params | TUNING, name="Demo"))
            version = self.client.models.version_of(job)
            self.tuned, self.tune_job = version["id"], job
            self.found["model"] = f"{TUNED}:{version['number']}"
            last = job["metrics"] or {}
            said.append(f"{self.found['model']}, last training loss {last.get('loss', float('nan')):.3f}")

    def deploy(self) -> None:
        with self.screen.step("Deploy it", "deploy") as said:
            try:
                known = self.client.deployments.get(DEPLOYMENT)
            except NotFound:
                self.client.deployments.create(self.found["model"], name=DEPLOYMENT)
            else:
                self.client.deployments.update(known["id"], model=self.found["model"])
            deployment = self._served()
            self.found["deployment"] = DEPLOYMENT
            said.append(f"{DEPLOYMENT} is {deployment['state']} ({deployment['runtime']}) at {deployment['base_url']}")

    def chat(self) -> None:
        """As any program would: the openai client at the gateway, plain and streaming."""
        with self.screen.step("Call it with the openai client", "chat") as said:
            from openai import OpenAI

            base = f"{self.client.gateway.url}/v1"
            openai = OpenAI(base_url=base, api_key=self.access["api_key"])
            question = [{"role": "user", "content": self.question}]
            plain = openai.chat.completions.create(model=DEPLOYMENT, messages=question, temperature=0, max_tokens=60)  # type: ignore[arg-type]
            self.found["openai_answer"] = (plain.choices[0].message.content or "").strip()
            self.found["openai_call"] = (
                f'OpenAI(base_url="{base}", api_key=…).chat.completions.create(model="{DEPLOYMENT}", '
                f'messages=[{{"role": "user", "content": "{self.question}"}}], temperature=0)'
            )
            speed, tokens = self._speed(openai)
            self.found["served_tokens_per_s"] = round(speed, 1)
            said.append(f"{self.question} → {self.found['openai_answer']}")
            said.append(f"streaming: {tokens} tokens, {speed:.1f} tokens/s")

    def publish(self) -> None:
        with self.screen.step("Publish a prompt and call it", "publish") as said:
            version = self.client.prompts.push(PROMPT, PROMPT_CONTENT | {"deployment": DEPLOYMENT})
            service = self.client.prompts.publish(f"{PROMPT}:{version['number']}")
            self.found["prompt_service"] = service["model"]
            answer = self._first_answer(service["model"])
            self.found["prompt_service_answer"] = answer
            said.append(f"{PROMPT}:{version['number']} is {service['model']}")
            said.append(f"{self.question} → {answer}")

    # --- inside

    def _import(self, path: Path, name: str, kind: str = "instruction") -> dict[str, Any]:
        return self.client.datasets.version_of(self._wait(self.client.datasets.import_file(path, name=name, kind=kind)))

    def _wait(self, job: Job) -> Job:
        """Raises JobFailed with the reason."""
        if self.screen.console.is_terminal:
            return job.wait(progress=True)
        return job.wait(told=self.screen.beat)

    def _split(self, cleaned: str) -> dict[str, Any]:
        """Import two parts of the user's rows, chosen by their content; the first held-out question is asked later."""
        whole = self.client.datasets.export(cleaned, self.folder / "cleaned.jsonl")
        rows = [line for line in whole.read_text(encoding="utf-8").splitlines() if line]
        if len(rows) < 10:
            raise AifsError(
                f"Only {len(rows)} rows are left after cleaning; the demo needs at least 10.", code="few_rows"
            )
        rows.sort(key=lambda line: hashlib.sha256(line.encode()).digest())
        count = min(HELD_OUT_ROWS, max(2, len(rows) // 5))
        parts = {HELD_OUT: rows[:count], f"{DATASET}-train": rows[count:]}
        found = {}
        for name, part in parts.items():
            path = self.folder / f"{name}.jsonl"
            path.write_text("\n".join(part) + "\n", encoding="utf-8")
            found[name] = self._import(path, name)
        self.dataset = found[f"{DATASET}-train"]["id"]
        turns = json.loads(rows[0])["messages"]
        self.question = next(turn["content"] for turn in turns if turn["role"] == "user")
        return found[HELD_OUT]

    def _served(self) -> dict[str, Any]:
        """The deployment once an instance of the new version is ready: what answers then is what was tuned."""
        deadline = time.monotonic() + 300
        while True:
            deployment = self.client.deployments.wait(DEPLOYMENT)
            jobs = [self.client.jobs.get(instance["job"]) for instance in deployment["instances"]]
            if {job["params"]["model"] for job in jobs} == {self.tuned}:
                return deployment
            if time.monotonic() > deadline:
                raise AifsError(f"{DEPLOYMENT} does not serve {self.found['model']}.", code="not_ready")
            time.sleep(1)

    def _speed(self, openai: Any) -> tuple[float, int]:
        """Tokens a second of one stream, after the first token, and how many tokens there were."""
        ask = [{"role": "user", "content": "Tell me everything you know about AIFS."}]
        stream = openai.chat.completions.create(
            model=DEPLOYMENT, messages=ask, max_tokens=96, stream=True, stream_options={"include_usage": True}
        )
        first = last = 0.0
        tokens = 0
        for chunk in stream:
            if chunk.usage:
                tokens = chunk.usage.completion_tokens
            if chunk.choices and chunk.choices[0].delta.content:
                last = time.monotonic()
                first = first or last
        return ((tokens - 1) / (last - first) if tokens > 1 and last > first else 0.0), tokens

    def _first_answer(self, model: str) -> str:
        """Ask a service that was only just published: the gateway hears of it within a moment."""
        name = model.removeprefix("prompt/")
        for wait_s in (0.2, 0.5, 1, 2, 4, 8):
            try:
                answer = self.client.prompts.run(name, {"question": self.question})
            except NotFound:
                time.sleep(wait_s)
                continue
            return str(answer["choices"][0]["message"]["content"]).strip()
        raise AifsError(f"The gateway does not know {model}.", code="not_published")

    def urls(self) -> dict[str, str]:
        """Where to look in the browser. Raises AifsError for an address that leads nowhere."""
        project = f"{self.access['url']}/p/{self.client.project}"
        pages = {
            "dashboard": f"{project}/",
            "dataset": f"{project}/data/{self.dataset}/",
            "tuning run": f"{project}/jobs/{self.tune_job.id}/",
            "model": f"{project}/models/m/{TUNED}/",
            "deployment": f"{project}/models/deployments/{DEPLOYMENT}/",
            "prompt service": f"{project}/prompts/services/{PROMPT}/",
            "chat page": f"{project}/prompts/services/{PROMPT}/chat/",
        }
        for name, url in pages.items():
            status = self.client.http.get(url).status_code  # 302: the way to the sign-in page
            if status >= 400:
                raise AifsError(f"The {name} page answers {status}: {url}", code="dead_link")
        return pages | {"gateway": f"{self.client.gateway.url}/v1"}
