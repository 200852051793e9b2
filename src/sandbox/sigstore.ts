import { TsignError } from "../errors.ts";
import { writePem } from "../format/pem.ts";
import type { Io } from "../io/io.ts";
import { createFulcio } from "./fulcio.ts";
import { createCtLog } from "./logs/ct.ts";
import { openJournal } from "./logs/journal.ts";
import { type SandboxWitness, verifierKey } from "./logs/note.ts";
import { Rekor1Log } from "./logs/rekor1/log.ts";
import { createRekor1 } from "./logs/rekor1/routes.ts";
import { Rekor2Log } from "./logs/rekor2/log.ts";
import { createRekor2 } from "./logs/rekor2/routes.ts";
import { createOidc, DEFAULT_EMAIL, person } from "./oidc/issuer.ts";
import { createLogins } from "./oidc/logins.ts";
import { createTokenMaker, type TokenMaker } from "./oidc/token.ts";
import { type Keyring, openKeyring } from "./pki/keyring.ts";
import {
  type Authority,
  createAuthority,
  distinguishedName,
  EKU_CODE_SIGNING,
  EKU_TIME_STAMPING,
  serialNumber,
  signCertificate,
  TEN_YEARS,
  tbsCertificate,
  usualExtensions,
} from "./pki/x509.ts";
import { type Clock, isoSeconds } from "./server/clock.ts";
import type { Service } from "./server/service.ts";
import { type Addresses, addressesOf, signingConfig, trustedRoot } from "./trust.ts";
import { createTsa } from "./tsa.ts";
import { createTuf } from "./tuf.ts";

const HOUR = 3600 * 1000;
const WITNESSES = ["witness1.sandbox", "witness2.sandbox"];

/** A Sigstore deployment: its services, and the files with which clients trust it and sign with it. */
export interface Sigstore {
  readonly at: Addresses;
  readonly services: readonly Service[];
  readonly tokens: TokenMaker;
  /** Contents of the JSON and PEM files for clients, by name. */
  readonly files: Readonly<Record<SigstoreFile, string>>;
}

/** The files clients need. `signing_config.json` is Rekor v2 with timestamps. */
export type SigstoreFile =
  | "trusted_root.json"
  | "signing_config.json"
  | "signing_config.rekor1.json"
  | "signing_config.rekor1-tsa.json"
  | "tuf_root.json"
  | "fulcio_chain.pem"
  | "tsa_chain.pem"
  | "ct_log.pub"
  | "rekor1.pub"
  | "rekor2.pub"
  | "witnesses.txt";

type SigstoreIo = Pick<Io, "files" | "now" | "random">;

/**
 * Opens a deployment at an address.
 *
 * @param options.folder folder for its keys and logs; without it they are kept in memory
 * @throws TsignError "input" when the clock is before the start of the stored keys' validity
 */
export async function openSigstore(
  io: SigstoreIo,
  options: { base: string; clock: Clock; folder?: string | undefined },
): Promise<Sigstore> {
  const { base, clock, folder } = options;
  const at = addressesOf(base);
  const hostname = new URL(base).hostname;
  const keyring = openKeyring(io, folder === undefined ? undefined : `${folder}/keys`);
  const journal = (name: string) => openJournal(io, folder === undefined ? undefined : `${folder}/${name}`);
  const start = await beginning(io, keyring, clock);
  const random = (bytes: number) => io.random(bytes);
  const fulcio = await fulcioAuthorities(keyring, { start, random });
  const tsa = await tsaAuthorities(keyring, { start, random });
  const ct = createCtLog({
    signingKey: await keyring.key("ct", "p256"),
    clock,
    journal: await journal("ct"),
    roots: [fulcio.root.certificate],
  });
  const tokens = createTokenMaker({ signingKey: await keyring.key("oidc", "rsa"), clock, random });
  const rekor1Key = await keyring.key("rekor1", "p256");
  const rekor1 = new Rekor1Log({ signingKey: rekor1Key, clock, journal: await journal("rekor1"), hostname });
  const rekor2Key = await keyring.key("rekor2", "ed25519");
  const rekor2 = new Rekor2Log({ signingKey: rekor2Key, journal: await journal("rekor2"), origin: hostname });
  const witnesses = await witnessesOf(keyring);

  const fulcioChain = [fulcio.intermediate.certificate, fulcio.root.certificate];
  const tsaChain = [tsa.signer.certificate, tsa.root.certificate];
  const since = isoSeconds(start);
  const root = JSON.stringify(trustedRoot({ at, start: since, rekor1, rekor2, ct, fulcioChain, tsaChain }));
  const config = (rekor: 1 | 2, withTsa: boolean) =>
    JSON.stringify(signingConfig({ at, start: since, rekor, tsa: withTsa }));
  const latest = new Date(Math.max(clock().getTime(), io.now().getTime()));
  const targets = { "trusted_root.json": root, "signing_config.v0.2.json": config(2, true) };
  const tuf = await createTuf({ keyring, targets, start: await tufStart(keyring, start, io.now()), latest });
  const logins = createLogins({
    base,
    now: () => io.now().getTime(),
    random,
    person,
    defaultEmail: DEFAULT_EMAIL,
  });
  const issuers = { people: at.issuer, ci: at.ciIssuer };
  return {
    at,
    tokens,
    services: [
      createOidc({ at, tokens, logins }),
      createFulcio({ ...fulcio, ct, tokens, issuers, clock, random }),
      ct.service,
      createRekor1(rekor1),
      createRekor2(rekor2, { witnesses, clock }),
      createTsa({ ...tsa, clock, random }),
      tuf.service,
    ],
    files: {
      "trusted_root.json": root,
      "signing_config.json": config(2, true),
      "signing_config.rekor1.json": config(1, false),
      "signing_config.rekor1-tsa.json": config(1, true),
      "tuf_root.json": tuf.root.toString("utf8"),
      "fulcio_chain.pem": fulcioChain.map((der) => writePem("CERTIFICATE", der)).join(""),
      "tsa_chain.pem": tsaChain.map((der) => writePem("CERTIFICATE", der)).join(""),
      "ct_log.pub": writePem("PUBLIC KEY", ct.spki),
      "rekor1.pub": writePem("PUBLIC KEY", rekor1.spki),
      "rekor2.pub": writePem("PUBLIC KEY", rekor2.spki),
      "witnesses.txt": `${witnesses.map(verifierKey).join("\n")}\n`,
    },
  };
}

