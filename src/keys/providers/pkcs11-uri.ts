import { TsignError } from "../../errors.ts";

/** The attributes of a `pkcs11:` URI (RFC 7512, and cosign's `slot-id`). */
export interface Pkcs11Uri {
  /** The slot; it takes precedence over `token`. At least one of them is set. */
  readonly slot: number | undefined;
  readonly token: string;
  /** The key's id; it takes precedence over `label`. At least one of them is set. */
  readonly id: Uint8Array | undefined;
  readonly label: string;
  readonly modulePath: string;
  /** "" when the URI has none. */
  readonly pin: string;
}

/** Returns a key reference for messages, with the PIN replaced by `***`. */
export function withoutPin(reference: string): string {
  return reference.replace(/(pin-value=)[^&;]*/gi, "$1***");
}

/** Parses a `pkcs11:` URI. @throws TsignError "input", without the PIN */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  const [path = "", query = ""] = uri.slice("pkcs11:".length).split(/\?(.*)/s);
  const attributes = readAttributes(path);
  const settings = readAttributes(query);
  const text = (from: Map<string, Uint8Array>, name: string) => Buffer.from(from.get(name) ?? []).toString("utf8");
  const slot = text(attributes, "slot-id");
  const token = text(attributes, "token");
  const id = attributes.get("id");
  const label = text(attributes, "object");
  const invalid = (reason: string) =>
    new TsignError("input", `${withoutPin(uri)}: ${reason}`, {
      hint: "use pkcs11:token=LABEL;object=LABEL?module-path=/path/to/module.so, or slot-id=N and id=%01",
    });
  if (slot === "" && token === "") throw invalid("missing token or slot-id");
  if (!/^\d{0,15}$/.test(slot)) throw invalid(`slot-id is not a number: ${slot}`);
  if (!id?.length && label === "") throw invalid("missing object or id");
  return {
    slot: slot === "" ? undefined : Number(slot),
    token,
    id: id?.length ? id : undefined,
    label,
    modulePath: text(settings, "module-path"),
    pin: text(settings, "pin-value"),
  };
}

/** Returns the percent-decoded attributes, as bytes because an id may be binary. The first of several with a name is used. */
function readAttributes(text: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const part of text.split(/[;&]/)) {
    const [name = "", value = ""] = part.split(/=(.*)/s);
    if (name !== "" && !found.has(name)) found.set(name, percentDecoded(value));
  }
  return found;
}

function percentDecoded(text: string): Uint8Array {
  const pieces = text
    .split(/(%[0-9a-f]{2})/i)
    .map((piece) =>
      /^%[0-9a-f]{2}$/i.test(piece) ? Buffer.from(piece.slice(1), "hex") : Buffer.from(piece.replaceAll("+", " ")),
    );
  return Buffer.concat(pieces);
}
