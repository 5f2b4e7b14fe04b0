"""The packages that were looked at, with the verdict on each of their targets, as docs/trophies.md tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Package:
    """A package with a backward pass by hand.

    name: as its registry has it; version: the one that was looked at; file: of this folder, the targets of Python or the program of Node;
    targets: of each, a name in the file or the arguments of the program, the verdict on moderate numbers.
    """

    name: str
    version: str
    file: str
    targets: Mapping[str, str]
    of_node: bool = False

    def spec(self, target: str) -> str:
        """What backproof is asked to check."""
        path = FOLDER / self.file
        return f"run: node '{path}' {target}" if self.file.endswith(".mjs") else f"{path}:{target}"


BINARY = "summed_binary_cross_entropy_of_probabilities"

PACKAGES = (
    Package("backpropagation", "0.0.3", "backpropagation_target.py", {"half_squared": "wrong", "with_biases": "wrong"}),
    Package("denrey-neural-network", "0.1.3", "denrey_target.py", {"mean_squared": "right"}),
    Package("edunn", "0.1.6", "edunn_target.py", {"squared": "right", "softmax_squared": "right", "cross_entropy": "right"}),
    Package("learnneuralnet", "0.1.0", "learnneuralnet_target.py", {"mean_squared": "wrong"}),
    Package("mlperceptron", "0.3", "mlperceptron_target.py", {"binary_cross_entropy": "right", "with_penalty": "right"}),
    Package(
        "mpneuralnetwork",
        "1.1.1",
        "mpneuralnetwork_target.py",
        {"squared": "right", "binary_cross_entropy": "right", "cross_entropy": "right", "softmax_squared": "right"},
    ),
    Package("multilayer-perceptron-from-scratch", "0.1.4", "multilayer_perceptron_target.py", {"squared": "right"}),
    Package("myneuralnet", "0.1.0", "myneuralnet_target.py", {"mean_squared": "right"}),
    Package("neowise", "0.1.0", "neowise_target.py", {"binary": "right", "multi": "wrong"}),
    Package(
        "netweaver",
        "1.0.2",
        "netweaver_target.py",
        {"mean_squared": "right", "with_penalty": "right", "binary_cross_entropy": "right", "cross_entropy": "right"},
    ),
    Package(
        "neurolab",
        "0.3.5",
        "neurolab_target.py",
        {"half_squared": "right", "mean_squared": "right", "softmax_half_squared": "wrong", "binary_cross_entropy": "right"},
    ),
    Package("nnlib", "0.2", "nnlib_target.py", {"binary_cross_entropy": "right", "with_penalty": "right"}),
    Package("nnweaver", "0.2", "nnweaver_target.py", {"half_squared": "right"}),
    Package("numpy-ml", "0.1.2", "numpy_ml_target.py", {"upstream": "right", "softmax_upstream": "right", "cross_entropy": "right"}),
    Package(
        "numpy-nn",
        "0.2.6",
        "numpy_nn_target.py",
        {
            "squared": "right",
            "relu_squared": "right",
            "binary_cross_entropy": "right",
            "softmax_squared": "raises",
            "cross_entropy": "raises",
        },
    ),
    Package(
        "numpynet", "0.1.0", "numpynet_target.py", {"relu_mean_squared": "right", "mean_squared": "wrong", "softmax_mean_squared": "right"}
    ),
    Package(
        "numpyneuron",
        "0.6",
        "numpyneuron_target.py",
        {"squared": "wrong", "tanh_squared": "wrong", "relu_logits": "right", "sigmoid_logits": "wrong"},
    ),
    Package(
        "pynnet",
        "1.0.1",
        "pynnet_target.py",
        {
            "mean_squared": "right",
            "huber": "right",
            "binary_cross_entropy": "right",
            "cross_entropy": "right",
            "plain_cross_entropy": "wrong",
            "softmax_squared": "wrong",
        },
    ),
    Package("quarknet", "0.1.2", "quarknet_target.py", {"mean_squared": "right"}),
    Package("sinnn", "0.0.1", "sinnn_target.py", {"squared": "right", "binary_cross_entropy": "right", "cross_entropy": "right"}),
    Package(
        "tinynn",
        "0.0.4",
        "tinynn_target.py",
        {"half_squared": "right", "huber": "wrong", "softmax_cross_entropy": "wrong", "sigmoid_cross_entropy": "right"},
    ),
    Package(
        "toynet-ml",
        "1.0.0",
        "toynet_target.py",
        {"mean_squared": "right", "softmax_squared": "wrong", "cross_entropy": "right", "binary_cross_entropy": "right"},
    ),
    Package(
        "vanillanets",
        "1.0.1",
        "vanillanets_target.py",
        {
            "mean_squared": "right",
            "softmax_squared": "right",
            "binary_cross_entropy": "right",
            "cross_entropy": "right",
            "joined_cross_entropy": "right",
        },
    ),
    Package("convnetjs", "0.3.0", "node/convnetjs.mjs", {"regression": "right", "softmax": "right"}, of_node=True),
    Package(
        "ml-fnn",
        "5.0.0",
        "node/ml_fnn.mjs",
        {"tanh": "right", "identity": "right", "sigmoid": "wrong", "relu": "wrong", "softsign": "wrong", "softplus": "wrong"},
        of_node=True,
    ),
    Package(
        "neataptic",
        "1.4.7",
        "node/neataptic.mjs",
        {
            "half_squared_error identity": "right",
            f"{BINARY} sigmoid": "right",
            "half_squared_error sigmoid": "wrong",
            "half_squared_error identity softsign": "wrong",
        },
        of_node=True,
    ),
    Package("neataptic", "1.4.7", "steps_target.py", {"neataptic": "wrong"}, of_node=True),
    Package(
        "synaptic",
        "1.1.4",
        "steps_target.py",
        {"synaptic": "wrong", "synaptic_classes": "wrong", "synaptic_optimized": "wrong", "synaptic_squared": "wrong"},
        of_node=True,
    ),
    Package(
        "toygrad",
        "2.6.0",
        "node/toygrad.mjs",
        {"regression": "right", "regression leaky_relu": "wrong", "softmax": "right"},
        of_node=True,
    ),
)
"""All of them; a verdict of lossy counts as right."""
