// A network by hand in JavaScript that speaks docs/protocol.md, and is right: backproof check 'run: node examples/javascript/network.mjs'.
// With an argument, 'network.mjs --mistake', the slopes of hidden layers are left out.
import { createInterface } from "node:readline";

const mistake = process.argv.length > 2;
const supports = {
  activations: ["tanh", "sigmoid", "relu", "identity"],
  losses: ["half_squared_error"],
  reductions: ["sum", "mean"],
};

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const g = { tanh: Math.tanh, sigmoid, relu: (z) => Math.max(z, 0), identity: (z) => z };
const slope = {
  tanh: (z) => 1 / Math.cosh(z) ** 2,
  sigmoid: (z) => sigmoid(z) * sigmoid(-z),
  relu: (z) => (z > 0 ? 1 : 0),
  identity: () => 1,
};

const dot = (u, v) => u.reduce((sum, number, i) => sum + number * v[i], 0);
const transpose = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));

function gradient({ layers, x, y, reduction }) {
  const z = [];
  const a = [x]; // a row for each sample
  for (const { weights, biases, activation } of layers) {
    z.push(a.at(-1).map((row) => weights.map((w, i) => dot(w, row) + (biases ? biases[i] : 0))));
    a.push(z.at(-1).map((row) => row.map(g[activation])));
  }
  const share = reduction === "mean" ? 1 / x.length : 1;
  let error = a.at(-1).map((row, s) => row.map((output, i) => (output - y[s][i]) * share));
  const found = [];
  for (let l = layers.length - 1; l >= 0; l--) {
    const slopes = mistake && l < layers.length - 1 ? () => 1 : slope[layers[l].activation];
    const delta = error.map((row, s) => row.map((e, i) => e * slopes(z[l][s][i])));
    const [rows, columns] = [transpose(delta), transpose(a[l])];
    const biases = layers[l].biases && rows.map((row) => row.reduce((sum, number) => sum + number));
    found.unshift({ weights: rows.map((row) => columns.map((column) => dot(row, column))), biases });
    error = delta.map((row) => transpose(layers[l].weights).map((column) => dot(row, column)));
  }
  return { layers: found };
}

// JSON has no NaN and no infinities: they go as strings
const say = (message) => console.log(JSON.stringify(message, (_, v) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v)));

for await (const line of createInterface({ input: process.stdin })) {
  const { kind, id, problem } = JSON.parse(line);
  if (kind === "start") say({ kind: "ready", supports });
  if (kind !== "problem") continue;
  try {
    say({ kind: "answer", id, gradient: gradient(problem) });
  } catch (error) {
    say({ kind: "errored", id, message: error.stack });
  }
}
