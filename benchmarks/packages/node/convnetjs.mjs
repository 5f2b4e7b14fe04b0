// convnetjs: layers that add up gradients sample by sample. The argument is its last layer, "regression" or "softmax".
import { load, serve } from "./serve.mjs";

const { Net, Vol } = await load("convnetjs");
const last = process.argv[2] ?? "regression";

const supports = {
  activations: ["tanh", "sigmoid", "relu", "identity"],
  output_activations: ["identity"],
  losses: [last === "softmax" ? "softmax_cross_entropy" : "half_squared_error"],
  ...(last === "softmax" ? { expected: "one_hot" } : {}),
  reductions: ["sum"],
  biases: true,
};

serve(supports, ({ layers, x, y }) => {
  const defs = layers.map(({ weights, activation }) => ({
    type: "fc",
    num_neurons: weights.length,
    ...(activation === "identity" ? {} : { activation }),
  }));
  // the last layer brings a fully connected one of its own
  const { num_neurons } = defs.pop();
  const output = last === "softmax" ? { type: last, num_classes: num_neurons } : { type: last, num_neurons };
  const network = new Net();
  network.makeLayers([{ type: "input", out_sx: 1, out_sy: 1, out_depth: x[0].length }, ...defs, output]);
  const connected = network.layers.filter((layer) => layer.filters);
  connected.forEach((layer, l) => {
    layer.filters.forEach((filter, i) => filter.w.forEach((_, j) => (filter.w[j] = layers[l].weights[i][j])));
    layer.biases.w.forEach((_, i) => (layer.biases.w[i] = layers[l].biases[i]));
  });
  x.forEach((row, s) => {
    network.forward(new Vol(row), true);
    network.backward(last === "softmax" ? y[s].indexOf(1) : y[s]);
  });
  return connected.map((layer) => ({ weights: layer.filters.map(({ dw }) => Array.from(dw)), biases: Array.from(layer.biases.dw) }));
});
