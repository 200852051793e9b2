import type { ParseResult } from "@babel/parser";
import type { Node } from "./syntax.ts";

/** The names declared by a block, function or loop, and the enclosing blocks. */
interface Scope {
  readonly names: ReadonlySet<string>;
  readonly outer: Scope | undefined;
}

/** TypeScript syntax that remains at run time. */
const WRAPPERS = ["TSAsExpression", "TSSatisfiesExpression", "TSNonNullExpression", "TSTypeAssertion"];
const TYPES = ["typeAnnotation", "typeParameters", "typeArguments", "returnType", "implements", "superTypeArguments"];
const OPENS_A_SCOPE =
  /^(Program|BlockStatement|StaticBlock|SwitchStatement|CatchClause|For\w*Statement|Class(Declaration|Expression)|Function\w+|ArrowFunctionExpression|ObjectMethod|Class(Private)?Method)$/;

/**
 * Returns the globals that a file uses, without duplicates, with the form of the use: `Buffer.from`, `Buffer[…]`,
 * `new Date()` without and `new Date(…)` with arguments, `Date()` called, `instanceof Date`, `import.meta`, or the name alone.
 */
export function globalUses(tree: ParseResult): string[] {
  const uses = new Set<string>();
  visit(tree.program, undefined, uses);
  return [...uses].sort();
}

function visit(node: Node, scope: Scope | undefined, uses: Set<string>): void {
  if (Array.isArray(node)) for (const each of node) visit(each, scope, uses);
  if (typeof node?.type !== "string" || isTypeOnly(node)) return;
  const inner = OPENS_A_SCOPE.test(node.type) ? { names: declaredIn(node), outer: scope } : scope;
  const form = formOf(node, inner);
  if (form) uses.add(form.text);
  for (const [key, child] of Object.entries<Node>(node)) {
    if (typeof child !== "object" || key === "loc" || key.endsWith("Comments")) continue;
    if (!TYPES.includes(key) && key !== form?.seen && !isName(node, key)) visit(child, inner, uses);
  }
}

function isTypeOnly(node: Node): boolean {
  if (node.type.startsWith("TS")) return !WRAPPERS.includes(node.type);
  return (
    node.type === "ImportDeclaration" ||
    node.type === "PrivateName" ||
    node.declare === true ||
    node.exportKind === "type"
  );
}

/** Returns how a node uses a global, and the child that this covers. */
function formOf(node: Node, scope: Scope | undefined): { text: string; seen?: string } | undefined {
  const isGlobal = (child: Node) => child?.type === "Identifier" && !isDeclared(child.name, scope);
  const given = (node.arguments ?? []).some((each: Node) => each.type !== "SpreadElement") ? "(…)" : "()";
  switch (node.type) {
    case "Identifier":
      return isGlobal(node) ? { text: node.name } : undefined;
    case "MetaProperty":
      return { text: `${node.meta.name}.${node.property.name}`, seen: "meta" };
    case "NewExpression":
      return isGlobal(node.callee) ? { text: `new ${node.callee.name}${given}`, seen: "callee" } : undefined;
    case "CallExpression":
      return isGlobal(node.callee) ? { text: `${node.callee.name}()`, seen: "callee" } : undefined;
    case "BinaryExpression":
      if (node.operator !== "instanceof" || !isGlobal(node.right)) return undefined;
      return { text: `instanceof ${node.right.name}`, seen: "right" };
    case "MemberExpression":
    case "OptionalMemberExpression": {
      if (!isGlobal(node.object)) return undefined;
      const name = node.computed ? node.property.value : node.property.name;
      return { text: `${node.object.name}${name === undefined ? "[…]" : `.${name}`}`, seen: "object" };
    }
    default:
      return undefined;
  }
}

/** Reports whether a child is a declared name and not a reference. */
function isName(node: Node, key: string): boolean {
  if (key === "key" || key === "property") return node.computed !== true;
  return (
    key === "label" || key === "meta" || (key === "exported" && node.type === "ExportSpecifier") || node.source != null
  );
}

function isDeclared(name: string, scope: Scope | undefined): boolean {
  return scope !== undefined && (scope.names.has(name) || isDeclared(name, scope.outer));
}

function declaredIn(node: Node): Set<string> {
  const names = new Set<string>();
  if (node.id && node.type.endsWith("Expression")) names.add(node.id.name);
  if (node.params) names.add("arguments");
  for (const pattern of [...(node.params ?? []), node.type === "CatchClause" ? node.param : undefined]) {
    addNames(pattern, names);
  }
  const body = Array.isArray(node.body) ? node.body : [];
  const cases = (node.cases ?? []).flatMap((each: Node) => each.consequent);
  for (const statement of [...body, ...cases, node.init, node.left]) addDeclared(statement, names);
  return names;
}

function addDeclared(statement: Node, names: Set<string>): void {
  const node = statement?.declaration?.type ? statement.declaration : statement;
  if (node === undefined || node === null || node.declare === true) return;
  if (node.type === "ImportDeclaration") for (const { local } of node.specifiers) names.add(local.name);
  if (node.type === "VariableDeclaration") for (const { id } of node.declarations) addNames(id, names);
  if (/^(Function|Class)Declaration$|^TSDeclareFunction$/.test(node.type) && node.id) names.add(node.id.name);
}

/** Returns the names that a pattern binds: `{ a, b: [c = 1], ...d }`. */
function addNames(pattern: Node, names: Set<string>): void {
  switch (pattern?.type) {
    case "Identifier":
      names.add(pattern.name);
      return;
    case "ObjectPattern":
      for (const each of pattern.properties) addNames(each.value ?? each, names);
      return;
    case "ArrayPattern":
      for (const each of pattern.elements) addNames(each, names);
      return;
    case "AssignmentPattern":
      addNames(pattern.left, names);
      return;
    case "RestElement":
      addNames(pattern.argument, names);
      return;
    case "TSParameterProperty":
      addNames(pattern.parameter, names);
  }
}
