import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { parseJson } from "../format/json.ts";

const text = z.string().check(z.minLength(1));
const digest = z.string().check(z.refine(isDigest));

const duration = z.string().check(z.regex(/^[1-9][0-9]{0,5}[mhd]$/));

const identity = z.strictObject({
  identity: z.optional(text),
  identityRegexp: z.optional(text),
  issuer: z.optional(text),
  issuerRegexp: z.optional(text),
  /** Texts of Fulcio's extensions, by the names of trust policies or by OID. */
  extensions: z.optional(z.record(z.string(), text)),
});

/** Jobs that sign: the URL of their repository, and optionally the ref and the path of the workflow. */
const workflow = z.strictObject({
  repository: z.string().check(z.regex(/^https:\/\/[^\s]*[^\s/]$/)),
  ref: z.optional(text),
  workflow: z.optional(text),
  /** GitHub's by default. */
  issuer: z.optional(text),
});

/** Secrets are references: files, or env://NAME. */
const reports = z.strictObject({
  webhooks: z.optional(z.array(z.strictObject({ url: text, secret: text }))),
  email: z.optional(
    z.array(
      z.strictObject({
        server: text,
        user: z.optional(text),
        password: z.optional(text),
        from: text,
        to: z.array(text).check(z.minLength(1)),
      }),
    ),
  ),
  github: z.optional(
    z.array(
      z.strictObject({
        repository: z.string().check(z.regex(/^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/)),
        token: text,
        labels: z.optional(z.array(text)),
        api: z.optional(text),
      }),
    ),
  ),
});

const schema = z.strictObject({
  version: z.literal(1),
  trustedRoot: z.optional(text),
  identities: z.optional(z.array(identity)),
  /** A trust policy, whose signers are watched for. */
  policy: z.optional(text),
  /** References: files, URLs, key services. */
  keys: z.optional(z.array(text)),
  /** Of artifacts, payloads or envelopes, whoever signs them. */
  digests: z.optional(z.array(digest)),
  /** Files with certificates of our own authorities: PEM. */
  authorities: z.optional(z.array(text)),
  /** Digests that were signed by our order. */
  expected: z.optional(z.array(digest)),
  /** A trust policy, whose signers sign by our order. */
  expectedPolicy: z.optional(text),
  /** Workflows that sign by our order. */
  workflows: z.optional(z.array(workflow)),
  /** Where our own signatures are: repositories or images, and Sigstore bundles. */
  images: z.optional(z.array(text)),
  bundles: z.optional(z.array(text)),
  /** A file with the commits that may sign. */
  commits: z.optional(text),
  /** How long an entry may wait for its signature to be stored there. */
  grace: z.optional(z.union([z.literal("0m"), duration])),
  /** Whether the certificate transparency logs are watched: for certificates that no signature uses. */
  certificates: z.optional(z.boolean()),
  reports: z.optional(reports),
  logs: z.optional(
    z.array(
      z.strictObject({
        url: text,
        /** For a log that is not in the trusted root: a file with its public key, and its API. */
        key: z.optional(text),
        api: z.optional(z.union([z.literal(1), z.literal(2), z.literal("ct")])),
        /** Where the log is read, if not below its URL: for Rekor v2, its tiles. */
        readAt: z.optional(z.url()),
        /** Whether entries are searched, or only that the log grows is proven. */
        search: z.optional(z.boolean()),
        /** Verifier keys of witnesses, and how many of them must have cosigned each head; all by default. */
        witnesses: z.optional(z.array(text)),
        quorum: z.optional(z.int().check(z.minimum(1))),
        frozenAfter: z.optional(duration),
      }),
    ),
  ),
});

export type MonitorConfig = z.infer<typeof schema>;

/** Parses a configuration, JSON. @throws TsignError "input" */
export function parseConfig(bytes: Uint8Array, path: string): MonitorConfig {
  let json: unknown;
  try {
    json = parseJson(bytes, "it");
  } catch (cause) {
    throw new TsignError("input", `read configuration "${path}": not valid JSON`, { cause });
  }
  const { success, data, error } = schema.safeParse(json);
  if (!success) {
    const [issue] = error.issues;
    const unknown = issue?.code === "unrecognized_keys" ? `unknown field ${issue.keys.join(", ")}` : "invalid field";
    throw new TsignError("input", `read configuration "${path}": ${unknown} at ${issue?.path.join(".") || "the top"}`);
  }
  for (const [index, each] of (data.identities ?? []).entries()) {
    const hasBoth = (each.identity ?? each.identityRegexp) && (each.issuer ?? each.issuerRegexp);
    if (hasBoth) continue;
    throw new TsignError("input", `read configuration "${path}": identities.${index} requires identity and issuer`, {
      hint: "write identity or identityRegexp, and issuer or issuerRegexp",
    });
  }
  return data;
}

/** Milliseconds of `30m`, `24h`, `7d`. */
export function millisecondsOf(duration: string): number {
  const unit = { m: 60, h: 3600, d: 86_400 }[duration.slice(-1)] ?? 0;
  return Number(duration.slice(0, -1)) * unit * 1000;
}
