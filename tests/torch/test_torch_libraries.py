"""Libraries that train: the blocks of docs/training-loops.md, and loaders that keep their place. Each is a process."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pages import ROOT

if find_spec("torch") is None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

PATIENCE = 300  # seconds: the slowest takes 20, nearly all for imports
BEGIN = """
    import torch
    from torch.utils.data import DataLoader
    import tql_frames
    from tql_frames.torch import TQLBatchSampler, TQLDataset, TQLIterableDataset, TQLSampler

    xrays = tql_frames.datasets.chest_xray()
    ages = xrays["age"].to_numpy()
    sampler = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Pneumonia'): 8, True: 1)"
    rows = TQLDataset(xrays, ["age"], target="sex", encode={"sex": "label"})

    def stream(**options):
        head = xrays.head(1_024).lazy()
        return TQLIterableDataset(head, ["age"], target="sex", encode={"sex": "label"}, **options)

    def by_row():
        return TQLSampler(xrays, sampler, limit=1_024, seed=7)

    def by_batch():
        return TQLBatchSampler(xrays, sampler, 256, over="findings", per_group={"Hernia": 4}, limit=1_024, seed=7)

    def seen_of(made, epochs):
        return [ages[made().draw(epoch)].reshape(-1, 256).tolist() for epoch in range(epochs)]

    def in_epochs(batches):
        return [batches[first : first + 4] for first in range(0, len(batches), 4)]
"""


def block(begin: str) -> str:
    text = (ROOT / "docs" / "training-loops.md").read_text(encoding="utf-8")
    (found,) = [
        each for each in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.M) if each.startswith(begin)
    ]
    return found


def run(folder: Path, *programs: str) -> None:
    """Run programs one after the other in a process; the last ends without an error."""
    text = "\n".join(textwrap.dedent(program) for program in (BEGIN, *programs))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("lightning") is None, reason="Lightning is not installed")
def test_lightning(tmp_path: Path) -> None:
    model = """
        import lightning

        class Model(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer, self.seen = torch.nn.Linear(1, 2), []

            def training_step(self, batch, number):
                features, sex = batch
                self.seen.append(features["age"].tolist())
                return torch.nn.functional.cross_entropy(self.layer(features["age"][:, None] / 100), sex)

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=0.1)

        model = Model()
    """
    check = """
        assert in_epochs(model.seen) == seen_of(by_row, 2)
        other = Model()
        options = {"use_distributed_sampler": False, "logger": False, "enable_checkpointing": False}
        trainer = lightning.Trainer(max_epochs=2, **options)
        trainer.fit(other, DataLoader(rows, batch_sampler=by_batch()))
        assert in_epochs(other.seen) == seen_of(by_batch, 2)
        third = Model()
        trainer = lightning.Trainer(max_epochs=2, **options)
        trainer.fit(third, DataLoader(stream(), batch_size=256))
        assert third.seen == 2 * ages[:1_024].reshape(-1, 256).tolist()
    """
    run(tmp_path, model, block("import lightning"), check)


@pytest.mark.skipif(find_spec("accelerate") is None, reason="Accelerate is not installed")
def test_accelerate(tmp_path: Path) -> None:
    model = """
        model = torch.nn.Linear(1, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    """
    check = """
        for expected in seen_of(by_row, 2):
            seen = []
            for features, sex in loader:
                seen.append(features["age"].tolist())
                accelerator.backward(torch.nn.functional.cross_entropy(model(features["age"][:, None] / 100), sex))
                optimizer.step()
            assert seen == expected
        batches = accelerator.prepare(DataLoader(rows, batch_sampler=by_batch()))
        for expected in seen_of(by_batch, 2):
            assert [features["age"].tolist() for features, sex in batches] == expected
        streamed = accelerator.prepare(DataLoader(stream(num_replicas=1, rank=0), batch_size=256))
        for epoch in range(2):
            assert [features["age"].tolist() for features, sex in streamed] == ages[:1_024].reshape(-1, 256).tolist()
    """
    run(tmp_path, model, block("from accelerate"), check)


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.skipif(find_spec("accelerate") is None, reason="Accelerate is not installed")
def test_the_trainer_of_hugging_face(tmp_path: Path) -> None:
    check = """
        import polars as pl
        from transformers import TrainingArguments

        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer, self.seen = torch.nn.Linear(1, 2), []

            def forward(self, age, labels):
                self.seen.append(age.tolist())
                logits = self.layer(age[:, None] / 100)
                return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

        arguments = TrainingArguments(
            "out", num_train_epochs=2, per_device_train_batch_size=256, remove_unused_columns=False, use_cpu=True,
            report_to="none", save_strategy="no", disable_tqdm=True, seed=7,
        )
        table = xrays.select("age", labels=(pl.col("sex") == "M").cast(pl.Int64))
        model = Model()
        BalancedTrainer(model=model, args=arguments, train_dataset=TQLDataset(table)).train()
        assert in_epochs(model.seen) == seen_of(by_row, 2)
        other = Model()
        rows = TQLIterableDataset(table.head(1_024).lazy(), num_replicas=1, rank=0)
        arguments.max_steps = 4
        Trainer(model=other, args=arguments, train_dataset=rows).train()
        assert other.seen == ages[:1_024].reshape(-1, 256).tolist()
    """
    run(tmp_path, block("from transformers"), check)


@pytest.mark.skipif(find_spec("torchdata") is None, reason="torchdata is not installed")
@pytest.mark.parametrize("made", ["by_row", "by_batch", "stream"])
def test_a_stateful_loader_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, made: str) -> None:
    check = f"""
        from torchdata.stateful_dataloader import StatefulDataLoader

        def loader(workers):
            if {made} is stream:
                return StatefulDataLoader(stream(), batch_size=256, num_workers=workers)
            if {made} is by_row:
                return StatefulDataLoader(rows, batch_size=256, sampler=by_row(), num_workers=workers)
            return StatefulDataLoader(rows, batch_sampler=by_batch(), num_workers=workers)

        def expected(epochs):
            return epochs * [ages[:1_024].reshape(-1, 256).tolist()] if {made} is stream else seen_of({made}, epochs)

        for workers in ((0,) if {made} is stream else (0, 2)):  # two workers share a stream
            first, second = loader(workers), loader(workers)
            batches = iter(first)
            next(batches)
            second.load_state_dict(first.state_dict())
            rest = [features["age"].tolist() for features, sex in batches]
            assert rest == expected(1)[0][1:]
            assert [features["age"].tolist() for features, sex in second] == rest
            assert [features["age"].tolist() for features, sex in second] == expected(2)[1]
    """
    run(tmp_path, check)
