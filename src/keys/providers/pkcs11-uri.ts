import { TsignError } from "../../errors.ts";

/** What a `pkcs11:` URI names (RFC 7512, and cosign's `slot-id`). */
export interface Pkcs11Uri {
  /** One of slot and token; the slot counts when both are there. */
  readonly slot: number | undefined;
  readonly token: string;
  /** One of id and label; the id counts when both are there. */
  readonly id: Uint8Array | undefined;
  readonly label: string;
  readonly modulePath: string;
  /** "" when the URI has none. */
  readonly pin: string;
}

/** A key reference that may be shown: without the PIN it can hold. */
export function withoutPin(reference: string): string {
  return reference.replace(/(pin-value=)[^&;]*/gi, "$1***");
}

/** @throws TsignError "input", which never shows the PIN */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  const [path = "", query = ""] = uri.slice("pkcs11:".length).split(/\?(.*)/s);
  const attributes = readAttributes(path);
  const settings = readAttributes(query);
  const text = (from: Map<string, Uint8Array>, name: string) => Buffer.from(from.get(name) ?? []).toString("utf8");
  const slot = text(attributes, "slot-id");
  const token = text(attributes, "token");
  const id = attributes.get("id");
  const label = text(attributes, "object");
  const wrong = (what: string) =>
    new TsignError("input", `${withoutPin(uri)}: ${what}`, {
      hint: "write pkcs11:token=LABEL;object=LABEL?module-path=/path/of/module.so, or slot-id=N and id=%01",
    });
  if (slot === "" && token === "") throw wrong("one of token and slot-id must be there");
  if (!/^\d{0,15}$/.test(slot)) throw wrong(`slot-id is not a number: ${slot}`);
  if (!id?.length && label === "") throw wrong("one of object and id must be there");
  return {
    slot: slot === "" ? undefined : Number(slot),
    token,
    id: id?.length ? id : undefined,
    label,
    modulePath: text(settings, "module-path"),
    pin: text(settings, "pin-value"),
  };
}

/** Attributes with their percent-encoding undone, as bytes: an id need not be text. The first of a name counts. */
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
