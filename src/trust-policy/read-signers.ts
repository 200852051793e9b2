import { didYouMean } from "../format/nearest.ts";
import { EXTENSION_NAMES, extensionOid } from "./extensions.ts";
import { at, type Fault, type Refuse } from "./faults.ts";
import type { Signer, TextPattern } from "./model.ts";
import { compilePattern } from "./patterns.ts";
import type { SignerText } from "./schema.ts";

/**
 * Reads a signer.
 *
 * @throws TsignError "input"
 */
export async function readSigner(
  text: SignerText,
  context: { name: string; trust: ReadonlyMap<string, unknown>; refuse: Refuse },
): Promise<Signer> {
  const { name, trust, refuse } = context;
  const place = ["signers", name];
  const { key, identity, issuer } = text;
  if (key !== undefined && (identity !== undefined || issuer !== undefined || text.extensions !== undefined)) {
    refuse(place, "key cannot be used with identity, issuer and extensions", "write two signers");
  }
  if (text.trust !== undefined)
    requireName(text.trust, { names: trust, path: [...place, "trust"], refuse, kind: "trust" });
  const common = {
    name,
    trust: text.trust,
    until: text.until === undefined ? undefined : readTime(text.until, [...place, "until"], refuse),
  };
  if (key !== undefined) return { ...common, kind: "key", reference: key };
  if (identity === undefined)
    return refuse(place, "missing key or identity", "write key: FILE, or identity: and issuer:");
  if (issuer === undefined) {
    return refuse(place, "missing issuer", "write the OIDC issuer of the identity: issuer: https://issuer.example");
  }
  const extensions = new Map<string, TextPattern>();
  for (const [extension, pattern] of Object.entries(text.extensions ?? {})) {
    const path = [...place, "extensions", extension];
    const oid = extensionOid(extension);
    if (oid === undefined) {
      const hint = didYouMean(extension, EXTENSION_NAMES) ?? `write one of ${EXTENSION_NAMES.join(", ")}`;
      return refuse(path, "unknown extension", hint);
    }
    if (extensions.has(oid)) refuse(path, `duplicate extension ${oid}`, "remove one of them");
    extensions.set(oid, await at(path, refuse, () => compilePattern(pattern)));
  }
  return {
    ...common,
    kind: "identity",
    identity: await at([...place, "identity"], refuse, () => compilePattern(identity)),
    issuer: await at([...place, "issuer"], refuse, () => compilePattern(issuer)),
    extensions,
  };
}

/** Parses a time or a date, whose start in UTC is meant. Refuses days that do not exist. */
export function readTime(text: string, path: Fault["path"], refuse: Refuse): Date {
  const time = new Date(text.includes("T") ? text : `${text}T00:00:00Z`);
  if (Number.isNaN(time.getTime()) || !time.toISOString().startsWith(text.slice(0, 10))) {
    refuse(path, `"${text}" is not a time`, "write a time such as 2026-01-31T12:00:00Z");
  }
  return time;
}

/** Refuses a name that is not defined, and proposes similar ones. */
export function requireName(
  name: string,
  options: { names: ReadonlyMap<string, unknown>; path: Fault["path"]; refuse: Refuse; kind: string },
): void {
  const { names, path, refuse, kind } = options;
  if (names.has(name)) return;
  const known = [...names.keys()];
  refuse(
    path,
    `no ${kind} "${name}" is defined`,
    didYouMean(name, known) ?? `define it under ${kind === "trust" ? "trust" : "signers"}:`,
  );
}
