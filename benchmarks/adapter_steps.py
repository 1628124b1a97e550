"""Times inference and training with a LoRA adapter of rank 8 on query and value: FairLoRA beside PEFT
on the same version of libtorch, with the same backbone, adapter and pixels, in turns on the same two
processors.

Usage: python adapter_steps.py [--size small] [--batch 32] [--rounds 5] [--class-path CP]
       (packages of tools/golden/requirements.txt; without --class-path FairLoRA is run by Maven)

First compares what both make of the first batch. Then prints images a second, the median of the
rounds after the first, which warms up: inference, and steps of forward, backward and AdamW on adapter
and head. PEFT computes in bfloat16 twice: under torch.autocast, and with the backbone's weights in
bfloat16.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import ViTConfig, ViTForImageClassification

ROOT = Path(__file__).resolve().parents[1]
MAIN = "io.fairlora.benchmarks.AdapterSteps"
# Width, layers, heads, pixels of a side, of a patch: the small embedded backbone, ViT-S, ViT-B.
SIZES = {"tiny": (128, 6, 4, 64, 8), "small": (384, 12, 6, 224, 16), "base": (768, 12, 12, 224, 16)}
PROCESSOR = """{"image_processor_type": "ViTImageProcessor", "do_resize": true, "do_rescale": true,
"do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2,
"rescale_factor": 0.00392156862745098, "size": {"height": %d, "width": %d}}"""


def backbone(size):
    width, layers, heads, pixels, patch = SIZES[size]
    torch.manual_seed(1)
    config = ViTConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
                       intermediate_size=4 * width, image_size=pixels, patch_size=patch, num_labels=2)
    return ViTForImageClassification(config)


def adapted(model):
    # B is not left at zero, as else a missing adapter would go unnoticed.
    torch.manual_seed(2)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=["query", "value"], init_lora_weights=False)
    model = get_peft_model(model, lora)
    model.get_base_model().classifier.requires_grad_(True)
    return model


class Peft:
    def __init__(self, size, pixels, batch, autocast=False, dtype=torch.float32):
        self.model = adapted(backbone(size).to(dtype))
        self.pixels, self.batch = pixels, batch
        self.labels = torch.arange(len(pixels)) % 2
        self.autocast, self.dtype = autocast, dtype
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4)

    def normalised(self, rows):
        return (self.pixels[rows].float() / 127.5 - 1).to(self.dtype)

    def precision(self):
        return torch.autocast("cpu", torch.bfloat16) if self.autocast else contextlib.nullcontext()

    def features(self):
        with torch.inference_mode(), self.precision():
            model = self.model.get_base_model().vit.eval()
            return model(self.normalised(slice(self.batch))).last_hidden_state[:, 0].float().numpy()

    def infer(self, times):
        for _ in range(times):
            self.features()

    def train(self, times):
        self.model.train()
        for i in range(times):
            at = i * self.batch % len(self.pixels)
            rows = slice(at, at + self.batch)
            self.optimizer.zero_grad()
            with self.precision():
                logits = self.model(pixel_values=self.normalised(rows)).logits
                loss = torch.nn.functional.cross_entropy(logits.float(), self.labels[rows])
            loss.backward()
            self.optimizer.step()

    def run(self, what, times):
        start = time.perf_counter()
        getattr(self, what)(times)
        return time.perf_counter() - start


class FairLora:
    def __init__(self, folder, batch, precision, class_path):
        arguments = [f"{folder}/backbone", f"{folder}/adapter", f"{folder}/pixels", str(batch), precision]
        if class_path:
            command = ["java", "-cp", class_path, MAIN, *arguments]
        else:
            command = ["mvn", "-q", "-B", "compile", "exec:java", "-pl", "benchmarks", "-am",
                       f"-Dexec.mainClass={MAIN}", f"-Dexec.args={' '.join(arguments)}"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        # Maven resets the terminal's colours before the first line, whatever it is told.
        return float(re.sub(r"\x1b\[[0-9;]*m", "", self.process.stdout.readline()))

    def features(self):
        return self.ask("features")

    def run(self, what, times):
        return self.ask(f"{what} {times}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="batches a round")
    parser.add_argument("--class-path")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    torch.set_num_threads(2)
    side, batch = SIZES[arguments.size][3], arguments.batch
    random = np.random.default_rng(3)
    pixels = torch.from_numpy(random.integers(0, 256, (4 * batch, 3, side, side), dtype=np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        backbone(arguments.size).save_pretrained(f"{folder}/backbone")
        Path(folder, "backbone", "preprocessor_config.json").write_text(PROCESSOR % (side, side))
        plain = adapted(backbone(arguments.size))
        plain.save_pretrained(f"{folder}/adapter")
        Path(folder, "pixels").write_bytes(pixels.numpy().tobytes())
        runs = {
            "FairLoRA float32": FairLora(folder, batch, "SINGLE", arguments.class_path),
            "PEFT float32": Peft(arguments.size, pixels, batch),
            "FairLoRA bfloat16": FairLora(folder, batch, "BF16", arguments.class_path),
            "PEFT bfloat16, autocast": Peft(arguments.size, pixels, batch, autocast=True),
            "PEFT bfloat16, weights": Peft(arguments.size, pixels, batch, dtype=torch.bfloat16),
        }
        wanted = np.abs(runs["PEFT float32"].features()).mean()
        for name, tolerance in (("FairLoRA float32", 1e-5), ("FairLoRA bfloat16", 1e-2)):
            found = runs[name].features()
            assert abs(found / wanted - 1) < tolerance, (name, found, wanted)
        speed = {}
        for what in ("infer", "train"):
            seconds = {name: [] for name in runs}
            for round_ in range(arguments.rounds + 1):
                for name, run in runs.items():
                    taken = run.run(what, arguments.steps)
                    if round_ > 0:
                        seconds[name].append(taken)
            for name in runs:
                speed[what, name] = arguments.steps * batch / statistics.median(seconds[name])
        for name in ("FairLoRA float32", "FairLoRA bfloat16"):
            runs[name].close()
    print(f"{arguments.size}, batches of {batch}, torch {torch.__version__}, {arguments.rounds} rounds")
    print(f"{'images a second':26}{'inference':>12}{'training':>12}")
    for name in runs:
        print(f"{name:26}{speed['infer', name]:12.1f}{speed['train', name]:12.1f}")


main()
