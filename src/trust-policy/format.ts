import { isDeepStrictEqual } from "node:util";
import { Document, isScalar, type Node, type Pair, parseDocument, visit } from "yaml";
import { TsignError } from "../errors.ts";
import { isAmbiguous, readPolicyDocument } from "./document.ts";

/** The order of fields. Those of one place are in this order; names that the author chose stay in theirs. */
const ORDER = [
  ...[
    "version",
    "name",
    "type",
    "unmatched",
    "mirrors",
    "trust",
    "signers",
    "groups",
    "builders",
    "denied",
    "rules",
    "tests",
  ],
  ...["key", "identity", "issuer", "extensions", "until"],
  ...["trustedRoot", "authorities", "intermediates", "timestampAuthority", "insecureIgnoreSct"],
  ...[
    "images",
    "files",
    "image",
    "file",
    "effect",
    "digest",
    "insecureAcceptAnything",
    "refuse",
    "signatures",
    "attestations",
  ],
  ...["log", "logs", "timestamp", "form", "maxAge", "slsa", "vulnerabilities", "vsa", "policy"],
  ...["keys", "identities", "digests", "logEntries", "bundles", "layout", "at", "expect", "rule", "reason"],
];
/** Fields whose members are named by the author. */
const NAMED = new Set(["trust", "signers", "groups", "extensions"]);

/**
 * Formats a policy: the usual order of fields, two spaces of indentation. Comments stay with what follows them.
 *
 * @param content of a policy that can be read
 * @throws TsignError "input" as readPolicyDocument; "internal" if the result would mean something else
 */
export function formatPolicy(content: Uint8Array, path: string): string {
  const before = readPolicyDocument(content, path).value;
  const document = parseDocument(Buffer.from(content).toString("utf8"), { version: "1.2", strict: true });
  const [error] = document.errors;
  if (error) throw new TsignError("input", `format ${path}: ${error.message.split("\n")[0]}`);
  sortFields(document);
  const text = document.toString(STYLE);
  requireSame(before, text, path);
  return text;
}

/**
 * Writes a policy as YAML.
 *
 * @param value the values of a policy
 * @param comment lines for its top, without `#`
 * @throws TsignError "internal" if the result would mean something else
 */
export function writePolicy(value: unknown, comment: readonly string[]): string {
  const document = new Document(value, { version: "1.2", aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === "string" && isAmbiguous(scalar.value)) scalar.type = "QUOTE_DOUBLE";
    },
  });
  if (comment.length > 0) document.commentBefore = comment.map((line) => ` ${line}`).join("\n");
  const text = document.toString(STYLE);
  requireSame(value, text, "policy");
  return text;
}

const STYLE = { indent: 2, lineWidth: 0, flowCollectionPadding: false } as const;

function requireSame(value: unknown, text: string, path: string): void {
  if (isDeepStrictEqual(readPolicyDocument(text, path).value, value)) return;
  throw new TsignError("internal", `format ${path}: the formatted policy differs`);
}

function sortFields(document: Document): void {
  const rank = ({ key }: Pair) => {
    const at = ORDER.indexOf(isScalar(key) ? String(key.value) : "");
    return at < 0 ? ORDER.length : at;
  };
  visit(document, {
    Map(_, map, ancestors) {
      const parent = ancestors.at(-1) as Pair | Node | undefined;
      const field = parent && "key" in parent && isScalar(parent.key) ? String(parent.key.value) : "";
      if (!isNamed(field, ancestors.length)) map.items.sort((a, b) => rank(a) - rank(b));
    },
  });
}

/** At the top of the file, and for the extensions of a signer. */
function isNamed(field: string, depth: number): boolean {
  return NAMED.has(field) && (depth <= 3 || field === "extensions");
}
