/**
 * The JavaScript libraries of Sigstore, those that npm itself verifies provenance with, on a command line: a file with a
 * JSON list of jobs is the argument, a JSON list of answers goes to stdout. A job signs or verifies. Verifying answers
 * `accepted`, or `refused: ` and the library's reason; any other failure ends the program. A statement's subject is for the
 * caller to check, as in npm.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { bundleFromJSON, bundleToJSON, ValidationError } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from "@sigstore/sign";
import { PolicyError, toSignedEntity, toTrustMaterial, VerificationError, Verifier } from "@sigstore/verify";

const IN_TOTO = "application/vnd.in-toto+json";
const REFUSALS = [ValidationError, VerificationError, PolicyError];

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const exactly = (text) => `^${RegExp.escape(text)}$`;

/** The SHA-256 of a file, or the one that `sha256:<hex>` names, in hex. */
function digestOf(artifact) {
  const named = /^sha256:([0-9a-f]{64})$/.exec(artifact);
  return named?.[1] ?? createHash("sha256").update(readFileSync(artifact)).digest("hex");
}

function verify(job) {
  try {
    const bundle = bundleFromJSON(readJson(job.bundle));
    const statement = bundle.content.$case === "dsseEnvelope" ? bundle.content.dsseEnvelope : undefined;
    const entity = statement ? toSignedEntity(bundle) : toSignedEntity(bundle, readFileSync(job.artifact));
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(readJson(job.trustedRoot))));
    verifier.verify(entity, { subjectAlternativeName: exactly(job.identity), extensions: { issuer: job.issuer } });
    if (!statement) return "accepted";
    const { subject } = JSON.parse(statement.payload.toString());
    const about = subject.some(({ digest }) => digest.sha256 === digestOf(job.artifact));
    return about ? "accepted" : "refused: no such subject";
  } catch (error) {
    if (REFUSALS.some((kind) => error instanceof kind)) return `refused: ${error.message}`;
    throw error;
  }
}

async function sign(job) {
  const { caUrls, rekorTlogUrls, tsaUrls = [] } = readJson(job.signingConfig);
  const [{ url: rekorBaseURL, majorApiVersion }] = rekorTlogUrls;
  const services = {
    signer: new FulcioSigner({
      fulcioBaseURL: caUrls[0].url,
      identityProvider: { getToken: async () => job.token },
    }),
    witnesses: [
      new RekorWitness({ rekorBaseURL, majorApiVersion, entryType: "dsse" }),
      ...tsaUrls.map(({ url }) => new TSAWitness({ tsaBaseURL: new URL(url).origin })),
    ],
  };
  const digest = { sha256: digestOf(job.artifact) };
  const statement = job.predicateType && {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "artifact", digest }],
    predicateType: job.predicateType,
    predicate: job.predicate,
  };
  const bundle = statement
    ? await new DSSEBundleBuilder(services).create({ data: Buffer.from(JSON.stringify(statement)), type: IN_TOTO })
    : await new MessageSignatureBundleBuilder(services).create({ data: readFileSync(job.artifact) });
  writeFileSync(job.bundle, JSON.stringify(bundleToJSON(bundle)));
  return "signed";
}

const answers = [];
for (const job of readJson(process.argv[2])) answers.push("token" in job ? await sign(job) : verify(job));
process.stdout.write(JSON.stringify(answers));
