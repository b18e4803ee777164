// What speaks against definitions of state machines, by asl-validator and by JSONata's reference implementation.
//
// Reads a JSON list of definitions from standard input, and prints a JSON list of their findings: for each definition a
// list of {code, message, location}, as Step Functions' ValidateStateMachineDefinition has them.

"use strict";

const fs = require("node:fs");
const validate = require("asl-validator");
const jsonata = require("jsonata");

// What Step Functions adds to JSONata's own functions, and the one that it takes away (developer guide, "Transforming
// data with JSONata").
const ADDED = new Set(["partition", "range", "hash", "random", "uuid", "parse"]);
const REMOVED = new Set(["eval"]);

function* strings(node, location) {
  if (typeof node === "string") yield { text: node, location };
  else if (node !== null && typeof node === "object") {
    for (const [name, child] of Object.entries(node)) yield* strings(child, `${location}/${name}`);
  }
}

/** The names in all Assign fields: variables have no other source. */
function assigned(node, names = new Set(["states"])) {
  if (node !== null && typeof node === "object") {
    for (const name of Object.keys(node.Assign ?? {})) names.add(name);
    for (const child of Object.values(node)) assigned(child, names);
  }
  return names;
}

/** The variables that an expression names, and those that it binds itself. */
function variables(node, named = new Set(), bound = new Set()) {
  if (node !== null && typeof node === "object") {
    if (node.type === "bind") bound.add(node.lhs.value);
    for (const argument of node.type === "lambda" ? node.arguments : []) bound.add(argument.value);
    for (const name of [node.focus, node.index]) if (typeof name === "string") bound.add(name);
    if (node.type === "variable") named.add(node.value);
    for (const child of Object.values(node)) variables(child, named, bound);
  }
  return { named, bound };
}

async function isBuiltIn(name) {
  return (await jsonata(`$${name}`).evaluate(null)) !== undefined;
}

async function expressionFindings(definition) {
  const known = assigned(definition);
  const found = [];
  for (const { text, location } of strings(definition, "")) {
    if (!text.startsWith("{%") || !text.endsWith("%}")) continue;
    let ast;
    try {
      ast = jsonata(text.slice(2, -2)).ast();
    } catch (error) {
      found.push({ code: "INVALID_JSONATA_EXPRESSION", message: `${error.code}: ${error.message}`, location });
      continue;
    }
    const { named, bound } = variables(ast);
    for (const name of named) {
      // $ is the context, and $$ the input.
      if (name === "" || name === "$" || bound.has(name) || known.has(name) || ADDED.has(name)) continue;
      if (REMOVED.has(name) || !(await isBuiltIn(name))) {
        const message = `$${name} is neither assigned by a state nor a function of Step Functions`;
        found.push({ code: "UNKNOWN_VARIABLE", message, location });
      }
    }
  }
  return found;
}

function structureFindings(definition) {
  // It writes into what it is given.
  const { errors } = validate(structuredClone(definition), { checkPaths: true, checkArn: true });
  return errors.map((error) => ({
    code: error["Error code"],
    message: error.Message,
    location: error.schemaError?.instancePath ?? error.path ?? "",
  }));
}

async function main() {
  const definitions = JSON.parse(fs.readFileSync(0, "utf-8"));
  const findings = [];
  for (const definition of definitions) {
    findings.push([...structureFindings(definition), ...(await expressionFindings(definition))]);
  }
  process.stdout.write(JSON.stringify(findings));
}

main();
