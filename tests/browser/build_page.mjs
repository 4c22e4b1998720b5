// Builds a page that tests drive: node build_page.mjs FOLDER_OF_THE_PAGE FOLDER_TO_BUILD_INTO
import { copyFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const widgets = resolve(dirname(fileURLToPath(import.meta.url)), "../../sfwidgets/widgets/js");
const { build } = createRequire(join(widgets, "package.json"))("esbuild");
const { source } = await import(pathToFileURL(join(widgets, "source.mjs")).href);

const [page, out] = process.argv.slice(2);
const common = { bundle: true, target: "es2022", logLevel: "warning", format: "esm", alias: { widgets } };
await build({ ...common, entryPoints: [join(page, "harness.js")], outdir: out, plugins: [source(common)] });
copyFileSync(join(page, "index.html"), join(out, "index.html"));
