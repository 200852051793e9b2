import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bundle, bundleToJSON } from "@sigstore/bundle";
import {
  type BundleBuilder,
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  type Signer as SigstoreSigner,
  type Witness as SigstoreWitness,
  TSAWitness,
} from "@sigstore/sign";
import { bundleText } from "../../src/evidence/bundle/write.ts";
import { systemIo } from "../../src/io/system.ts";
import { ephemeralSigner } from "../../src/keys/ephemeral.ts";
import { type Sandbox, startSandbox } from "../../src/lib/sandbox.ts";
import { identityOf } from "../../src/sign/certify.ts";
import { attestationStatement } from "../../src/sign/predicates.ts";
import { rekorV1Witness, rekorV2Witness, timestampWitness } from "../../src/sign/services.ts";
import { openSession } from "../../src/sign/session.ts";
import {
  bundleBuilder,
  fromSigstoreSigner,
  fulcioSigner,
  toSigstoreSigner,
  witnessOf,
} from "../../src/sign/sigstore-js.ts";
import type { Witness } from "../../src/sign/witness.ts";
import { readTrustedRoot } from "../../src/trust/trusted-root.ts";
import { startKit } from "./backends-kit.ts";
import { CANNOT } from "./signers-expected.ts";
import { type OpenKey, openKeys } from "./signers-keys.ts";
import { run, TSIGN } from "./support.ts";

const io = { ...systemIo(), env: {} };
const EMAIL = "signer@example.com";
const IN_TOTO = "application/vnd.in-toto+json";
const COLUMNS = ["made", "tsign", "cosign"] as const;
type Column = (typeof COLUMNS)[number];
type Form = "envelope" | "message";
type Rekor = "Rekor 1" | "Rekor 2";

/** A way to make a bundle, and the key or identity for which it must verify. */
interface Row {
  readonly name: string;
  readonly form: Form;
  readonly builder: () => BundleBuilder | Promise<BundleBuilder>;
  /** File of the public key; undefined for the identity EMAIL. */
  readonly key: string | undefined;
  /** Hash that cosign needs as a flag, because it uses SHA-256 for every key. */
  readonly hash?: string;
}

test("@sigstore/sign and tsign: builders, signers and witnesses of either -> valid bundles", async (context) => {
  const kit = await startKit(context, ["vault", "softhsm"]);
  const sandbox = await startSandbox({ folder: kit.cwd });
  context.after(() => sandbox.close());
  const keys = await openKeys(kit);
  const files = prepare(kit.cwd, sandbox);
  const table: string[] = [];
  const seen = new Set<string>();
  const rows = [...keys.flatMap((key) => rowsOf(key, sandbox)), ...keylessRows(sandbox)];
  for (const row of rows) {
    await context.test(row.name, async () => {
      const outcomes = await tryRow(row, files);
      table.push(
        `${row.name.padEnd(78)} ${COLUMNS.map((each) => (outcomes[each] === "ok" ? "ok    " : "-     ")).join(" ")}`,
      );
      const cannot = CANNOT.find(({ rows }) => rows.test(row.name));
      const failed = COLUMNS.find((column) => outcomes[column] !== "ok");
      if (!cannot) return assert.equal(failed && `${failed}: ${outcomes[failed]}`, undefined);
      seen.add(cannot.why);
      assert.equal(failed, cannot.column, `it fails elsewhere now, or not at all: ${failed && outcomes[failed]}`);
      assert.match(outcomes[cannot.column], cannot.reason);
    });
  }
  assert.deepEqual([...seen].sort(), CANNOT.map(({ why }) => why).sort(), "every exception is met");
  const reasons = CANNOT.map(({ rows, why }) => `- ${rows.source}: ${why}`);
  const head = `${"bundle".padEnd(78)} ${COLUMNS.map((each) => each.padEnd(6)).join(" ")}`;
  console.log([head, ...table, ...reasons].join("\n"));
});

