"""synaptic and neataptic by one training step of one sample, which a program of Node makes: node/steps.mjs.

Their outputs have the error y - a whatever the cost, which is that of a sigmoid with binary cross-entropy, and of the identity with half
the squared error.
"""

import json
import subprocess
from pathlib import Path

import numpy as np

from backproof import adapt

PROGRAM = Path(__file__).parent / "node" / "steps.mjs"
FORM = {"samples": "one", "returns": "updated", "learning_rate": {"rate": 0.25}}
SUPPORTS = {"activations": ["identity", "sigmoid", "tanh", "relu"], "depth": (2, 6), "biases": True}
LINEAR = {"output_activations": ["identity"]}
SIGMOID = {"output_activations": ["sigmoid"], "losses": ["summed_binary_cross_entropy_of_probabilities"]}
SQUARED_SIGMOID = {"output_activations": ["sigmoid"]}


def of(package, **limits):
    """A target of one package's step; its program is started with the first problem."""
    started = []

    def step(weights, biases, activations, x, y, rate):
        """One step, W (n_l, n_{l-1})."""
        if not started:
            started.append(subprocess.Popen(["node", PROGRAM, package], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        program = started[0]
        posed = {"weights": weights, "biases": biases, "activations": activations, "x": x, "y": y, "rate": rate}
        print(json.dumps(posed, default=np.ndarray.tolist), file=program.stdin, flush=True)
        answer = json.loads(program.stdout.readline())
        return [[np.array(part, dtype=float) for part in answer[kind]] for kind in ("weights", "biases")]

    return adapt(step, supports=SUPPORTS | limits, **FORM)


synaptic = of("synaptic", **LINEAR)
synaptic_classes = of("synaptic", **SIGMOID)
synaptic_optimized = of("synaptic-optimized", **LINEAR)
synaptic_squared = of("synaptic", **SQUARED_SIGMOID)
neataptic = of("neataptic", **LINEAR)
