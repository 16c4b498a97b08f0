// One ESM with its styles inside: anywidget imports it from a blob, where nothing else could be found.
import { mkdirSync } from "node:fs";
import { build } from "esbuild";

mkdirSync("../las_jupyter/widgets/static", { recursive: true });
await build({
  entryPoints: ["src/panel/index.ts"],
  outfile: "../las_jupyter/widgets/static/panel.js",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  loader: { ".css": "text" },
  logLevel: "warning",
});
