// `import text from "./worklet.js?source"` gives a module, bundled on its own, as text: what an AudioWorklet loads.
import { resolve } from "node:path";
import { build } from "esbuild";

/** @param {import("esbuild").BuildOptions} common How to bundle it. */
export const source = (common) => ({
  name: "source",
  setup(within) {
    within.onResolve({ filter: /\?source$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace(/\?source$/, "")),
      namespace: "source",
    }));
    within.onLoad({ filter: /.*/, namespace: "source" }, async ({ path }) => {
      const { outputFiles } = await build({ ...common, entryPoints: [path], format: "esm", write: false });
      return { contents: outputFiles[0].text, loader: "text" };
    });
  },
});
