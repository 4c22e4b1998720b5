// Builds the front end for the addresses it is to call: node build.mjs FOLDER API_URL WEBSOCKET_URL
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";

const here = dirname(fileURLToPath(import.meta.url));
const widgets = resolve(here, "../../../sfwidgets/widgets/js");
const { build } = createRequire(join(widgets, "package.json"))("esbuild");

const [out, api, websocket] = process.argv.slice(2);
await build({
  entryPoints: [join(here, "app", "main.jsx")],
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  logLevel: "warning",
  define: {
    "import.meta.env.VITE_API_URL": JSON.stringify(api),
    "import.meta.env.VITE_WEBSOCKET_URL": JSON.stringify(websocket),
    "process.env.NODE_ENV": JSON.stringify("development"),
  },
});
mkdirSync(out, { recursive: true });
copyFileSync(join(here, "app", "index.html"), join(out, "index.html"));
