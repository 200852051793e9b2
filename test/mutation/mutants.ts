import { stripTypeScriptTypes } from "node:module";
import { parse } from "@babel/parser";

/** A change at one place of a source. */
export interface Mutant {
  /** Number of the change in the run, from 1. */
  readonly id: number;
  /** Path of the source, relative to the root. */
  readonly file: string;
  readonly line: number;
  /** Kind of change. */
  readonly operator: string;
  readonly original: string;
  readonly replacement: string;
  /** The trimmed line, which with `original` and `replacement` identifies the change even when lines above it change. */
  readonly context: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [key: string]: unknown;
}

/** A possible change: the replacement of a node. */
interface Change {
  readonly operator: string;
  readonly text: string;
}

/** The switch with which sources are instrumented: it selects the change `id` when that is active. */
const SWITCH = "globalThis.__mutant";

/**
 * Adds all changes to a source, each behind the switch `globalThis.__mutant(id)`, which is true for the active change.
 *
 * @param typed TypeScript whose types can be stripped
 * @param firstId the number of the first change
 * @returns JavaScript with all changes
 */
export function instrument(typed: string, file: string, firstId: number): { code: string; mutants: Mutant[] } {
  const source = withoutTypes(typed);
  const ast = parse(source, { sourceType: "module" }) as unknown as { program: Node };
  const lines = typed.split("\n");
  const mutants: Mutant[] = [];
  const number = (node: Node, { operator, text }: Change): number => {
    const id = firstId + mutants.length;
    const { line } = node.loc.start;
    const original = source.slice(node.start, node.end);
    mutants.push({ id, file, line, operator, original, replacement: text, context: (lines[line - 1] ?? "").trim() });
    return id;
  };
  const render = (node: Node, parents: readonly Parent[]): string => {
    let text = "";
    let at = node.start;
    const below = [...parents, { node, key: "" }];
    for (const { key, child } of childrenOf(node)) {
      text += source.slice(at, child.start) + render(child, [...below.slice(0, -1), { node, key }]);
      at = child.end;
    }
    text += source.slice(at, node.end);
    if (isStatement(node)) return statementSwitch(node, text);
    const found = expressionChanges(node, parents, source);
    if (found.length === 0) return text;
    const switches = found.map((change) => `${SWITCH}(${number(node, change)}) ? (${change.text}) : `).join("");
    return `(${switches}(${text}))`;
  };
  const statementSwitch = (node: Node, text: string): string => {
    if (node.type === "ExpressionStatement" && node["directive"] === undefined) {
      return `{ if (!${SWITCH}(${number(node, { operator: "statement removed", text: "" })})) { ${text} } }`;
    }
    if (node.type === "ThrowStatement") {
      return `{ if (!${SWITCH}(${number(node, { operator: "throw removed", text: "" })})) { ${text} } }`;
    }
    return text;
  };
  return { code: render(ast.program, []), mutants };
}

/** Replaces types by blanks, so that positions stay the same. Node warns that the function is experimental. */
function withoutTypes(typed: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(typed);
  } finally {
    process.emitWarning = emitWarning;
  }
}

interface Parent {
  readonly node: Node;
  readonly key: string;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/** Returns a node's children in source order, without imported and exported names. */
function childrenOf(node: Node): { key: string; child: Node }[] {
  const children: { key: string; child: Node }[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (SKIPPED_KEYS.has(key)) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child) && typeof child.start === "number" && !isSkipped(child)) children.push({ key, child });
    }
  }
  const ordered = children.sort((one, other) => one.child.start - other.child.start);
  return ordered.filter(({ child }, index) => index === 0 || child.start >= (ordered[index - 1]?.child.end ?? 0));
}

const SKIPPED_KEYS = new Set(["loc", "extra", "leadingComments", "trailingComments", "innerComments"]);

function isSkipped({ type }: Node): boolean {
  return /^(ImportDeclaration|ExportAll|ExportSpecifier|Directive)/.test(type);
}

function isStatement({ type }: Node): boolean {
  return type === "ExpressionStatement" || type === "ThrowStatement";
}

const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
  "&": ["|"],
  "|": ["&"],
  "^": ["&"],
};

const METHODS: Readonly<Record<string, string>> = {
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith",
  min: "max",
  max: "min",
  toLowerCase: "toUpperCase",
  toUpperCase: "toLowerCase",
};

/** Methods whose calls are replaced by their object. */
const DROPPED = new Set(["filter", "trim", "sort", "toSorted", "reverse", "toReversed", "slice", "subarray", "concat"]);