const ours = (sandbox: Sandbox, rekor: Rekor): Witness[] =>
  rekor === "Rekor 1"
    ? [rekorV1Witness(io, new URL(sandbox.urls.rekor1))]
    : [
        rekorV2Witness(io, new URL(sandbox.urls.rekor2)),
        timestampWitness(io, { url: new URL(sandbox.urls.timestamp) }),
      ];

const theirs = (sandbox: Sandbox, rekor: Rekor): SigstoreWitness[] =>
  rekor === "Rekor 1"
    ? [new RekorWitness({ rekorBaseURL: sandbox.urls.rekor1, entryType: "dsse" })]
    : [
        new RekorWitness({ rekorBaseURL: sandbox.urls.rekor2, majorApiVersion: 2 }),
        new TSAWitness({ tsaBaseURL: sandbox.urls.timestamp }),
      ];

const theirBuilder = (form: Form, signer: SigstoreSigner, witnesses: SigstoreWitness[]): BundleBuilder =>
  form === "envelope"
    ? new DSSEBundleBuilder({ signer, witnesses })
    : new MessageSignatureBundleBuilder({ signer, witnesses });

/** Their witnesses for a session, in the order of `theirs`: a log and possibly a timestamp authority. */
const adapted = (witnesses: readonly SigstoreWitness[], version: number): Witness[] =>
  witnesses.map((each, index) =>
    witnessOf(each, { role: index === 0 ? "log" : "timestamp-authority", name: "sandbox", version }),
  );

function rowsOf({ name, signer, file }: OpenKey, sandbox: Sandbox): Row[] {
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "sandbox");
  const { pem } = signer.publicKey;
  const inService = name.includes(" ");
  return (["Rekor 1", "Rekor 2"] as const).flatMap((rekor) =>
    (["envelope", "message"] as const).flatMap((form): Row[] => {
      const version = rekor === "Rekor 1" ? 1 : 2;
      const row = (how: string, builder: Row["builder"]): Row => ({
        name: `${name}, ${form}, ${rekor}: ${how}`,
        form,
        key: file,
        builder,
        ...(signer.publicKey.hash === "sha384" && !(form === "envelope" && version === 1) ? { hash: "sha384" } : {}),
      });
      const session = async (key: typeof signer, witnesses: Witness[]) =>
        bundleBuilder(await openSession(io, { key, witnesses, trust }));
      const plain = toSigstoreSigner(signer);
      const all = [
        row("our session", () => session(signer, ours(sandbox, rekor))),
        row("their builder, our signer, our witnesses", () => theirBuilder(form, plain, ours(sandbox, rekor))),
        row("their builder, our signer, their witnesses", () => theirBuilder(form, plain, theirs(sandbox, rekor))),
        row("our session, their witnesses", () => session(signer, adapted(theirs(sandbox, rekor), version))),
        row("our session, a foreign signer", () =>
          session(fromSigstoreSigner(plain, { publicKey: pem }), ours(sandbox, rekor)),
        ),
      ];
      // Foreign signers and witnesses differ by the log, and not by where the key is.
      const told = row("their builder, our signer told SHA-256, our witnesses", () =>
        theirBuilder(form, toSigstoreSigner(signer, { hash: "sha256" }), ours(sandbox, rekor)),
      );
      if (name === "P-384" && form === "envelope" && version === 1) all.push(told);
      if (inService) return (form === "envelope") === (rekor === "Rekor 2") ? all.slice(0, 2) : [];
      return name.startsWith("P-") ? all : all.slice(0, 3);
    }),
  );
}

