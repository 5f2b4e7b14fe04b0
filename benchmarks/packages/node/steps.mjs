// One training step of synaptic or neataptic: reads lines {weights, biases, activations, x, y, rate} of one sample, answers the same parts
// as they are afterwards. The argument says whose step it is: "synaptic", "synaptic-optimized" or "neataptic".
import { createInterface } from "node:readline";

import { load, say } from "./serve.mjs";

const SQUASH = { identity: "IDENTITY", sigmoid: "LOGISTIC", tanh: "TANH", relu: "RELU" };
const [name, optimized] = process.argv[2].split("-");
const made = await load(name);

/** The network's nodes, layer by layer, and what joins two of them. */
const of = {
  synaptic(widths) {
    const network = new made.Architect.Perceptron(...widths);
    const layers = [network.layers.input, ...network.layers.hidden, network.layers.output].map(({ list }) => list);
    const join = (from, to) => Object.values(to.connections.inputs).find((connection) => connection.from === from);
    return { network, layers, join, squash: (activation) => made.Neuron.squash[SQUASH[activation]] };
  },
  neataptic(widths) {
    const network = made.architect.Perceptron(...widths);
    let start = 0;
    const layers = widths.map((width) => network.nodes.slice(start, (start += width)));
    const join = (from, to) => to.connections.in.find((connection) => connection.from === from);
    return { network, layers, join, squash: (activation) => made.methods.activation[SQUASH[activation]] };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { weights, biases, activations, x, y, rate } = JSON.parse(line);
  const { network, layers, join, squash } = of[name]([x.length, ...biases.map((each) => each.length)]);
  weights.forEach((rows, l) =>
    layers[l + 1].forEach((node, i) => {
      node.squash = squash(activations[l]);
      node.bias = biases[l][i];
      rows[i].forEach((w, j) => (join(layers[l][j], node).weight = w));
    }),
  );
  if (name === "synaptic") network.setOptimize(Boolean(optimized));
  network.activate(x);
  if (name === "synaptic") network.propagate(rate, y);
  else network.propagate(rate, 0, true, y);
  if (optimized) network.restore();
  const after = weights.map((rows, l) => rows.map((row, i) => row.map((_, j) => join(layers[l][j], layers[l + 1][i]).weight)));
  say({ weights: after, biases: biases.map((_, l) => layers[l + 1].map((node) => node.bias)) });
}
