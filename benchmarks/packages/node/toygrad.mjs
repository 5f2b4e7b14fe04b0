// toygrad: layers in float32 that add up gradients sample by sample. The argument is its last layer, "regression" or "softmax".
import { load, serve } from "./serve.mjs";

const { NeuralNetwork, Tensor } = await load("toygrad");
const NAMES = { tanh: "tanh", sigmoid: "sigmoid", relu: "relu", leaky_relu: "leakyrelu" };
const last = process.argv[2] ?? "regression";
const activations = process.argv[3] ? process.argv.slice(3) : ["tanh", "sigmoid", "relu", "identity"];

const supports = {
  activations,
  output_activations: last === "softmax" ? ["identity"] : activations,
  losses: [last === "softmax" ? "softmax_cross_entropy" : "half_squared_error"],
  ...(last === "softmax" ? { expected: "one_hot" } : {}),
  reductions: ["sum"],
  biases: true,
};

const tensor = (numbers) => new Tensor(1, 1, numbers.length, [...numbers]);

serve(
  supports,
  ({ layers, x, y }) => {
    const options = layers.flatMap(({ weights, activation }) => [
      { type: "dense", filters: weights.length, bias: 0 },
      ...(NAMES[activation] ? [{ type: NAMES[activation] }] : []),
    ]);
    const network = new NeuralNetwork({ layers: [{ type: "input", sx: 1, sy: 1, sz: x[0].length }, ...options, { type: last }] });
    const dense = network.layers.filter((layer) => layer.filters);
    dense.forEach((layer, l) => {
      layer.filters.forEach((filter, i) => filter.w.set(layers[l].weights[i]));
      layer.biases.w.set(layers[l].biases);
    });
    x.forEach((row, s) => {
      network.forward(tensor(row), true);
      network.backward(last === "softmax" ? y[s].indexOf(1) : y[s]);
    });
    return dense.map((layer) => ({ weights: layer.filters.map(({ dw }) => [...dw]), biases: [...layer.biases.dw] }));
  },
  { precision: "float32" },
);