function keylessRows(sandbox: Sandbox): Row[] {
  const identityProvider = { getToken: async () => sandbox.token({ email: EMAIL }) };
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "sandbox");
  const authority = new URL(sandbox.urls.fulcio);
  const certificate = { kind: "issued", authority, identity: identityOf(io, identityProvider) } as const;
  const fulcio = () => new FulcioSigner({ fulcioBaseURL: new URL(sandbox.urls.fulcio).origin, identityProvider });
  const own = () => fulcioSigner(io, { key: ephemeralSigner("ecdsa-sha2-256-nistp256"), source: certificate, trust });
  return (["Rekor 1", "Rekor 2"] as const).flatMap((rekor) =>
    (["envelope", "message"] as const).flatMap((form): Row[] => {
      // A short-lived certificate needs a trusted time; with Rekor 1's SET their builder requests no timestamp.
      const row = (how: string, builder: Row["builder"]): Row => ({
        name: `keyless, ${form}, ${rekor}: ${how}`,
        form,
        key: undefined,
        builder,
      });
      const key = ephemeralSigner("ecdsa-sha2-256-nistp256");
      const session = async (witnesses: Witness[]) =>
        bundleBuilder(await openSession(io, { key, certificate, witnesses, trust }));
      const version = rekor === "Rekor 1" ? 1 : 2;
      return [
        row("our session", () => session(ours(sandbox, rekor))),
        row("our session, their witnesses", () => session(adapted(theirs(sandbox, rekor), version))),
        row("their builder, our Fulcio signer, our witnesses", () => theirBuilder(form, own(), ours(sandbox, rekor))),
        row("their builder, FulcioSigner, our witnesses", () => theirBuilder(form, fulcio(), ours(sandbox, rekor))),
        row("their builder, FulcioSigner, their witnesses", () => theirBuilder(form, fulcio(), theirs(sandbox, rekor))),
      ];
    }),
  );
}

interface Files {
  readonly cwd: string;
  readonly data: Readonly<Record<Form, Buffer>>;
  readonly trustedRoot: string;
  readonly issuer: string;
}

/** The file, another of the same length, and a statement about the file. */
function prepare(cwd: string, sandbox: Sandbox): Files {
  const message = Buffer.from("the file that is signed");
  writeFileSync(join(cwd, "file"), message);
  writeFileSync(join(cwd, "other"), "the file that is others");
  const sha256 = createHash("sha256").update(message).digest("hex");
  const subject = { name: "file", digest: { sha256 } };
  const predicate = Buffer.from('{"Data":"suite","Timestamp":""}');
  const made = attestationStatement({ type: "custom", predicate, path: "predicate", subject, now: new Date() });
  const trustedRoot = join(cwd, "trusted-root.json");
  writeFileSync(trustedRoot, sandbox.trustedRoot);
  return { cwd, trustedRoot, data: { message, envelope: Buffer.from(made) }, issuer: sandbox.urls.issuer };
}

/** Makes the bundle and verifies it with both programs: for the file, and for the other one, which must fail. */
async function tryRow(row: Row, files: Files): Promise<Record<Column, string>> {
  let bundle: Bundle;
  try {
    const builder = await row.builder();
    const type = row.form === "envelope" ? { type: IN_TOTO } : {};
    bundle = await builder.create({ data: files.data[row.form], ...type });
  } catch (error) {
    const causes = [];
    for (let each = error; each instanceof Error; each = each.cause) causes.push(each.message);
    return { made: causes.join(": "), tsign: "not made", cosign: "not made" };
  }
  writeFileSync(join(files.cwd, "bundle.json"), bundleText(bundleToJSON(bundle)));
  const [tsign, cosign] = await Promise.all([TSIGN, "cosign"].map((program) => verifyBy(program, row, files)));
  return { made: "ok", tsign: tsign ?? "", cosign: cosign ?? "" };
}

/** "ok", or the error of the program. */
async function verifyBy(program: string, { form, key, hash }: Row, files: Files): Promise<string> {
  const signer = key ? ["--key", key] : ["--certificate-identity", EMAIL, "--certificate-oidc-issuer", files.issuer];
  const command = form === "envelope" ? ["verify-blob-attestation", "--type", "custom"] : ["verify-blob"];
  const told = hash && program === "cosign" ? ["--signature-digest-algorithm", hash] : [];
  const args = [...command, ...told, ...signer, "--trusted-root", files.trustedRoot, "--bundle", "bundle.json"];
  const { cwd } = files;
  const good = await run(program, [...args, "file"], { cwd });
  if (good.code !== 0) return good.stderr.trim();
  const other = await run(program, [...args, "other"], { cwd });
  assert.notEqual(other.code, 0, `${program} accepts another file`);
  return "ok";
}
