import { PREDICATE_ALIASES } from "../../sign/predicates.ts";
import { flag } from "../parser/define.ts";
import { signingFlags } from "./signing.ts";

const { outputCertificate: _certificate, outputSignature: _signature, ...shared } = signingFlags;

/** The flags that `attest` and `attest-blob` share, without those of the key. */
export const attestingFlags = {
  ...shared,
  predicate: flag.string("predicate file or URL; - reads stdin"),
  rekorEntryType: flag.string("transparency log entry kind (no effect; the log decides)", {
    default: "dsse",
    deprecated: "determined by the transparency log",
  }),
  statement: flag.string("in-toto statement file to sign, instead of a predicate"),
  type: flag.string("predicate type: an alias or a URI", { default: "custom", choices: PREDICATE_ALIASES }),
};
