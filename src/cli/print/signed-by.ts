import { keyIdOfHint } from "../../format/key-id.ts";
import type { Io, LineOptions, Lines, Part } from "../../io/io.ts";
import { keyHint } from "../../keys/index.ts";
import type { Log } from "../../trust/material.ts";
import type { CheckName } from "../../verify/model.ts";
import type { Verified } from "../../verify/verify.ts";
import { type Look, lookOf, mark, plain } from "./style.ts";

/** Who signed, when and in which log, as text for a table. Empty where the signature has no such thing. */
export interface SignatureFacts {
  /** Name of the certificate, or `key` and the key's id. */
  readonly signer: string;
  readonly issuer: string;
  /** `2026-11-30T08:01:02Z`. */
  readonly time: string;
  /** Who recorded the time. */
  readonly timeSource: string;
  readonly logIndex: string;
  /** Host of the log. */
  readonly log: string;
  /** Page that shows the log entry; undefined for logs without one. */
  readonly page: string | undefined;
}

/** The log whose entries have a page that shows them. */
const PUBLIC_LOG = "rekor.sigstore.dev";
/** Hex digits of a key id on a terminal. */
const SHORT_ID = 12;
/** Signatures of one image that are described one by one. */
export const MAX_DESCRIBED = 10;

/**
 * What is known about a verified signature.
 *
 * @param logs the trusted logs, which an entry's log is named from
 */
export function factsOf(
  verified: Verified,
  { logs, look }: { logs: readonly Pick<Log, "id" | "baseUrl">[]; look: Pick<Look, "terminal"> },
): SignatureFacts {
  const { signer, entries, timestamps } = verified;
  const [entry] = entries;
  const id = signer.kind === "key" ? keyIdOfHint(keyHint(signer.key)) : "";
  const times = [
    ...timestamps.map(({ time }) => ({ time, source: "timestamp authority" })),
    ...entries.flatMap(({ integratedTime: time }) => (time ? [{ time, source: "transparency log" }] : [])),
  ];
  const known = entry && logs.find((each) => Buffer.from(each.id).toString("hex") === entry.logId);
  const log = known ? hostOf(known.baseUrl) : (entry?.logId ?? "");
  const index = entry?.logIndex ?? "";
  return {
    signer: signer.kind === "key" ? `key ${look.terminal ? id.slice(0, SHORT_ID) : id}` : signer.name,
    issuer: signer.kind === "certificate" ? (signer.issuer ?? "") : "",
    time: times[0] ? timeText(times[0].time) : "",
    timeSource: [...new Set(times.map(({ source }) => source))].join(" and "),
    logIndex: index,
    log,
    page: log === PUBLIC_LOG && /^[0-9]+$/.test(index) ? `https://search.sigstore.dev/?logIndex=${index}` : undefined,
  };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** `2026-11-30T08:01:02Z`. */
function timeText(time: Date): string {
  return Number.isNaN(time.getTime()) ? "an unknown time" : time.toISOString().replace(/\.\d+Z$/, "Z");
}

/** `signed by NAME (issuer URL) at TIME (recorded by the transparency log), log entry 12 in HOST`. */
export function signedBy({ signer, issuer, time, timeSource, logIndex, log, page }: SignatureFacts): Part[] {
  const parts: Part[] = [{ text: "signed by " }, { text: signer, style: "strong" }];
  if (issuer !== "") parts.push({ text: ` (issuer ${issuer})` });
  if (time !== "") parts.push({ text: ` at ${time} (${timeSource})` });
  if (logIndex !== "") {
    parts.push({ text: ", " }, { text: `log entry ${logIndex}`, ...(page ? { link: page } : {}) });
    if (log !== "") parts.push({ text: ` in ${log}` });
  }
  return parts;
}

const CHECKS: Readonly<Record<CheckName, string>> = {
  log: "transparency log",
  time: "signing time",
  key: "certificate",
  sct: "signed certificate timestamp",
  signature: "signature",
  claims: "claims",
  identity: "identity",
};

/** `checked: signature, claims, …; not checked: transparency log`. */
export function checkedText({ checks, signer }: Pick<Verified, "checks" | "signer">): string {
  const names = (wanted: "passed" | "skipped") => {
    const found = checks.filter(({ outcome }) => outcome === wanted);
    return [...new Set(found.map(({ name }) => (name === "key" && signer.kind === "key" ? "key" : CHECKS[name])))];
  };
  const [passed, skipped] = [names("passed"), names("skipped")];
  return `checked: ${passed.join(", ")}${skipped.length > 0 ? `; not checked: ${skipped.join(", ")}` : ""}`;
}

/** Writes a line on stderr from its parts. */
export function writeLine(stderr: Lines, parts: readonly Part[], options: Omit<LineOptions, "parts"> = {}): void {
  stderr.write(`${plain(parts)}\n`, { parts, ...options });
}

/** One or two lines about what verified, for a terminal: who signed what and when, and what was checked. */
export function printSigned(
  stderr: Lines,
  options: { name: string; verified: readonly Verified[]; logs: readonly Log[]; look: Look },
): void {
  const { name, verified, logs, look } = options;
  const [first] = verified;
  if (!first) return;
  const good = mark("good", look);
  const checked = new Set(verified.map(checkedText));
  const checkedLine = (text: string): Part => ({ text: `  ${text}`, style: "faint" });
  if (verified.length === 1) {
    writeLine(stderr, [good, { text: ` ${name}: ` }, ...signedBy(factsOf(first, { logs, look }))]);
    writeLine(stderr, [checkedLine(checkedText(first))]);
    return;
  }
  writeLine(stderr, [good, { text: ` ${name}: ${verified.length} verified` }]);
  for (const each of verified.slice(0, MAX_DESCRIBED)) {
    writeLine(stderr, [{ text: "  - " }, ...signedBy(factsOf(each, { logs, look }))]);
    if (checked.size > 1) writeLine(stderr, [checkedLine(`  ${checkedText(each)}`)]);
  }
  if (verified.length > MAX_DESCRIBED) writeLine(stderr, [{ text: `  - ${verified.length - MAX_DESCRIBED} more` }]);
  if (checked.size === 1) writeLine(stderr, [checkedLine(checkedText(first))]);
}

/**
 * Prints who signed a file, and cosign's "Verified OK", which scripts read as a line of its own.
 *
 * @param name of the file, or what stands for it
 */
export function printVerifiedBlob(
  io: Pick<Io, "stderr" | "tty" | "env">,
  { name, verified, logs }: { name: string; verified: Verified; logs: readonly Log[] },
): void {
  const look = lookOf(io, "stderr");
  if (look.terminal) printSigned(io.stderr, { name, verified: [verified], logs, look });
  else printSigners(io.stderr, { verified: [verified], logs });
  io.stderr.write("Verified OK\n");
}

/** The lines below cosign's header, for a pipe or a log: who signed and when, a line for each signature. */
export function printSigners(stderr: Lines, options: { verified: readonly Verified[]; logs: readonly Log[] }): void {
  const { verified, logs } = options;
  for (const each of verified.slice(0, MAX_DESCRIBED)) {
    const text = plain(signedBy(factsOf(each, { logs, look: { terminal: false } })));
    stderr.write(`S${text.slice(1)}\n`);
  }
  if (verified.length > MAX_DESCRIBED) stderr.write(`and by ${verified.length - MAX_DESCRIBED} more signatures\n`);
}
