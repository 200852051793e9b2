import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../../errors.ts";
import type { EvidenceText, PolicyFile, Requirement, SignerText } from "../schema.ts";
import type { Fields } from "./source.ts";

/**
 * What happened to a part of the other program's policy that has no equal:
 * - refused: the policy refuses what the part would have decided on
 * - stricter: the policy demands more, or of more images
 * - forms: the policy accepts both forms of signatures, of which the other program reads one
 * - file: the policy names a file, which has to be written
 * - unused: it changes no verdict
 */
export type NoteKind = "refused" | "stricter" | "forms" | "file" | "unused";

export interface Note {
  readonly kind: NoteKind;
  /** `file:line:column`. */
  readonly place: string;
  readonly text: string;
}

type TrustText = NonNullable<PolicyFile["trust"]>[string];

/** A policy that is being written: its signers and trusted material by name, and the notes. */
export class Draft {
  readonly signers: Record<string, SignerText> = {};
  readonly trust: Record<string, TrustText> = {};
  readonly digests: { digest: string; reason: string }[] = [];
  readonly notes: Note[] = [];

  note(kind: NoteKind, place: string, text: string): void {
    if (this.notes.some((note) => note.kind === kind && note.place === place && note.text === text)) return;
    this.notes.push({ kind, place, text });
  }

  /** The name of a signer: the proposed one, or that of the same signer, or the proposed one with a number. */
  signer(proposed: string, text: SignerText): string {
    return nameFor(proposed, text, this.signers, "signer");
  }

  /** The name of a signer that is verified with trusted material; without any, the signer's own name. */
  withTrust(signer: string, trust: string | undefined): string {
    return trust === undefined ? signer : this.signer(signer, { ...this.signers[signer], trust });
  }

  /** The name of trusted material. */
  trusted(proposed: string, text: TrustText): string {
    return nameFor(proposed, text, this.trust, "trust");
  }

  /** Names the fields that nothing has read. Whether there are any. */
  unknown(fields: Fields, what: string): boolean {
    const rest = fields.rest();
    for (const name of rest) this.note("refused", fields.place(name), `${name} has no equal: ${what}`);
    return rest.length > 0;
  }

  /** Names fields that are present and have no part in a verdict. */
  unused(fields: Fields, ...names: string[]): void {
    this.#named(fields, names, "unused", "changes no verdict");
  }

  /** Names fields that restrict what the other policy decides on; here it decides on all. */
  broader(fields: Fields, ...names: string[]): void {
    this.#named(fields, names, "stricter", "has no equal: the rule decides on images wherever they are used");
  }

  #named(fields: Fields, names: readonly string[], kind: NoteKind, text: string): void {
    const rest = new Set(fields.rest());
    for (const name of names) {
      if (!rest.has(name)) continue;
      this.note(kind, fields.place(name), `${name} ${text}`);
      fields.read(name);
    }
  }
}

function nameFor<T>(proposed: string, text: T, known: Record<string, T>, word: string): string {
  const cleaned = proposed.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|-+$/g, "");
  const base = cleaned.slice(0, 58) || word;
  for (let number = 1; number < 10_000; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!Object.hasOwn(known, name)) known[name] = text;
    if (isDeepStrictEqual(known[name], text)) return name;
  }
  throw new TsignError("limit", `import: more than 10000 entries named ${base}`);
}

/** Who must have signed, and with what evidence: one key or certificate of the other policy, or several of them. */
export interface Member {
  readonly signers: Requirement;
  readonly log: "required" | "insecure-skip";
  readonly timestamp: "required" | "optional";
  readonly form: "any" | "bundle" | "legacy";
}

/** `{any: […]}`, or the one member. */
export function anyOf(names: readonly Requirement[]): Requirement {
  const [first] = names;
  return names.length === 1 && first !== undefined ? first : { any: names };
}

/** `{all: […]}`, or the one member. */
export function allOf(names: readonly Requirement[]): Requirement {
  const [first] = names;
  return names.length === 1 && first !== undefined ? first : { all: names };
}

/** `n` of the members. */
export function countOf(count: number, names: readonly Requirement[]): Requirement {
  if (count <= 1) return anyOf(names);
  return count === names.length ? allOf(names) : { atLeast: count, of: names };
}

/**
 * One demand for several members: the strictest evidence of any of them, which is named if they differ.
 *
 * @param build makes the requirement of those of the members
 */
export function merge(
  members: readonly Member[],
  context: { draft: Draft; place: string; build: (signers: readonly Requirement[]) => Requirement },
): Member {
  const { draft, place, build } = context;
  const strictest = <K extends keyof Member>(field: K, strict: Member[K]): Member[K] => {
    const values = new Set(members.map((each) => each[field]));
    if (values.size > 1) draft.note("stricter", place, `${field} differs between signers: ${strict} for all`);
    return values.size > 1 || values.has(strict) ? strict : (members[0]?.[field] ?? strict);
  };
  return {
    signers: build(
      members
        .map(({ signers }) => signers)
        .filter((each, index, all) => all.findIndex((other) => isDeepStrictEqual(other, each)) === index),
    ),
    log: strictest("log", "required"),
    timestamp: strictest("timestamp", "required"),
    form: strictest("form", "bundle"),
  };
}

/** A demand as it is written, without what is the default. */
export function evidenceOf({ signers, log, timestamp, form }: Member): EvidenceText {
  return {
    signers,
    ...(log === "insecure-skip" ? { log } : {}),
    ...(timestamp === "required" ? { timestamp } : {}),
    ...(form === "any" ? {} : { form }),
  };
}

const PEM = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;

/** The PEM blocks of a text, each with a final line feed. */
export function pemBlocks(text: string): string[] {
  return (text.match(PEM) ?? []).map((block) => `${block.replace(/^[ \t]+/gm, "").replace(/\r/g, "")}\n`);
}

/** A pattern that matches whole texts in which a regular expression matches anywhere, as Go's MatchString does. */
export function anywhere(regexp: string): { regexp: string } {
  const whole = /^\^\(\?:([^()[\]\\]*)\)\$$/.exec(regexp)?.[1];
  if (whole !== undefined) return { regexp: whole };
  const isSimple = !/[|]|\(\?/.test(regexp);
  const startsAt = isSimple && regexp.startsWith("^");
  const ends = isSimple && /(?:^|[^\\])(?:\\\\)*\$$/.test(regexp);
  const middle = regexp.slice(startsAt ? 1 : 0, ends ? -1 : undefined);
  if (startsAt && ends) return { regexp: middle === "" ? "()" : middle };
  return { regexp: `${startsAt ? "" : "(?s:.*)"}(?:${middle})${ends ? "" : "(?s:.*)"}` };
}

/** A pattern for a text with `*` for any characters and `?` for one. */
export function wildcard(text: string): string | { glob: string } | { regexp: string } {
  if (!/[*?]/.test(text)) return text;
  if (!text.includes("?")) return { glob: text.replace(/\*+/g, "**") };
  const regexp = text.replace(/\*+|[?\\^$.|+()[\]{}]/g, (part) => {
    if (part === "?") return "(?s:.)";
    return part.startsWith("*") ? "(?s:.*)" : `\\${part}`;
  });
  return { regexp };
}
