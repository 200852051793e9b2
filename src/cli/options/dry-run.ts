import { TsignError } from "../../errors.ts";
import { keyIdOfHint } from "../../format/key-id.ts";
import { withParts } from "../../format/parts.ts";
import { printable } from "../../format/printable.ts";
import type { Files, HttpRequest, Io } from "../../io/io.ts";
import { keyHint } from "../../keys/index.ts";
import type { PublicKey, Signer } from "../../keys/types.ts";
import type { SigningServices } from "../../sign/services.ts";
import { openSession, type Session, type SessionOptions } from "../../sign/session.ts";
import { NO_TRUST } from "../../trust/material.ts";
import { type PlannedSignature, recordPlanned } from "../effects.ts";
import { algorithmOf } from "../inspect/key.ts";
import type { Forms } from "./forms.ts";

/** What a signing would do, found out by --dry-run. */
export interface SigningPlan {
  /** Who would sign: the key or the identity. */
  readonly signer: string;
  /** Whether the signatures would have a certificate. */
  readonly hasCertificate: boolean;
  /** What each service would get, and what of it becomes public. */
  readonly services: PlannedSignature["services"];
}

/** Methods that change a registry. */
const CHANGING = new Set(["PUT", "PATCH", "DELETE"]);

/**
 * Returns an Io that changes nothing, for --dry-run: the cache of trust material is not written, and any other write to a file or a
 * registry is a bug.
 */
export function unchanging(io: Io): Io {
  const refuse = async (): Promise<never> => {
    throw new TsignError("internal", "a dry run must not write");
  };
  const skip = async () => {};
  const files: Files = {
    ...io.files,
    ...{ makeDirectory: skip, replace: skip },
    ...{ write: refuse, replaceProven: refuse, remove: refuse },
  };
  const http = (request: HttpRequest) => (CHANGING.has(request.method) ? refuse() : io.http(request));
  return withParts(io, { files, http });
}

/** Thrown in place of a login, which a dry run does not begin. */
class LoginNeeded extends Error {
  readonly issuer: URL;

  constructor(issuer: URL) {
    super("a login is needed");
    this.issuer = issuer;
  }
}

/** Ends the preparations of a dry run before a login. */
export function stopAtLogin(issuer: URL): never {
  throw new LoginNeeded(issuer);
}

/** Thrown in place of a publication. */
class PublicationReached extends Error {}

/**
 * Prepares a signing like `openSession`, up to the moment before anything becomes public.
 *
 * @param options.beforePublishing called with the key where the signing would be announced
 * @returns the plan; and a session that signs with the key and verifies the result, without certificate, logs and timestamps. Its
 * signatures show that the key can sign, and are to be discarded
 * @throws TsignError as `openSession`
 */
export async function rehearse(
  io: Io,
  session: SessionOptions,
  options: {
    /** The reference of the key; "" for a keyless signing. */
    reference: string;
    services: SigningServices;
    beforePublishing: (key: PublicKey) => void;
  },
): Promise<{ plan: SigningPlan; session: Session }> {
  const { reference, services, beforePublishing } = options;
  const { certificate, contents = [] } = session;
  let signer: Signer | undefined;
  let identity: string | undefined;
  const key = async () => {
    signer = typeof session.key === "function" ? await session.key() : session.key;
    return signer;
  };
  try {
    await openSession(io, {
      ...{ ...session, key },
      onPublish: (publication) => {
        identity = publication.identity;
        beforePublishing(publication.key);
        throw new PublicationReached();
      },
    });
  } catch (error) {
    if (error instanceof LoginNeeded) identity = `the identity that logs in at ${error.issuer.host}`;
    else if (!(error instanceof PublicationReached)) throw error;
  }
  if (!signer) throw new TsignError("internal", "the key was not opened");
  const issued = certificate?.kind === "issued";
  const byKey = `${algorithmOf(signer.publicKey)} key ${printable(reference)}, key ID ${keyIdOfHint(keyHint(signer.publicKey))}`;
  const asIdentity = `${printable(identity ?? "")}, with ${reference === "" ? "a new key" : byKey}`;
  const local = await openSession(io, {
    ...{ key: signer, contents, witnesses: [], trust: NO_TRUST },
    certificate: issued ? undefined : certificate,
  });
  return {
    plan: {
      signer: issued ? asIdentity : byKey,
      hasCertificate: certificate !== undefined,
      services: receivers(services, { issued, contents }),
    },
    session: local,
  };
}

