"""Times decode, resize to 224, normalise and batch: FairLoRA beside Pillow + torchvision and beside
Hugging Face's fast image processor, in turns on the same two processors.

Usage: python image_pipeline.py DIR [--images 2000] [--rounds 5] [--class-path CP]
       (packages of tools/golden/requirements.txt; without --class-path FairLoRA is run by Maven)

DIR is a folder of JPEG files. Prints images a second by the clock and processor milliseconds an
image, the median of the rounds after the first, which warms up. The peers read with two worker
processes of torch's DataLoader, each on one thread.
"""

import argparse
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from transformers import ViTImageProcessorFast

ROOT = Path(__file__).resolve().parents[1]
MAIN = "io.fairlora.benchmarks.ImagePipeline"
BATCH = 64


class Files(Dataset):
    def __init__(self, files, read):
        self.files, self.read = files, read

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.read(str(self.files[index]))


TORCHVISION = transforms.Compose(
    [transforms.Resize((224, 224)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
)
FAST = ViTImageProcessorFast(size={"height": 224, "width": 224})


def pillow(file):
    return Image.open(file).convert("RGB")


def torchvision(file):
    return TORCHVISION(pillow(file))


def turbo(file):
    return decode_jpeg(read_file(file), mode=ImageReadMode.RGB)


def fast(batch):
    return FAST(batch, return_tensors="pt")["pixel_values"]


def peer(files, read, collate=None):
    def run():
        before, start = os.times(), time.perf_counter()
        loader = DataLoader(Files(files, read), batch_size=BATCH, num_workers=2, collate_fn=collate)
        count = sum(len(batch) for batch in loader)
        del loader
        seconds, after = time.perf_counter() - start, os.times()
        cpu = sum(after[:4]) - sum(before[:4])
        return count, seconds, cpu

    return run


def fairlora(folder, images, class_path):
    if class_path:
        command = ["java", "-cp", class_path, MAIN, str(folder), str(images)]
    else:
        command = ["mvn", "-q", "-B", "compile", "exec:java", "-pl", "benchmarks", "-am",
                   f"-Dexec.mainClass={MAIN}", f"-Dexec.args={folder} {images}"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def run():
        process.stdin.write("\n")
        process.stdin.flush()
        # Maven resets the terminal's colours before the first line, whatever it is told.
        count, seconds, cpu = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout.readline()).split()
        return int(count), float(seconds), float(cpu)

    return run, process


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=lambda text: Path(text).resolve())
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--class-path")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    torch.set_num_threads(1)
    files = sorted(arguments.folder.glob("*.jpg"))[: arguments.images]
    ours, process = fairlora(arguments.folder, arguments.images, arguments.class_path)
    runs = {
        "FairLoRA": ours,
        "Pillow + torchvision": peer(files, torchvision),
        "Pillow + HF fast": peer(files, pillow, fast),
        "torchvision.io + HF fast": peer(files, turbo, fast),
    }
    figures = {name: [] for name in runs}
    for round_ in range(arguments.rounds + 1):
        for name, run in runs.items():
            count, seconds, cpu = run()
            assert count == len(files), (name, count)
            if round_ > 0:
                figures[name].append((count / seconds, 1000 * cpu / count))
    process.stdin.close()
    process.wait()
    speed = {name: statistics.median(s for s, _ in rounds) for name, rounds in figures.items()}
    cpu = {name: statistics.median(c for _, c in rounds) for name, rounds in figures.items()}
    print(f"{len(files)} images, {arguments.rounds} rounds")
    print(f"{'':26}{'images/s':>10}{'ms of processor':>18}{'we are faster':>16}{'by processor':>15}")
    for name in runs:
        print(f"{name:26}{speed[name]:10.0f}{cpu[name]:18.2f}{speed['FairLoRA'] / speed[name]:15.2f}x"
              f"{cpu[name] / cpu['FairLoRA']:14.2f}x")


main()
