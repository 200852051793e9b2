import { childrenOf, type Node, type SyntaxTrees, walk } from "./syntax.ts";

/** Where a piece of text stands in the whole text that is printed. */
export type Place = "whole" | "start" | "middle" | "end";

/** A text of the sources that is printed, with what is put in as `{name}`. */
export interface Piece {
  readonly text: string;
  readonly place: Place;
  /** The literal or template. */
  readonly node: Node;
}

interface Step {
  readonly node: Node;
  /** From the node's value to the text. */
  readonly path: readonly string[];
  readonly place: Place;
  /** Calls whose functions' results are being followed, the innermost last. */
  readonly calls: readonly Node[];
}

/** A part of a text: its characters, or an expression that is put in. */
type Part = string | { readonly hole: Node };

const WRAPPERS = /^(TSAsExpression|TSSatisfiesExpression|TSNonNullExpression|ParenthesizedExpression|AwaitExpression)$/;
const SAME_ITEMS = ["filter", "slice", "sort", "toSorted", "reverse", "flat", "concat"];
const SAME_TEXT = [
  "replace",
  "replaceAll",
  "trim",
  "trimEnd",
  "trimStart",
  "slice",
  "toLowerCase",
  "toString",
  "padEnd",
];
const MAX_ALTERNATIVES = 24;
const COMMON_METHODS = ["write", "data", "read", "open", "get", "set", "has", "push", "send", "replace", "remove"];
const MAX_METHOD_CALLS = 30;
const MAX_CALLS = 3;
const MAX_PATH = 4;

/** Follows texts back from where they are printed: through variables, parameters to every caller, and results of functions. */
export class TextFlow {
  readonly #trees: SyntaxTrees;
  /** Calls of a function or constructions of a class, by its declaration. */
  readonly #calls = new Map<Node, Node[]>();
  /** Calls of methods by the method's name. */
  readonly #methodCalls = new Map<string, Node[]>();
  /** Numbers of methods and functions in objects that have a name. */
  readonly #methods = new Map<string, number>();

