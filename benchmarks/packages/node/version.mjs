// The version of a package that NODE_PATH, or the folder it is run in, has: node version.mjs NAME. Prints nothing where there is none.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

try {
  let folder = dirname(createRequire(`${process.cwd()}/`).resolve(process.argv[2]));
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) folder = dirname(folder);
  console.log(JSON.parse(readFileSync(join(folder, "package.json"))).version);
} catch {
  process.exit(1);
}
