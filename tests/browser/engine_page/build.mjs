// Builds the page that the tests of the engine drive: node build.mjs FOLDER
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const widgets = resolve(here, "../../../sfwidgets/widgets/js");
const { build } = createRequire(join(widgets, "package.json"))("esbuild");
const common = { bundle: true, target: "es2022", logLevel: "warning", format: "esm", alias: { widgets } };

const source = {
  name: "source",
  setup(within) {
    within.onResolve({ filter: /\?source$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace(/\?source$/, "")),
      namespace: "source",
    }));
    within.onLoad({ filter: /.*/, namespace: "source" }, async ({ path }) => {
      const { outputFiles } = await build({ ...common, entryPoints: [path], write: false });
      return { contents: outputFiles[0].text, loader: "text" };
    });
  },
};

const out = process.argv[2];
await build({ ...common, entryPoints: [join(here, "harness.js")], outdir: out, plugins: [source] });
copyFileSync(join(here, "index.html"), join(out, "index.html"));
