import type { ASN1Obj } from "@sigstore/core";

const TYPES: Readonly<Record<string, string>> = {
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.3": "CN",
  "2.5.4.11": "OU",
  "2.5.4.10": "O",
  "2.5.4.17": "POSTALCODE",
  "2.5.4.9": "STREET",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.6": "C",
};
/** Types of which a name has one value; the last counts. */
const SINGLE = new Set(["SERIALNUMBER", "CN"]);
const STRING_TAGS = new Set([0x0c, 0x13, 0x14, 0x16]); // UTF8String, PrintableString, T61String, IA5String

interface Attribute {
  readonly oid: string;
  readonly value: ASN1Obj;
}

/** A distinguished name (RFC 5280 §4.1.2.4). */
export class Name {
  readonly #attributes: readonly Attribute[];

  constructor(sequence: ASN1Obj | undefined) {
    this.#attributes = (sequence?.subs ?? []).flatMap((set) =>
      set.subs.flatMap(({ subs: [type, value] }) => (type && value ? [{ oid: type.toOID(), value }] : [])),
    );
  }

  /** Values of a type, in order: `CN`, `O`. */
  values(type: string): string[] {
    return this.#attributes
      .filter(({ oid }) => TYPES[oid] === type)
      .map(({ value }) => Buffer.from(value.value).toString("utf8"));
  }

  /** As Go prints it: RFC 2253 in a fixed order of types, unknown ones by OID with their DER in hex, last. */
  toString(): string {
    const known = Object.values(TYPES).flatMap((type) => {
      const values = SINGLE.has(type) ? this.values(type).slice(-1) : this.values(type);
      return values.length > 0 ? [values.map((value) => `${type}=${escapeValue(value)}`).join("+")] : [];
    });
    const unknown = this.#attributes
      .filter(({ oid }) => TYPES[oid] === undefined)
      .map(({ oid, value }) => `${oid}=#${value.toDER().toString("hex")}`);
    return [...known, ...unknown.toReversed()].join(",");
  }
}

/** Whether a value is text that can be shown. */
export function isText(value: ASN1Obj): boolean {
  return STRING_TAGS.has(value.tag.number) && !value.tag.constructed;
}

function escapeValue(value: string): string {
  return value
    .replace(/[,+"\\<>;]/g, "\\$&")
    .replace(/^[ #]/, "\\$&")
    .replace(/ $/, "\\ ");
}