async function witnessesOf(keyring: Keyring): Promise<SandboxWitness[]> {
  return Promise.all(WITNESSES.map(async (name) => ({ name, ...(await keyring.key(name, "ed25519")) })));
}

/** Returns the start of the TUF root's validity, which is stored so that it stays the same after a restart. */
async function tufStart(keyring: Keyring, start: Date, now: Date): Promise<Date> {
  const text = await keyring.document("tuf-start", () => Buffer.from(isoSeconds(latestOf(start, now))));
  return new Date(text.toString("utf8"));
}

function latestOf(a: Date, b: Date): Date {
  return a > b ? a : b;
}

/** Returns the start of the sandbox's validity: before its own clock and the real one, and the same after a restart. */
async function beginning(io: SigstoreIo, keyring: Keyring, clock: Clock): Promise<Date> {
  const earliest = Math.min(clock().getTime(), io.now().getTime());
  const text = await keyring.document("start", () => Buffer.from(isoSeconds(new Date(earliest - HOUR))));
  const start = new Date(text.toString("utf8"));
  if (clock() < start) {
    const hint = "use another --state folder for an earlier clock";
    const reason = `the clock is before ${isoSeconds(start)}, when this sandbox was created`;
    throw new TsignError("input", `start sandbox: ${reason}`, { hint });
  }
  return start;
}

interface Making {
  readonly start: Date;
  readonly random: (bytes: number) => Uint8Array;
}

/** Opens an authority whose key and certificate are stored in the keyring. */
async function authority(
  keyring: Keyring,
  options: Making & {
    name: string;
    kind: "p256" | "p384";
    commonName: string;
    pathLength: number;
    issuer?: Authority;
    extendedKeyUsage?: string;
  },
): Promise<Authority> {
  const { name, kind, start, ...rest } = options;
  const made = createAuthority({ ...rest, ...(await keyring.key(name, kind)), notBefore: start });
  return { ...made, certificate: await keyring.document(`${name}.der`, () => made.certificate) };
}

async function fulcioAuthorities(
  keyring: Keyring,
  making: Making,
): Promise<{ root: Authority; intermediate: Authority }> {
  const commonName = "tsign sandbox fulcio root";
  const root = await authority(keyring, { ...making, name: "fulcio-root", kind: "p384", commonName, pathLength: 1 });
  const intermediate = await authority(keyring, {
    ...making,
    name: "fulcio",
    kind: "p384",
    commonName: "tsign sandbox fulcio intermediate",
    pathLength: 0,
    issuer: root,
    extendedKeyUsage: EKU_CODE_SIGNING,
  });
  return { root, intermediate };
}

async function tsaAuthorities(keyring: Keyring, making: Making): Promise<{ root: Authority; signer: Authority }> {
  const { start, random } = making;
  const commonName = "tsign sandbox tsa root";
  const root = await authority(keyring, { ...making, name: "tsa-root", kind: "p256", commonName, pathLength: 0 });
  const { key, spki } = await keyring.key("tsa", "p256");
  const name = distinguishedName("tsign sandbox tsa");
  const certificate = await keyring.document("tsa.der", () => {
    const extensions = usualExtensions({ spki, issuerSpki: root.spki, extendedKeyUsage: EKU_TIME_STAMPING });
    const notAfter = new Date(start.getTime() + TEN_YEARS);
    const serial = serialNumber(random);
    const content = { serial, issuer: root.name, subject: name, notBefore: start, notAfter, spki, extensions };
    return signCertificate(tbsCertificate({ ...content, issuerKey: root.key }), root.key);
  });
  return { root, signer: { name, spki, key, certificate } };
}