  constructor(trees: SyntaxTrees) {
    this.#trees = trees;
    for (const { program } of trees.files) walk(program, (node) => this.#index(node));
  }

  /**
   * The texts that an expression may have.
   *
   * @param seen what was followed before, for the same purpose: it is not followed again
   */
  piecesOf(node: Node, seen = new Map<Node, Set<string>>()): Piece[] {
    const found: Piece[] = [];
    const steps: Step[] = [{ node, path: [], place: "whole", calls: [] }];
    for (let step = steps.pop(); step; step = steps.pop()) {
      if (step.path.length > MAX_PATH) continue;
      const key = [step.place, step.calls.map((call) => call.start).join(), ...step.path].join(" ");
      const keys = seen.get(step.node) ?? new Set();
      if (keys.has(key)) continue;
      seen.set(step.node, keys.add(key));
      if (step.path.length === 0 && isText(step.node)) steps.push(...this.#read(step, found));
      else steps.push(...this.#behind(step));
    }
    return found;
  }

  /** The class a `new` or `super` makes, or its name if it is not of the tree. */
  classOf(node: Node): Node | string | undefined {
    const named = node.callee.type === "Super" ? this.#enclosingClass(node)?.superClass : node.callee;
    if (named?.type !== "Identifier") return undefined;
    const binding = this.#trees.resolve(named);
    return binding?.kind === "class" ? binding.node : named.name;
  }

  #enclosingClass(node: Node): Node {
    let above = node;
    while (above && !/^Class(Declaration|Expression)$/.test(above.type)) above = this.#trees.parent(above);
    return above;
  }

  #index(node: Node): void {
    const method = isFunction(node) ? methodName(node, this.#trees) : "";
    if (method !== "") this.#methods.set(method, (this.#methods.get(method) ?? 0) + 1);
    if (node.type === "NewExpression" || (node.type === "CallExpression" && node.callee.type === "Super")) {
      const made = this.classOf(node);
      if (typeof made === "object") add(this.#calls, made, node);
    } else if (/^(Optional)?CallExpression$/.test(node.type)) {
      const { callee } = node;
      const called = this.#functionOf(callee);
      if (called) add(this.#calls, called, node);
      else if (callee.property) add(this.#methodCalls, propertyName(callee.property), node);
    }
  }

  /** The function that an expression names, if it is one of the tree. */
  #functionOf(callee: Node): Node | undefined {
    if (callee.type !== "Identifier") return undefined;
    const binding = this.#trees.resolve(callee);
    if (binding?.kind === "function") return binding.node;
    if (binding?.kind !== "value" || binding.path.length > 0) return undefined;
    return isFunction(binding.node) ? binding.node : undefined;
  }

  /** Records the texts of literals, and returns the steps to what is put into them. */
  #read({ node, place, calls }: Step, found: Piece[]): Step[] {
    const next: Step[] = [];
    for (const parts of alternatives(node).map(withoutFrame)) {
      const text = parts.map((part) => (typeof part === "string" ? part : `{${nameOf(part.hole)}}`)).join("");
      if (parts.some((part) => typeof part === "string" && part.trim() !== "")) found.push({ text, place, node });
      for (const [index, part] of parts.entries()) {
        if (typeof part === "string") continue;
        next.push({ node: part.hole, path: [], place: placeOf(place, index, parts.length), calls });
      }
    }
    return next;
  }

  /** The steps to where the value of an expression that is no text comes from. */
  #behind(step: Step): Step[] {
    const { node, path, calls } = step;
    const to = (target: Node, way: readonly string[] = path, through = calls): Step[] =>
      target ? [{ ...step, node: target, path: way, calls: through }] : [];
    if (WRAPPERS.test(node?.type)) return to(node.expression ?? node.argument);
    switch (node?.type) {
      case "ConditionalExpression":
        return [...to(node.consequent), ...to(node.alternate)];
      case "LogicalExpression":
        return [...(node.operator === "&&" ? [] : to(node.left)), ...to(node.right)];
      case "ObjectExpression":
        return node.properties.flatMap((each: Node) => {
          if (each.type === "SpreadElement") return to(each.argument);
          const name = each.key.name ?? String(each.key.value);
          if (path[0] !== name && path[0] !== "*") return [];
          return each.type === "ObjectProperty" ? to(each.value, path.slice(1)) : [];
        });
      case "ArrayExpression":
        return node.elements.flatMap((each: Node, index: number) => {
          if (each?.type === "SpreadElement") return to(each.argument);
          return path[0] === "*" || path[0] === String(index) ? to(each, path.slice(1)) : [];
        });
      case "MemberExpression":
      case "OptionalMemberExpression": {
        const name = node.computed ? (node.property.value ?? "*") : node.property.name;
        return to(node.object, [String(name), ...path]);
      }
      case "Identifier":
        return this.#fromName(step);
      case "CallExpression":
      case "OptionalCallExpression":
        return this.#fromCall(step);
      default:
        return [];
    }
  }

  #fromName(step: Step): Step[] {
    const binding = this.#trees.resolve(step.node);
    if (!binding || binding.kind === "class" || binding.kind === "function") return [];
    const path = [...binding.path, ...step.path];
    if (binding.kind === "value") return [{ ...step, node: binding.node, path }];
    const { index } = binding;
    const owner = this.#ownerOf(binding.node);
    const last = step.calls.at(-1);
    if (last && this.#calls.get(owner)?.includes(last)) {
      return argument(last, index).map((node) => ({ ...step, node, path, calls: step.calls.slice(0, -1) }));
    }
    const callers = this.#calls.get(owner) ?? this.#callsOfMethod(methodName(binding.node, this.#trees));
    return callers.flatMap((call) => argument(call, index).map((node) => ({ ...step, node, path, calls: [] })));
  }

  /** Calls of a method by its name alone; none of a name that many objects share. */
  #callsOfMethod(name: string): Node[] {
    const calls = this.#methodCalls.get(name) ?? [];
    const isOnlyOne = this.#methods.get(name) === 1;
    return COMMON_METHODS.includes(name) || (calls.length > MAX_METHOD_CALLS && !isOnlyOne) ? [] : calls;
  }

  /** A constructor's calls are those of its class. */
  #ownerOf(called: Node): Node {
    return called.type === "ClassMethod" && called.kind === "constructor" ? this.#enclosingClass(called) : called;
  }

  #fromCall(step: Step): Step[] {
    const { node, path, calls } = step;
    const { callee } = node;
    const method: string = callee.property?.name ?? "";
    const called = this.#functionOf(callee);
    if (called) {
      if (calls.length >= MAX_CALLS || calls.includes(node)) return [];
      return results(called).map((result) => ({ ...step, node: result, calls: [...calls, node] }));
    }
    if (method === "join" && path.length === 0) return [{ ...step, node: callee.object, path: ["*"], place: "middle" }];
    if (SAME_TEXT.includes(method) && path.length === 0) return [{ ...step, node: callee.object }];
    if (SAME_ITEMS.includes(method)) return [{ ...step, node: callee.object }];
    if (method === "find" || method === "at") return [{ ...step, node: callee.object, path: ["*", ...path] }];
    if ((method === "map" || method === "flatMap") && isFunction(node.arguments[0])) {
      const rest = method === "map" ? path.slice(1) : path;
      return results(node.arguments[0]).map((result) => ({ ...step, node: result, path: rest }));
    }
    return [];
  }
}

function add(map: Map<Node, Node[]>, key: Node, value: Node): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function isFunction(node: Node): boolean {
  return /Function|^(Object|Class)Method$/.test(node?.type ?? "");
}

function isText(node: Node): boolean {
  return (
    node?.type === "StringLiteral" ||
    node?.type === "TemplateLiteral" ||
    (node?.type === "BinaryExpression" && node.operator === "+")
  );
}

