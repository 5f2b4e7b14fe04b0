// neataptic: a perceptron of at least two layers whose changes are added up over samples, and not yet made (update = false).
// Arguments: the loss that its error y - a of the outputs is taken for, the outputs' activation, and the others.
import { load, serve } from "./serve.mjs";

const { architect, methods } = await load("neataptic");
const NAMES = { identity: "IDENTITY", sigmoid: "LOGISTIC", tanh: "TANH", relu: "RELU", softsign: "SOFTSIGN", selu: "SELU", hardtanh: "HARD_TANH" };
const [loss = "half_squared_error", output = "identity", ...hidden] = process.argv.slice(2);

const supports = {
  activations: hidden.length ? hidden : ["identity", "sigmoid", "tanh", "relu", "selu", "hardtanh"],
  output_activations: [output],
  losses: [loss],
  depth: [2, 6],
  reductions: ["sum"],
  biases: true,
};

serve(supports, ({ layers, x, y }) => {
  const widths = [x[0].length, ...layers.map(({ weights }) => weights.length)];
  const network = architect.Perceptron(...widths);
  let start = 0;
  const groups = widths.map((width) => network.nodes.slice(start, (start += width)));
  const between = (l, i, j) => groups[l + 1][i].connections.in.find((connection) => connection.from === groups[l][j]);
  layers.forEach(({ weights, biases, activation }, l) =>
    groups[l + 1].forEach((node, i) => {
      node.squash = methods.activation[NAMES[activation]];
      node.bias = biases[i];
      weights[i].forEach((w, j) => (between(l, i, j).weight = w));
    }),
  );
  x.forEach((row, s) => {
    network.activate(row, true);
    network.propagate(1, 0, false, y[s]);
  });
  return layers.map(({ weights }, l) => ({
    weights: weights.map((row, i) => row.map((_, j) => -between(l, i, j).totalDeltaWeight)),
    biases: groups[l + 1].map((node) => -node.totalDeltaBias),
  }));
});