/** What each service would get. */
function receivers(
  { certificateAuthority, logs, timestampAuthorities }: SigningServices,
  { issued, contents }: { issued: boolean; contents: NonNullable<SessionOptions["contents"]> },
): SigningPlan["services"] {
  const verifier = issued ? "the certificate with the identity" : "the public key";
  const isEnvelope = contents.includes("envelope");
  const signed = isEnvelope ? "the digest of the statement" : "the digest of the content";
  const authority = certificateAuthority?.host;
  return [
    ...(issued && authority !== undefined
      ? [
          {
            role: "certificate authority" as const,
            host: authority,
            gets: "the identity token and the public key",
            public: "a certificate with the identity, also in the certificate transparency log",
          },
        ]
      : []),
    ...logs.map(({ url, version }) => ({
      role: "transparency log" as const,
      host: url.host,
      gets:
        isEnvelope && version === 1
          ? `the statement, the signature, ${verifier}`
          : `${signed}, the signature, ${verifier}`,
      public: `${signed}, the signature, ${verifier}`,
    })),
    ...timestampAuthorities.map(({ url }) => ({
      role: "timestamp authority" as const,
      host: url.host,
      gets: "a digest",
      public: "",
    })),
  ];
}

/** The parts of a plan that are not those of the signer. */
type Planned = Omit<PlannedSignature, "signer" | "services">;

/** Prints on stdout what would be signed and where it would go, and records it for --json. */
export function printPlanned(io: Io, { signer, services }: SigningPlan, signature: Planned): void {
  recordPlanned(io, { ...signature, signer, services });
  const lines = (name: string, values: readonly string[]) => {
    for (const value of values) io.stdout.write(`\t${`${name}:`.padEnd(9)} ${printable(value)}\n`);
  };
  io.stdout.write(`Would sign ${printable(signature.subject)}\n`);
  lines("content", signature.contents);
  lines("signer", [signer]);
  lines("stored", signature.stored);
  lines("removed", signature.removed);
  lines("written", signature.files);
  const sent = services.map(({ role, host, gets }) => `to ${role} ${host}: ${gets}`);
  lines("sent", sent);
  const published = services.filter((each) => each.public !== "").map((each) => `at ${each.host}: ${each.public}`);
  lines("public", published.length > 0 ? published : ["nothing"]);
}

/** Prints the plan of an image, whose signatures are stored in its repository or that of its attachments. */
export function printPlannedImage(
  io: Io,
  plan: SigningPlan,
  image: Omit<Planned, "stored"> & {
    /** The repository of the attachments. */
    readonly repository: string;
    readonly forms: Forms;
    /** Where the legacy form is stored. */
    readonly legacy: string;
    /** Whether anything is stored in the registry. */
    readonly upload: boolean;
  },
): void {
  const { repository, forms, legacy, upload, ...planned } = image;
  const stored = [
    ...(forms.bundle ? [`${repository}, as a Sigstore bundle that refers to the image`] : []),
    ...(forms.legacy ? [legacy] : []),
  ];
  printPlanned(io, plan, { ...planned, stored: upload ? stored : [] });
}

/** Prints that nothing was done. */
export function endDryRun(io: Pick<Io, "stderr">): void {
  io.stderr.write("Note: this was a dry run: nothing was stored, written or published\n");
}
