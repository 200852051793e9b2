import { type Program, sigstoreJs, sigstorePython } from "./ecosystem-kit.ts";

/** What is signed: a file; a statement of version 1 about it; the statements that `attest-blob` and `sign` write. */
export type Kind = "blob" | "statement" | "attestation" | "image";

/**
 * Questions to a verifier about a bundle: the correct one, or what is wrong with the question or the bundle. Another bundle's
 * entry may also be older than the certificate.
 */
export const QUESTIONS = ["truth", "identity", "issuer", "artifact", "authority", "entry", "content"] as const;
export type Question = (typeof QUESTIONS)[number];

export interface Library {
  readonly program: Program;
  /** Its answer to each question, for the bundle of a file and of a statement. */
  readonly blob: Readonly<Record<Question, RegExp>>;
  readonly statement: Readonly<Record<Question, RegExp>>;
  /** Its answer for kinds whose signature it accepts but whose statement it cannot read. */
  readonly unread: Partial<Readonly<Record<Kind, RegExp>>>;
}

/** sigstore-python and the JavaScript libraries, installed. */
export async function libraries(): Promise<Record<"python" | "js", Library>> {
  const python = {
    truth: /^accepted$/,
    identity: /^refused: Certificate's SANs do not match mallory@example\.com; actual SANs: \{'alice@example\.com'\}$/,
    issuer: /^refused: Certificate's OIDCIssuer does not match \(got /,
    artifact: /^refused: Bundle message digest mismatch$/,
    authority: /^refused: failed to build timestamp certificate chain: .* no valid chain found|candidates exhausted/,
    entry: /^refused: (transparency log entry is inconsistent|log entry .* not match|.* not valid at validation time)/,
    content: /^refused: (not enough sources of verified time|Signature is invalid for input)$/,
  };
  const js = {
    truth: /^accepted$/,
    identity: /^refused: certificate identity error - expected \S+, got alice@example\.com$/,
    issuer: /^refused: invalid certificate extension - expected issuer=/,
    artifact: /^refused: signature verification failed$/,
    authority: /^refused: Failed to verify certificate chain$/,
    entry: /^refused: ((tlog entry )?signature mismatch|Failed to verify certificate chain)$/,
    content: /^refused: (timestamp could not be verified|signature mismatch)$/,
  };
  const subject = { artifact: /^refused: no such subject$/ };
  const malformed = "^unread: malformed in-toto statement: .*";
  return {
    python: {
      program: await sigstorePython(),
      blob: python,
      statement: { ...python, ...subject, content: /^refused: DSSE: invalid signature$/ },
      // Its model of statements supports neither version 0.1, which cosign's `attest` writes, nor a subject without a name,
      // as in the signature of an image.
      unread: {
        attestation: new RegExp(`${malformed}'https://in-toto.io/Statement/v1'`, "s"),
        image: new RegExp(`${malformed}subject\\.0\\.name\\s+Field required`, "s"),
      },
    },
    js: {
      program: await sigstoreJs(),
      blob: js,
      statement: { ...js, ...subject, content: /^refused: (DSSE payload hash|digest) mismatch$/ },
      unread: {},
    },
  };
}
