import { flag } from "../parser/define.ts";
import { type Shape, shape } from "../parser/shape.ts";
import { verificationFlags } from "./verification.ts";

/** The file in which a monitor keeps what it has seen. */
export const state = flag.string("state file of the monitor (required)");

const ANY = "several may be given";

/** The flags that say which logs are watched, and for what. */
export const monitorFlags = {
  certificateIdentity: flag.texts(`identity to watch for: an email address or URI; ${ANY}`, { typeName: "string" }),
  certificateIdentityRegexp: flag.texts(`regular expression (RE2) for identities to watch for; ${ANY}`, {
    typeName: "string",
  }),
  certificateOidcIssuer: flag.texts("OIDC issuer of the identities: one, or one for each identity in order", {
    typeName: "string",
  }),
  certificateOidcIssuerRegexp: flag.texts(
    "regular expression (RE2) for the OIDC issuer: one, or one for each identity in order",
    { typeName: "string" },
  ),
  config: flag.string("configuration file (JSON) that lists identities, keys, digests and logs"),
  key: flag.texts(`key to watch for: a file, a URL, env://NAME, or a reference to a key management service; ${ANY}`, {
    typeName: "string",
  }),
  state,
  trustedRoot: verificationFlags.trustedRoot,
};

/** Version of Rekor's API, or "ct" for a certificate transparency log. */
export const API_SHAPE: Shape<1 | 2 | "ct"> = {
  schema: { description: "version of Rekor's API, or ct for a certificate transparency log", enum: [1, 2, "ct"] },
};

export const FINDING_SHAPE = shape.object(
  {
    id: shape.text("the same each time for the same entry"),
    log: shape.text("URL of the log"),
    api: API_SHAPE,
    index: shape.count(),
    leafHash: shape.text("hex"),
    kind: shape.text("kind and version of the entry"),
    by: shape.choice(
      ["identity", "key", "authority", "digest", "malformed"],
      "what the entry matches; malformed: parsers may read it in different ways",
    ),
    signer: shape.text("name in the certificate, or the key"),
    foundAt: shape.text("RFC 3339"),
  },
  {
    digest: shape.text("of what was signed"),
    notBefore: shape.text("start of the certificate's validity"),
    certificate: shape.text("hash of what a certificate transparency log has recorded, hex"),
  },
);

export const ALARM_SHAPE = shape.object({
  id: shape.text("the same each time for the same facts"),
  log: shape.text("URL of the log"),
  api: API_SHAPE,
  kind: shape.choice([
    "forked",
    "rewritten",
    "shrunk",
    "frozen",
    "changed",
    "withheld",
    "unsigned",
    "unwitnessed",
    "missing",
    "replaced",
  ]),
  reason: shape.text(),
  evidence: shape.text("file with the signed heads, the proof and the log's keys"),
  raisedAt: shape.text("RFC 3339"),
});

export const AUDIT_SHAPE = shape.object({
  signatures: shape.count("log entries in stored signatures, each proven or promised by its log"),
  missing: shape.count("those that their log does not return, each an alarm"),
  unproven: shape.count("stored entries without a valid proof or promise of a trusted log"),
  unread: shape.list(shape.object({ where: shape.text(), reason: shape.text() }), "what could not be read"),
});

export const UNDELIVERED_SHAPE = shape.object({ channel: shape.text(), reason: shape.text() });

export const LOG_SHAPE = shape.object(
  {
    log: shape.text("URL of the log"),
    api: API_SHAPE,
    outcome: shape.choice(["consistent", "misbehaved", "unavailable"]),
    size: shape.count("entries that are proven"),
    searched: shape.count("entries that were searched since the state was created"),
    unparsed: shape.count("searched entries whose signer is unknown"),
    untrusted: shape.count("searched entries with a watched identity that no trusted authority certified"),
  },
  { reason: shape.text() },
);