/** The argument at a position of a call; none after a spread. */
function argument(call: Node, index: number): Node[] {
  const before: Node[] = call.arguments.slice(0, index + 1);
  return before.length > index && before.every(({ type }) => type !== "SpreadElement") ? [before[index]] : [];
}

/** What a function returns or yields, inner functions excepted. */
function results(called: Node): Node[] {
  if (called.body.type !== "BlockStatement") return [called.body];
  const found: Node[] = [];
  const visit = (node: Node): void => {
    if (typeof node?.type !== "string" || (node !== called && isFunction(node))) return;
    if (node.type === "ReturnStatement" && node.argument) found.push(node.argument);
    for (const child of childrenOf(node)) visit(child);
  };
  visit(called);
  return found;
}

/** The name by which a method or a function in an object is called. */
function methodName(called: Node, trees: SyntaxTrees): string {
  const holder = called.key ? called : trees.parent(called);
  return /^(ObjectProperty|ObjectMethod|ClassMethod|ClassPrivateMethod)$/.test(holder?.type)
    ? propertyName(holder.key)
    : "";
}

function propertyName(property: Node): string {
  return property.type === "PrivateName" ? `#${property.id.name}` : (property.name ?? "");
}

/** A text that an expression can be, with the outcome of each named condition on the way to it. */
interface Alternative {
  readonly parts: readonly Part[];
  readonly chosen: Readonly<Record<string, boolean>>;
}

/** The texts that a literal, a template or a sum can be: one for each way through the conditions in it. */
function alternatives(node: Node): Part[][] {
  return waysThrough(node).map(({ parts }) => [...parts]);
}

function waysThrough(node: Node): Alternative[] {
  if (node.type === "StringLiteral") return [fixed(node.value)];
  if (node.type === "BinaryExpression" && node.operator === "+") {
    return product(waysThrough(node.left), waysThrough(node.right));
  }
  if (node.type === "ConditionalExpression") {
    const { test, consequent, alternate } = node;
    const under = (outcome: boolean): Alternative[] => [
      { parts: [], chosen: test.type === "Identifier" ? { [test.name]: outcome } : {} },
    ];
    return [...product(under(true), waysThrough(consequent)), ...product(under(false), waysThrough(alternate))];
  }
  if (node.type === "TemplateLiteral") {
    let all: Alternative[] = [fixed("")];
    for (const [index, quasi] of node.quasis.entries()) {
      all = product(all, [fixed(quasi.value.cooked)]);
      if (index < node.expressions.length) all = product(all, waysThrough(node.expressions[index]));
    }
    return all;
  }
  return [fixed({ hole: node })];
}

function fixed(part: Part): Alternative {
  return { parts: [part], chosen: {} };
}

/** Combines two parts of a text, except ways on which one condition would be true and false. */
function product(left: readonly Alternative[], right: readonly Alternative[]): Alternative[] {
  const isPossible = (head: Alternative, tail: Alternative) =>
    Object.entries(tail.chosen).every(([name, outcome]) => (head.chosen[name] ?? outcome) === outcome);
  return left
    .flatMap((head) =>
      right
        .filter((tail) => isPossible(head, tail))
        .map((tail) => ({
          parts: [...head.parts, ...tail.parts].filter((part) => part !== ""),
          chosen: { ...head.chosen, ...tail.chosen },
        })),
    )
    .slice(0, MAX_ALTERNATIVES);
}

/** What is printed before and after a message is no part of it: `WARNING: `, a final line feed. */
function withoutFrame(parts: readonly Part[]): Part[] {
  return parts
    .map((part, index) => {
      if (typeof part !== "string") return part;
      const start = index === 0 ? part.replace(/^(WARNING|Error|hint|note|Note): /, "") : part;
      return index === parts.length - 1 ? start.replace(/\n+$/, "") : start;
    })
    .filter((part) => part !== "");
}

function placeOf(place: Place, index: number, count: number): Place {
  if (count === 1) return place;
  if (index === 0) return place === "whole" || place === "start" ? "start" : "middle";
  return index === count - 1 && (place === "whole" || place === "end") ? "end" : "middle";
}

/** A word for what is put into a text. */
function nameOf(node: Node): string {
  if (node.type === "Identifier") return node.name;
  if (/MemberExpression$/.test(node.type)) {
    return node.computed ? nameOf(node.object) : propertyName(node.property).replace("#", "");
  }
  if (/CallExpression$/.test(node.type)) {
    const [first] = node.arguments;
    if (node.callee.type === "Identifier" && first && !isFunction(first)) return nameOf(first);
    return /MemberExpression$/.test(node.callee.type) ? nameOf(node.callee.object) : nameOf(node.callee);
  }
  if (WRAPPERS.test(node.type)) return nameOf(node.expression ?? node.argument);
  if (node.type === "LogicalExpression") return nameOf(node.left);
  return "…";
}
