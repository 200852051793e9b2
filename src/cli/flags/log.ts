import { flag } from "../parser/define.ts";
import { shape } from "../parser/shape.ts";

/** The Rekor v1 log to search or read. */
export const rekorUrl = flag.string("Rekor transparency log", { default: "https://rekor.sigstore.dev" });

/** The log that an entry is fetched from. */
export const logFlags = {
  rekorUrl,
  apiVersion: flag.choice(["1", "2"], "version of the log's API", { default: "1" }),
};

/** A log entry, for people and programs. */
export const ENTRY_SHAPE = shape.object(
  {
    logIndex: shape.text("decimal"),
    kind: shape.text(),
    version: shape.text(),
    leafHash: shape.text("hash of the entry in the tree (RFC 6962), hex; the end of its UUID in Rekor v1"),
    signers: shape.list(shape.text(), "names in certificates, or key IDs; not verified"),
  },
  {
    uuid: shape.text(),
    logId: shape.text("hex"),
    integratedTime: shape.text("RFC 3339"),
    digest: shape.text("of what was signed"),
  },
);
