// The line protocol (docs/protocol.md) around a function of a problem, and the packages that NODE_PATH, or the folder it is run in, has.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(`${process.cwd()}/`);

/** A package by its name, whatever kind of module it is. */
export async function load(name) {
  const module = await import(pathToFileURL(resolve(name)).href);
  return module.default ?? module;
}

// JSON has no NaN and no infinities: they go as strings
export const say = (message) => console.log(JSON.stringify(message, (_, v) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v)));

/** Answer each problem by gradient(problem), the list of {weights, biases} of its layers. */
export async function serve(supports, gradient, more = {}) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { kind, id, problem } = JSON.parse(line);
    if (kind === "start") say({ kind: "ready", supports, ...more });
    if (kind !== "problem") continue;
    try {
      say({ kind: "answer", id, gradient: { layers: gradient(problem) } });
    } catch (error) {
      say({ kind: "errored", id, message: error.stack });
    }
  }
}