/** Returns the replacements of a node. */
function expressionChanges(node: Node, parents: readonly Parent[], source: string): Change[] {
  if (!isExpressionPlace(node, parents)) return [];
  const text = (of: unknown) => source.slice((of as Node).start, (of as Node).end);
  const changes: Change[] = [];
  const add = (operator: string, replacement: string) => changes.push({ operator, text: replacement });
  if (isCondition(parents)) {
    add("condition", "true");
    add("condition", "false");
  } else if (isOnlyFalse(parents)) add("condition", "false");
  switch (node.type) {
    case "BinaryExpression":
    case "LogicalExpression": {
      const [left, right] = [node["left"] as Node, node["right"] as Node];
      const operator = String(node["operator"]);
      if (operator === "??") add("operator", text(left));
      if (operator === "+" && (isText(left) || isText(right))) break;
      const at = source.indexOf(operator, left.end); // there may be a parenthesis in between
      for (const other of OPERATORS[operator] ?? []) {
        add("operator", source.slice(node.start, at) + other + source.slice(at + operator.length, node.end));
      }
      break;
    }
    case "UnaryExpression":
      if (node["operator"] === "!") add("negation removed", text(node["argument"]));
      if (node["operator"] === "-") add("operator", text(node["argument"]));
      break;
    case "BooleanLiteral":
      add("literal", String(!node["value"]));
      break;
    case "NumericLiteral":
      add("literal", `${text(node)} + 1`);
      break;
    case "StringLiteral":
      if (!isMessage(parents)) add("literal", node["value"] === "" ? '"mutant"' : '""');
      break;
    case "TemplateLiteral":
      if (!isMessage(parents) && !parents.at(-1)?.node.type.startsWith("Tagged")) add("literal", '""');
      break;
    case "RegExpLiteral":
      for (const pattern of regexChanges(String(node["pattern"]))) add("regex", `/${pattern}/${node["flags"]}`);
      if (String(node["flags"]).includes("i")) add("regex", text(node).replace(/i([a-z]*)$/, "$1"));
      break;
    case "ArrayExpression":
      if ((node["elements"] as unknown[]).length > 0) add("emptied", "[]");
      break;
    case "ObjectExpression":
      if ((node["properties"] as unknown[]).length > 0 && !isMessage(parents)) add("emptied", "{}");
      break;
    case "UpdateExpression":
      add("operator", node["operator"] === "++" ? text(node).replace("++", "--") : text(node).replace("--", "++"));
      break;
    case "AssignmentExpression":
      if (node["operator"] === "+=") add("operator", text(node).replace("+=", "-="));
      if (node["operator"] === "-=") add("operator", text(node).replace("-=", "+="));
      if (node["operator"] === "&&=") add("operator", text(node).replace("&&=", "||="));
      break;
    case "CallExpression":
    case "OptionalCallExpression":
      callChanges(node, text, add);
      break;
  }
  if (isChainRoot(node, parents)) {
    for (const link of linksOf(node, source)) add("optional chaining", link);
  }
  if (
    isReturned(node, parents) &&
    !["Identifier", "BooleanLiteral", "NullLiteral", "StringLiteral"].includes(node.type)
  ) {
    add("returned value", "undefined");
  }
  return changes.filter(({ text: replacement }) => replacement !== text(node));
}

function callChanges(node: Node, text: (of: unknown) => string, add: (operator: string, text: string) => void): void {
  const callee = node["callee"] as Node;
  const property = callee["property"] as Node | undefined;
  if (property?.type !== "Identifier" || callee["computed"] === true) return;
  const name = String(property["name"]);
  const own = text(node);
  const at = property.start - node.start;
  const other = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (other) add("method", own.slice(0, at) + other + own.slice(at + name.length));
  if (DROPPED.has(name)) add("method", text(callee["object"]));
}

/** Reports whether an expression can be parenthesized: not a declared or assigned name, a key, or a callee. */
function isExpressionPlace(node: Node, parents: readonly Parent[]): boolean {
  const parent = parents.at(-1);
  if (!parent) return false;
  if (!/Expression$|Literal$|^Identifier$/.test(node.type)) return false;
  if (node.type === "ParenthesizedExpression" || node.type === "SpreadElement") return false;
  const { node: of, key } = parent;
  if (key === "left" && /^(Assignment|For(In|Of))/.test(of.type)) return false;
  if (key === "id" || key === "param" || key === "params" || key === "label" || key === "meta") return false;
  if (key === "key" && of["computed"] !== true) return false;
  if (key === "property" && of["computed"] !== true) return false;
  if (key === "callee" || key === "tag" || key === "quasi") return false;
  if (/Pattern$/.test(of.type) && key !== "right") return false;
  if (/^(Import|Export)/.test(of.type) && key === "source") return false;
  if (of.type === "UpdateExpression" || (of.type === "UnaryExpression" && of["operator"] === "delete")) return false;
  if (of.type === "ObjectProperty" && key === "value" && parents.at(-2)?.node.type === "ObjectPattern") return false;
  return of.type !== "ObjectProperty" || of["shorthand"] !== true;
}

