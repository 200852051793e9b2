import { anywhere, type Draft, pemBlocks, wildcard } from "./draft.ts";
import type { Fields } from "./source.ts";

/** The fields of an identity, as the other policy names them. */
interface IdentityFields {
  readonly issuer: string;
  readonly issuerRegExp: string;
  readonly subject: string;
  readonly subjectRegExp: string;
}

export const SIGSTORE_FIELDS: IdentityFields = {
  issuer: "issuer",
  issuerRegExp: "issuerRegExp",
  subject: "subject",
  subjectRegExp: "subjectRegExp",
};

/**
 * Adds the signer for an identity.
 *
 * @param options.wild whether exact texts may contain `*` and `?`
 * @returns its name; undefined if the identity names no subject or no issuer, which is noted
 */
export function identitySigner(
  fields: Fields,
  options: {
    draft: Draft;
    trust: string | undefined;
    wild: boolean;
    names: IdentityFields;
    extensions?: Record<string, string>;
  },
): string | undefined {
  const { draft, trust, wild, names, extensions = {} } = options;
  const read = (exact: string, regexp: string) => {
    const [text, pattern] = [fields.text(exact), fields.text(regexp)];
    if (pattern !== undefined) return anywhere(pattern);
    return text === undefined ? undefined : wild ? wildcard(text) : text;
  };
  const identity = read(names.subject, names.subjectRegExp);
  const issuer = read(names.issuer, names.issuerRegExp);
  if (identity === undefined || issuer === undefined) {
    const missing = identity === undefined ? names.subject : names.issuer;
    draft.note("refused", fields.place(), `missing ${missing}: every identity would match, so none does`);
    return undefined;
  }
  const patterns = Object.entries(extensions).map(([name, value]) => [name, wild ? wildcard(value) : value] as const);
  return draft.signer(nameOf(typeof identity === "string" ? identity : "identity"), {
    identity,
    issuer,
    ...(patterns.length > 0 ? { extensions: Object.fromEntries(patterns) } : {}),
    ...(trust === undefined ? {} : { trust }),
  });
}

/** `release` for a workflow `…/release.yml@refs/…`, `dev` for `dev@example.com`. */
function nameOf(identity: string): string {
  const workflow = /\/([^/@]+?)(?:\.ya?ml)?@/.exec(identity)?.[1];
  return workflow ?? identity.replace(/@.*/, "").replace(/^.*\/(?=.)/, "");
}

/** Adds a signer for each key of a PEM text, or for a reference to a key. Returns their names. */
export function keySigners(proposed: string, key: string, draft: Draft): string[] {
  const blocks = pemBlocks(key);
  const keys = blocks.length > 0 ? blocks : [key.trim()];
  return keys.map((each) => draft.signer(proposed, { key: each }));
}

/**
 * The name of trusted material that has to be written into a file; until then verification fails.
 *
 * @param options.what what the file must contain
 */
export function trustFile(
  proposed: string,
  options: { draft: Draft; place: string; what: string; ignoreSct: boolean },
): string {
  const { draft, place, what, ignoreSct } = options;
  const file = `${proposed.replace(/-without-sct$/, "").replace(/[^A-Za-z0-9._-]+/g, "-")}.trusted-root.json`;
  draft.note("file", place, `write the trusted root ${file}: ${what}`);
  return draft.trusted(proposed, { trustedRoot: file, ...(ignoreSct ? { insecureIgnoreSct: true as const } : {}) });
}

/** Trusted material that only skips signed certificate timestamps; undefined if they are checked. */
export function sctTrust(ignoreSct: boolean, draft: Draft): string | undefined {
  return ignoreSct ? draft.trusted("without-sct", { insecureIgnoreSct: true }) : undefined;
}
