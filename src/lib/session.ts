import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { ephemeralSigner } from "../keys/ephemeral.ts";
import { DEFAULT_SIGNING_ALGORITHM } from "../keys/signing-algorithms.ts";
import { type CertificateSource, identityOf } from "../sign/certify.ts";
import { openWitnesses, type SigningServices, servicesOfConfig } from "../sign/services.ts";
import { openSession as openSigning, type Session as Signing } from "../sign/session.ts";
import { witnessOf } from "../sign/sigstore-js.ts";
import { libraryIo } from "./context.ts";
import { signerOf, verifiers } from "./handles.ts";
import type { IdentityProvider, Session, SessionOptions } from "./signing-types.ts";

/**
 * Opens a signing session with an existing key, or with a new key and a certificate. Certificates are valid for about 10 minutes,
 * so open a session for each piece of work.
 *
 * @throws TsignError "usage" for options that contradict each other; "input" for a public key or an invalid signing config;
 * "auth" for an unusable token; "auth", "network", "timeout" or "service" if no certificate was issued; "untrusted" for a
 * certificate that does not verify
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { key, identity, verifier, witnesses = [], onPublish, onWarning } = options;
  if ((key === undefined) === (identity === undefined)) {
    throw new TsignError("usage", "exactly one of key and identity is required");
  }
  const io = libraryIo(options);
  const services = readServices(options);
  const certificate = identity === undefined ? undefined : certificateFor(identity, { services, options });
  const signing = await openSigning(io, {
    key: () => (key === undefined ? ephemeralSigner(DEFAULT_SIGNING_ALGORITHM) : signerOf(key)),
    witnesses: [
      ...(services ? openWitnesses(io, services) : []),
      ...witnesses.map(({ witness, ...facts }) => witnessOf(witness, facts)),
    ],
    ...(certificate ? { certificate } : {}),
    ...(verifier ? { trust: verifiers.partsOf(verifier).trust } : {}),
    onPublish: ({ identity: name, places }) =>
      onPublish?.({ ...(name === undefined ? {} : { identity: name }), places }),
    onWarning: ({ message }) => onWarning?.(message),
  });
  return sessionOf(signing);
}

function readServices(options: SessionOptions): SigningServices | undefined {
  const { signingConfig } = options;
  if (signingConfig === undefined) return undefined;
  const bytes = typeof signingConfig === "string" ? Buffer.from(signingConfig) : signingConfig;
  return servicesOfConfig(libraryIo(options), bytes, { name: "the signing config" });
}

function certificateFor(
  identity: string | IdentityProvider,
  { services, options }: { services: SigningServices | undefined; options: SessionOptions },
): CertificateSource {
  const authority = services?.certificateAuthority;
  if (!authority) {
    const reason = services?.noCertificateAuthority;
    throw new TsignError("usage", `keyless signing requires a certificate authority${reason ? `: ${reason}` : ""}`, {
      hint: "pass a signingConfig with caUrls",
    });
  }
  const named = options.audience === undefined ? {} : { audience: options.audience };
  return { kind: "issued", authority, identity: identityOf(libraryIo(options), identity, named) };
}

function sessionOf({ identity, sign }: Signing): Session {
  const { key, certificate } = identity;
  const bundle = async (signed: Promise<Evidence>) => writeBundle(await signed);
  return {
    publicKey: key.pem,
    ...(certificate ? { certificate: certificatePem(certificate.leaf) } : {}),
    signArtifact: (artifact) => bundle(sign({ kind: "blob", blob: streamOf(artifact) })),
    signStatement: (statement) => bundle(sign({ kind: "statement", statement: jsonOf(statement) })),
  };
}

async function* streamOf(artifact: Uint8Array | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (artifact instanceof Uint8Array) yield artifact;
  else yield* artifact;
}

/** @throws TsignError "input" for text that is not JSON */
function jsonOf(statement: string | object): Uint8Array {
  if (typeof statement !== "string") return Buffer.from(JSON.stringify(statement));
  try {
    JSON.parse(statement);
  } catch (cause) {
    throw new TsignError("input", "invalid statement: not JSON", { cause });
  }
  return Buffer.from(statement);
}
