import { shape } from "./parser/shape.ts";

/** What a command stored in a registry: a signature, an image, a bundle. */
interface Stored {
  readonly kind: string;
  /** `registry/repository@sha256:…` */
  readonly where: string;
  /** Indices of the log entries. */
  readonly logEntries: readonly string[];
}

/** What became of an image of a batch. */
interface ImageEffect {
  /** `registry/repository@sha256:…` */
  readonly image: string;
  readonly state: string;
}

/** What a signing would make, with --dry-run. */
export interface PlannedSignature {
  /** `registry/repository@sha256:…`, or a file. */
  readonly subject: string;
  /** What would be signed: a statement with its type, a payload, a file. */
  readonly contents: readonly string[];
  readonly signer: string;
  /** Places in registries. */
  readonly stored: readonly string[];
  /** What would be removed from registries. */
  readonly removed: readonly string[];
  /** Paths; `-` is stdout. */
  readonly files: readonly string[];
  readonly services: readonly {
    readonly role: "certificate authority" | "transparency log" | "timestamp authority";
    readonly host: string;
    readonly gets: string;
    /** What becomes public; "" for nothing. */
    readonly public: string;
  }[];
}

/** What a command has done so far. */
interface Effects {
  readonly images: ImageEffect[];
  readonly stored: Stored[];
  readonly removed: string[];
  readonly files: string[];
  readonly planned: PlannedSignature[];
}

/** Commands know nothing of --json here: what prints, stores or writes records it under the signal of the command. */
const known = new WeakMap<AbortSignal, Effects>();

function effectsOf({ signal }: { signal: AbortSignal }): Effects {
  const effects = known.get(signal) ?? { images: [], stored: [], removed: [], files: [], planned: [] };
  known.set(signal, effects);
  return effects;
}

/** Records what became of an image, for --json. */
export function recordImage(io: { signal: AbortSignal }, image: ImageEffect): void {
  effectsOf(io).images.push(image);
}

/** Records what was stored, for --json. */
export function recordStored(io: { signal: AbortSignal }, stored: Stored): void {
  effectsOf(io).stored.push(stored);
}

/** Records what was removed, for --json. @param where a reference or a file */
export function recordRemoved(io: { signal: AbortSignal }, where: string): void {
  effectsOf(io).removed.push(where);
}

/** Records a file that was written, for --json. */
export function recordFile(io: { signal: AbortSignal }, path: string): void {
  effectsOf(io).files.push(path);
}

/** Records what a signing would make, for --json. */
export function recordPlanned(io: { signal: AbortSignal }, planned: PlannedSignature): void {
  effectsOf(io).planned.push(planned);
}

/** The result of a command that defines none of its own. */
export const EFFECTS = shape.object(
  {
    stored: shape.list(
      shape.object({
        kind: shape.text("such as signature, attestation, image"),
        where: shape.text("registry/repository@digest, or registry/repository:tag"),
        logEntries: shape.list(shape.text("index in a transparency log")),
      }),
      "what was stored in registries, in order",
    ),
    removed: shape.list(shape.text(), "what was removed from registries and files, in order"),
    files: shape.list(shape.text(), "files and folders that were written, in order"),
  },
  {
    images: shape.list(
      shape.object({
        image: shape.text("registry/repository@digest"),
        state: shape.text(
          "signed, attested, copied or saved; to be signed or to be attested (--dry-run); already signed or attested, failed or not begun",
        ),
      }),
      "what became of each image, in order; absent for commands that do not sign, copy or save images",
    ),
    planned: shape.list(
      shape.object({
        subject: shape.text("registry/repository@digest, or a file"),
        contents: shape.list(shape.text(), "what would be signed"),
        signer: shape.text("the key or the identity"),
        stored: shape.list(shape.text(), "places in registries"),
        removed: shape.list(shape.text(), "what would be removed from registries"),
        files: shape.list(shape.text(), "files that would be written; - is stdout"),
        services: shape.list(
          shape.object({
            role: shape.choice(["certificate authority", "transparency log", "timestamp authority"]),
            host: shape.text(),
            gets: shape.text("what is sent to it"),
            public: shape.text("what becomes public; empty for nothing"),
          }),
        ),
      }),
      "what would be signed; only with --dry-run",
    ),
    output: shape.text("what the command prints on stdout without --json; absent if that is nothing"),
    encoding: shape.choice(["base64"], "encoding of output; absent for UTF-8 text"),
  },
);

/**
 * What a command did until now, also if it failed afterwards.
 *
 * @param printed what it would have printed on stdout
 */
export function effects(io: { signal: AbortSignal }, printed: Uint8Array) {
  const { images, stored, removed, files, planned } = effectsOf(io);
  return {
    ...{ stored, removed, files },
    ...(images.length > 0 ? { images } : {}),
    ...(planned.length > 0 ? { planned } : {}),
    ...outputOf(printed),
  };
}

/** Text, or base64 for what is not UTF-8; nothing for nothing. */
export function outputOf(printed: Uint8Array): { output?: string; encoding?: "base64" } {
  if (printed.length === 0) return {};
  const bytes = Buffer.from(printed);
  const text = bytes.toString("utf8");
  return Buffer.compare(Buffer.from(text), bytes) === 0
    ? { output: text }
    : { output: bytes.toString("base64"), encoding: "base64" };
}
