"""A torch.nn.Sequential as it is, `backproof check examples/torch_sequential.py:model`, and one training step of it, judged."""

import torch

import backproof

model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))


def saturating():
    """In float64, and right too, by formulas that lose digits where they saturate: lossy."""
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3), torch.nn.Sigmoid()).double()


if __name__ == "__main__":
    x, y = torch.randn(32, 4), torch.randint(3, (32,))
    print(backproof.verify_step(model, x, y, loss=torch.nn.CrossEntropyLoss(label_smoothing=0.1)))
