import { TsignError } from "../errors.ts";
import { isObject } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import { readDocument, requireKind } from "./review.ts";
import { answersFor, type Reviewing } from "./webhook.ts";
import type { Answer } from "./words.ts";

const API_VERSION = "externaldata.gatekeeper.sh/v1beta1";
/** Most different keys in a request, and characters in a key. */
const [MAX_KEYS, MAX_KEY] = [500, 4096];

/** An item of a response: a value, or an error. */
type Item = { readonly key: string } & ({ readonly value: string } | { readonly error: string });

/** A ProviderResponse of OPA Gatekeeper's external data (externaldata.gatekeeper.sh/v1beta1). */
export interface ProviderResponse {
  readonly apiVersion: string;
  readonly kind: "ProviderResponse";
  readonly response: { readonly idempotent: true; readonly items: readonly Item[]; readonly systemError: string };
}

/**
 * Reads the keys of a ProviderRequest.
 *
 * @throws TsignError "input"
 */
export function readKeys(bytes: Uint8Array): string[] {
  const document = readDocument(bytes, "provider request");
  requireKind(document, { apiVersion: API_VERSION, kind: "ProviderRequest" });
  const { request } = document;
  const keys = isObject(request) ? request["keys"] : undefined;
  if (!Array.isArray(keys)) throw invalid("missing request.keys");
  if (keys.length > MAX_KEYS) throw invalid(`${keys.length} keys, more than ${MAX_KEYS}`);
  return keys.map((key, index) => {
    if (typeof key !== "string" || key === "") throw invalid(`key ${index + 1} is not a string`);
    if (key.length > MAX_KEY) throw invalid(`key ${index + 1} has more than ${MAX_KEY} characters`);
    return key;
  });
}

/**
 * Answers a request: for each key, as it was sent, the image by its digest (`repository@digest`) if the policy accepts it, else an
 * error. An image that is not decided in time has an error too.
 */
export async function provide(
  io: Pick<Io, "now" | "sleep">,
  keys: readonly string[],
  { policies, ...how }: Pick<Reviewing, "decider" | "within" | "mask" | "policies">,
): Promise<{ response: ProviderResponse; answers: readonly Answer[] }> {
  const names = [...new Set(keys)];
  const answers = await answersFor(io, names, { ...how, others: policies?.for("") ?? [], needsDigest: true });
  const items = answers.map(({ image: key, allowed, pinned, text }): Item => {
    if (allowed && pinned !== undefined) return { key, value: pinned };
    return {
      key,
      error: text === "" ? `image "${printable(key)}" could not be checked: its digest is not known` : text,
    };
  });
  return { response: providerResponse(items, ""), answers };
}

/** @param systemError why the whole request failed; "" if it did not */
export function providerResponse(items: readonly Item[], systemError: string): ProviderResponse {
  return { apiVersion: API_VERSION, kind: "ProviderResponse", response: { idempotent: true, items, systemError } };
}

function invalid(reason: string): TsignError {
  return new TsignError("input", `read provider request: ${reason}`);
}
