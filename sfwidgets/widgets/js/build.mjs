// Builds every widget: js/<name>/index.js becomes static/<name>.js, and the style it imports static/<name>.css.
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { source } from "./source.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const common = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };

const widgets = readdirSync(here).filter((name) => existsSync(join(here, name, "index.js")));
await build({
  ...common,
  entryPoints: Object.fromEntries(widgets.map((name) => [name, join(here, name, "index.js")])),
  outdir: out,
  format: "esm",
  plugins: [source(common)],
});
copyFileSync(join(here, "LICENSES.txt"), join(out, "LICENSES.txt"));