function isCondition(parents: readonly Parent[]): boolean {
  const parent = parents.at(-1);
  return parent?.key === "test" && /^(IfStatement|ConditionalExpression)$/.test(parent.node.type);
}

/** Skips changes that make a loop endless, which prove nothing. */
function isOnlyFalse(parents: readonly Parent[]): boolean {
  const parent = parents.at(-1);
  return parent?.key === "test" && /^(While|DoWhile|For)Statement$/.test(parent.node.type);
}

function isReturned(node: Node, parents: readonly Parent[]): boolean {
  const parent = parents.at(-1);
  if (parent?.node.type === "ReturnStatement") return true;
  return parent?.node.type === "ArrowFunctionExpression" && parent.key === "body" && node.type !== "BlockStatement";
}

function isText({ type }: Node): boolean {
  return type === "StringLiteral" || type === "TemplateLiteral";
}

/**
 * Reports whether a node is the text of an error, which is not behaviour: arguments of an error's constructor after the code,
 * and of `Error` itself.
 */
function isMessage(parents: readonly Parent[]): boolean {
  for (let index = parents.length - 1; index >= 0; index--) {
    const { node, key } = parents[index] as Parent;
    if (/Function|^Statement|Declaration$/.test(node.type)) return false;
    if (node.type !== "NewExpression" || key !== "arguments") continue;
    const name = String((node["callee"] as Node)["name"]);
    if (name === "Error" || name === "TypeError" || name === "RangeError") return true;
    if (name !== "TsignError" && name !== "CheckFailed") continue;
    const below = parents[index + 1]?.node;
    const [code] = node["arguments"] as Node[];
    return index + 1 < parents.length ? below !== code : true;
  }
  return false;
}

function isChainRoot(node: Node, parents: readonly Parent[]): boolean {
  if (!/^Optional/.test(node.type)) return false;
  const parent = parents.at(-1)?.node;
  return !(parent && /^Optional(Member|Call)/.test(parent.type) && parents.at(-1)?.key !== "arguments");
}

/** Returns the optional chain with one `?.` replaced, for each of them. */
function linksOf(root: Node, source: string): string[] {
  const links: number[] = [];
  for (let node: Node | undefined = root; node && /^Optional/.test(node.type); ) {
    const inner = (node["object"] ?? node["callee"]) as Node;
    if (node["optional"] === true) links.push(source.indexOf("?.", inner.end));
    node = inner;
  }
  return links.map((at) => {
    const after = source[at + 2] === "[" || source[at + 2] === "(" ? at + 2 : at + 1;
    return source.slice(root.start, at) + source.slice(after, root.end);
  });
}

/** Changes a regular expression: removes anchors and quantifiers, negates classes. */
function regexChanges(pattern: string): string[] {
  const changes = new Set<string>();
  let inClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const [char, next] = [pattern[at], pattern[at + 1]];
    const replaced = (text: string, length: number) =>
      changes.add(pattern.slice(0, at) + text + pattern.slice(at + length));
    if (char === "\\") {
      if (/[dDwWsS]/.test(next ?? "")) replaced(`\\${swapped(next ?? "")}`, 2);
      at++;
    } else if (char === "[") {
      inClass = true;
      if (next === "^") replaced("[", 2);
      else replaced("[^", 1);
      if (next === "^") at++;
    } else if (char === "]") inClass = false;
    else if (inClass) continue;
    else if (char === "^" || char === "$") replaced("", 1);
    else if ((char === "+" || char === "*") && pattern[at - 1] !== "(") replaced("", 1);
    else if (char === "?" && pattern[at - 1] !== "(" && !/[+*?}]/.test(pattern[at - 1] ?? "")) replaced("", 1);
    else if (char === "{") {
      const [count = ""] = /^\{\d+(,\d*)?\}/.exec(pattern.slice(at)) ?? [];
      if (count !== "") replaced("", count.length);
    }
  }
  return [...changes].filter((each) => {
    try {
      return new RegExp(each, "u") !== undefined;
    } catch {
      try {
        return new RegExp(each) !== undefined;
      } catch {
        return false;
      }
    }
  });
}

function swapped(letter: string): string {
  return letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
}
