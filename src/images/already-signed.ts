import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { isObject, parseJson } from "../format/json.ts";
import { parseForPrinting } from "../format/signed-json.ts";
import type { Io } from "../io/io.ts";
import type { Policy, TrustMaterial } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import { findStored, type SearchOptions } from "./candidates.ts";
import { isFromBundle } from "./log-lookup.ts";
import type { ImageTarget } from "./open.ts";

/** A signature or an attestation that may exist already. */
export interface WantedSignature {
  readonly form: "bundle" | "legacy";
  /** What would be signed: a statement, or the payload of a legacy signature. */
  readonly content: Uint8Array;
  /** The field of the predicate with the time of this signing, which another run does not repeat; undefined for none. */
  readonly timeField?: "Timestamp" | "timeVerified" | undefined;
}

/** The signing that would be done, in terms of what its result must satisfy. */
export interface SameSigning {
  readonly policy: Omit<Policy, "claims">;
  readonly trust: TrustMaterial;
  /** DER of a certificate of the user that would be stored with the signature. */
  readonly leaf?: Uint8Array | undefined;
}

/**
 * Returns those of the wanted signatures that are not yet stored with an image: none verifies that has the same content and form and
 * satisfies the policy. Signatures that cannot be read or do not verify do not count.
 *
 * @throws TsignError if a place cannot be searched: the signature may be there
 */
export async function missingSignatures(
  io: Pick<Io, "signal">,
  target: Pick<ImageTarget, "attachments" | "digest">,
  { wanted, search, signing }: { wanted: readonly WantedSignature[]; search: SearchOptions; signing: SameSigning },
): Promise<WantedSignature[]> {
  let missing = [...wanted];
  const forms = { legacy: has(wanted, "legacy"), bundle: has(wanted, "bundle") };
  for await (const found of findStored(target, search, forms)) {
    io.signal.throwIfAborted();
    if ("incomplete" in found) throw found.incomplete;
    if (missing.length === 0) break;
    if ("unreadable" in found) continue;
    const same = missing.find((each) => isSame(found, each));
    if (same && (await verifies(found, target, signing))) missing = missing.filter((each) => each !== same);
  }
  return missing;
}

function has(wanted: readonly WantedSignature[], form: WantedSignature["form"]): boolean {
  return wanted.some((each) => each.form === form);
}

/** Whether a candidate has the form and the content of a signature. What signs the same facts may order them in another way. */
function isSame(candidate: Evidence, { form, content: wanted, timeField }: WantedSignature): boolean {
  const { content } = candidate;
  if (content.kind === "blob" || isFromBundle(candidate) !== (form === "bundle")) return false;
  if (Buffer.compare(content.payload, wanted) === 0) return true;
  return isDeepStrictEqual(factsOf(content.payload, timeField), factsOf(wanted, timeField));
}

/**
 * The content as data, with numbers as they are written; bytes that are not JSON as text. A subject without annotations is as one
 * with none.
 */
function factsOf(content: Uint8Array, timeField: WantedSignature["timeField"]): unknown {
  try {
    parseJson(content, "the signed content"); // the stricter of the two
    const value = parseForPrinting(Buffer.from(content).toString("utf8"));
    if (!isObject(value) || !Array.isArray(value["subject"])) return value;
    const subject = value["subject"].map((each) => (isObject(each) ? { annotations: {}, ...each } : each));
    const { predicate } = value;
    const untimed = timeField && isObject(predicate) ? { predicate: { ...predicate, [timeField]: undefined } } : {};
    return { ...value, ...untimed, subject };
  } catch (error) {
    if (error instanceof TsignError) return Buffer.from(content).toString("latin1");
    throw error;
  }
}

async function verifies(
  candidate: Evidence,
  { digest }: Pick<ImageTarget, "digest">,
  { policy, trust, leaf }: SameSigning,
): Promise<boolean> {
  const { key } = candidate;
  const stored = key.kind === "certificate" ? key.leaf : undefined;
  if (leaf && !(stored && Buffer.compare(leaf, stored) === 0)) return false;
  // A certificate of the user is compared here, and its signature is verified with the key, as when it is made.
  const isOwn = policy.signer.kind === "key" && key.kind === "certificate" && leaf !== undefined;
  const verifiable: Evidence = isOwn ? { ...candidate, key: { ...key, binding: false } } : candidate;
  const claims = { annotations: {}, predicateTypes: undefined };
  try {
    return (await verify(verifiable, { kind: "image", digest }, trust, { ...policy, claims })).ok;
  } catch (error) {
    if (error instanceof TsignError) return false;
    throw error;
  }
}
