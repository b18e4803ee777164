// Evaluates JSONata expressions by the reference implementation, with the functions of Step Functions' that ours use.
// Reads [[expression, {variable: value}], ...] from standard input; prints [{"value": ...} or {"error": code}, ...].

"use strict";

const fs = require("node:fs");
const jsonata = require("jsonata");

async function main() {
  const answers = [];
  for (const [expression, variables] of JSON.parse(fs.readFileSync(0, "utf-8"))) {
    const compiled = jsonata(expression);
    compiled.registerFunction("parse", JSON.parse);
    try {
      answers.push({ value: (await compiled.evaluate(undefined, variables)) ?? null });
    } catch (error) {
      answers.push({ error: error.code ?? error.name });
    }
  }
  process.stdout.write(JSON.stringify(answers));
}

main();
