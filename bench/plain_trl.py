"""The training script somebody would write without AIFS: TRL, LoRA, the same numbers. Used by `bench/training.py`.

`python bench/plain_trl.py MODEL ROWS.jsonl OUT.json STEPS`; OUT gets the time and the loss of every step.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer


class Times(TrainerCallback):
    def __init__(self) -> None:
        self.rows: list[tuple[float, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        if logs and "loss" in logs:
            self.rows.append((time.time(), float(logs["loss"])))


def main(model: str, rows: str, out: str, steps: int) -> None:
    set_seed(42)
    times = Times()
    chats = [json.loads(line)["messages"] for line in Path(rows).read_text().splitlines()]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        processing_class=AutoTokenizer.from_pretrained(model),
        train_dataset=Dataset.from_list([{"prompt": chat[:1], "completion": chat[1:]} for chat in chats]),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
        args=SFTConfig(
            output_dir=tempfile.mkdtemp(prefix="aifs-bench-trl-", dir=Path(out).parent),
            max_steps=steps,
            per_device_train_batch_size=4,
            learning_rate=1e-3,
            warmup_steps=int(0.03 * steps),
            lr_scheduler_type="linear",
            optim="adamw_torch",
            weight_decay=0.0,
            max_length=None,
            activation_checkpointing=False,
            bf16=False,
            use_cpu=True,
            seed=42,
            data_seed=42,
            save_strategy="steps",
            save_steps=max(5, -(-steps // 10)),
            save_total_limit=2,
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
        ),
        callbacks=[times],
    )
    trainer.train()
    Path(out).write_text(json.dumps(times.rows))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
