// Builds every widget: js/<name>/index.js becomes static/<name>.js, and the style it imports static/<name>.css.
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const common = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };

/** `import text from "./worklet.js?source"` gives the bundled module as text. */
const source = {
  name: "source",
  setup(within) {
    within.onResolve({ filter: /\?source$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace(/\?source$/, "")),
      namespace: "source",
    }));
    within.onLoad({ filter: /.*/, namespace: "source" }, async ({ path }) => {
      const { outputFiles } = await build({ ...common, entryPoints: [path], format: "esm", write: false });
      return { contents: outputFiles[0].text, loader: "text", watchFiles: [path] };
    });
  },
};

const widgets = readdirSync(here).filter((name) => existsSync(join(here, name, "index.js")));
await build({
  ...common,
  entryPoints: Object.fromEntries(widgets.map((name) => [name, join(here, name, "index.js")])),
  outdir: join(here, "..", "static"),
  format: "esm",
  plugins: [source],
});
copyFileSync(join(here, "LICENSES.txt"), join(here, "..", "static", "LICENSES.txt"));
