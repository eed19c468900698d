// Evaluates GitHub's expressions with GitHub's own package: one JSON document a line in, one out.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Evaluator, Lexer, Parser, data } = await import(pathToFileURL(process.argv[2]));

for await (const line of createInterface({ input: process.stdin })) {
  const { expression, contexts, status } = JSON.parse(line);
  const functions = Object.entries(status).map(([name, value]) => {
    return { name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(value) };
  });
  try {
    const parsed = new Parser(new Lexer(expression).lex().tokens, Object.keys(contexts), functions).parse();
    const known = JSON.parse(JSON.stringify(contexts), data.reviver);
    const found = new Evaluator(parsed, known, new Map(functions.map((each) => [each.name, each]))).evaluate();
    console.log(JSON.stringify({ text: found.coerceString() }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
