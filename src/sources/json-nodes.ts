import { TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import { emptyMapping, type YamlMapping, type YamlNode, type YamlSequence } from "./yaml-parts.ts";

/**
 * The JSON values of a document, each an object or an array: one, or several without a separator, as printed by `kubectl` and
 * `jq`.
 *
 * @returns undefined for what is not JSON; it may be YAML. Offsets count from one character before the document, as with `readYaml`
 * @throws TsignError "input" for JSON that parsers read differently
 */
export function jsonNodes(document: string, path: string): YamlNode[] | undefined {
  if (!/^\s*[{[]/.test(document)) return undefined;
  const nodes: YamlNode[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: token, index } of document.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/gs)) {
    if (token === "{" || token === "[") depth++;
    if ((token !== "}" && token !== "]") || --depth !== 0) continue;
    const value = document.slice(start, index + 1);
    try {
      JSON.parse(value);
    } catch {
      return undefined;
    }
    refuseAmbiguous(value, path);
    nodes.push(nodeOf(value, start + 1));
    start = index + 1;
  }
  return document.slice(start).trim() === "" ? nodes : undefined;
}

function refuseAmbiguous(json: string, path: string): void {
  try {
    parseJson(Buffer.from(json), path);
  } catch (error) {
    if (error instanceof TsignError) throw new TsignError("input", error.message, { cause: error });
    throw error;
  }
}

/**
 * The node of a JSON text that is valid and has no duplicate keys.
 *
 * @param offset that of the text in its document
 */
function nodeOf(json: string, offset: number): YamlNode {
  const open: { node: YamlMapping | YamlSequence; key?: string | undefined }[] = [];
  let root: YamlNode | undefined;
  const put = (value: YamlNode): void => {
    const top = open.at(-1);
    if (top === undefined) root = value;
    else if (top.node.kind === "sequence") top.node.items.push(value);
    else top.node.pairs.set(top.key ?? "", value);
    if (top) top.key = undefined;
  };
  for (const { 0: token, index } of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]|[^\s{}[\]:,"]+/gs)) {
    const at = offset + index;
    const top = open.at(-1);
    if (token === "}" || token === "]") open.pop();
    else if (token === "{" || token === "[") {
      const node: YamlMapping | YamlSequence = token === "{" ? emptyMapping(at) : { kind: "sequence", items: [], at };
      put(node);
      open.push({ node });
    } else if (top?.node.kind === "mapping" && top.key === undefined) top.key = JSON.parse(token);
    else put(scalarOf(token, at));
  }
  return root ?? emptyMapping(offset);
}

function scalarOf(token: string, at: number): YamlNode {
  const value = JSON.parse(token);
  const text = String(value);
  const quote = typeof value === "string" ? 1 : 0;
  return {
    kind: "scalar",
    value: text,
    plain: quote === 0,
    folded: /[\x85\u2028\u2029]/.test(text), // line breaks to a parser that reads JSON as YAML
    at,
    span: [at + quote, at + token.length - quote],
  };
}
