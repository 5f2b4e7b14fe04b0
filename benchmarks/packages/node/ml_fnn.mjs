// ml-fnn: a network that load() makes of its own JSON, with the activation that the argument says; probabilities of classes at the end.
// Its constructor takes tanh whatever activation is asked for, so another one is had by load() alone.
import { load, serve } from "./serve.mjs";

const FeedForward = await load("ml-fnn");
const { Matrix } = await load("ml-matrix");
const NAMES = { tanh: "tanh", identity: "identity", sigmoid: "logistic", relu: "relu", softsign: "softsign", softplus: "softplus" };
const asked = process.argv[2] ?? "tanh";
const activation = NAMES[asked];

const supports = {
  activations: [asked],
  output_activations: ["softmax"],
  losses: ["cross_entropy_of_probabilities"],
  expected: "one_hot",
  reductions: ["sum"],
  biases: true,
};

const transpose = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));

serve(supports, ({ layers, x, y }) => {
  const made = layers.map(({ weights, biases }) => ({
    model: "Layer",
    inputSize: weights[0].length,
    outputSize: weights.length,
    regularization: 0,
    epsilon: 1,
    activation,
    W: transpose(weights),
    b: [biases],
  }));
  const classes = Object.fromEntries(y[0].map((_, i) => [i, i]));
  const network = FeedForward.load({ model: "FNN", layers: made, activation, dicts: { inputs: classes, outputs: classes } });
  for (const layer of network.model) layer.update = () => {}; // which would multiply dW by the rate, in place
  const features = new Matrix(x);
  const labels = y.map((row) => row.indexOf(1));
  network.backpropagation(features, labels, network.propagate(features));
  return network.model.map(({ dW, db }) => ({ weights: transpose(dW.to2DArray()), biases: db.to1DArray() }));
});
