import { PREDICATE_ALIASES } from "../../sign/predicates.ts";
import { flag } from "../parser/define.ts";
import { signingFlags } from "./signing.ts";

const { outputCertificate: _certificate, outputSignature: _signature, ...shared } = signingFlags;

/** Everything `attest` and `attest-blob` share besides the key. */
export const attestingFlags = {
  ...shared,
  predicate: flag.string("file or URL of the predicate, - for stdin"),
  rekorEntryType: flag.string("has no effect: the kind of log entry follows from the log", {
    default: "dsse",
    deprecated: "the kind of log entry follows from the log",
  }),
  statement: flag.string("file of a whole in-toto statement to sign instead of a predicate"),
  type: flag.string("what the predicate is: an alias or a URI", { default: "custom", choices: PREDICATE_ALIASES }),
};
