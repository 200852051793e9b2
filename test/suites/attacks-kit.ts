import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { implicit, sequence, utf8String } from "../../src/sandbox/pki/der.ts";
import {
  type Authority,
  createAuthority,
  distinguishedName,
  EKU_CODE_SIGNING,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../../src/sandbox/pki/x509.ts";
import { TSIGN } from "./support.ts";

/** The program under attack: the built one, or that of TSIGN_PROGRAM, to compare two builds. */
export const PROGRAM = process.env["TSIGN_PROGRAM"] ?? TSIGN;
/** Time after which a program is killed. Seconds. */
const KILL_AFTER = Number(process.env["TSIGN_ATTACKS_KILL"] ?? 60);

export interface Measured {
  /** The exit code; undefined when it had to be killed. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** Seconds of CPU time, user and system. */
  readonly cpu: number;
  /** Peak of the process's resident memory, MiB. */
  readonly memory: number;
}

/** Runs the program, measures it, and kills it if it does not end. */
export async function measure(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Measured> {
  const env = { PATH: process.env["PATH"], HOME: options.cwd, ...options.env };
  const started = performance.now();
  const child = spawn(PROGRAM, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  let [memory, cpu, killed, ended] = [0, 0, false, false];
  const closed = new Promise<number | null>((done, fail) => {
    child.on("error", fail);
    child.on("close", done);
  }).finally(() => {
    ended = true;
  });
  while (!ended) {
    memory = Math.max(memory, peakOf(child.pid));
    cpu = Math.max(cpu, cpuOf(child.pid));
    if (performance.now() - started > KILL_AFTER * 1000 && !killed) {
      killed = true;
      child.kill("SIGKILL");
    }
    await Promise.race([closed, setTimeout(20)]);
  }
  const code = await closed;
  const seconds = (performance.now() - started) / 1000;
  return { code: killed ? undefined : (code ?? 128), ...output, seconds, cpu, memory };
}

/** Returns the peak so far from Linux; undefined on other systems. */
function peakOf(pid: number | undefined): number {
  try {
    const [, kilobytes = "0"] = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) / 1024;
  } catch {
    return 0;
  }
}

/** Clock ticks are hundredths of a second on every Linux. */
function cpuOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const spkiOf = (key: KeyObject) => key.export({ type: "spki", format: "der" });
const HOUR = 3_600_000;

/** Certificates of authorities with one name and key: each could have issued every other. */
export function authoritiesOfOneKey(count: number): Authority[] {
  const { publicKey, privateKey } = pair();
  const options = { commonName: "mallory", key: privateKey, spki: spkiOf(publicKey), pathLength: 8 };
  return Array.from({ length: count }, () =>
    createAuthority({ ...options, notBefore: new Date(Date.now() - HOUR), random: randomBytes }),
  );
}

export interface Signer {
  readonly certificate: Buffer;
  readonly key: KeyObject;
}

/** A certificate for signing code, of alice at an issuer; `extensions` come after the usual ones. */
export function leafOf(issuer: Authority, extensions: readonly Uint8Array[] = []): Signer {
  const { publicKey, privateKey } = pair();
  const spki = spkiOf(publicKey);
  const tbs = tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: issuer.name,
    subject: distinguishedName(),
    notBefore: new Date(Date.now() - HOUR / 2),
    notAfter: new Date(Date.now() + HOUR),
    spki,
    issuerKey: issuer.key,
    extensions: [
      ...usualExtensions({ spki, issuerSpki: issuer.spki, extendedKeyUsage: EKU_CODE_SIGNING }),
      extension("2.5.29.17", sequence(implicit(1, Buffer.from("alice@example.com"))), { critical: true }),
      ...(extensions.length > 0 ? extensions : [issuerExtension("https://issuer.example")]),
    ],
  });
  return { certificate: signCertificate(tbs, issuer.key), key: privateKey };
}

/** Fulcio's extension that names the token's issuer. */
export const issuerExtension = (url: string): Buffer => extension("1.3.6.1.4.1.57264.1.8", utf8String(url));

/** A bundle without log entry and timestamp, with a chain of certificates. */
export function bundleOf(artifact: Uint8Array, { certificate, key }: Signer, chain: readonly Uint8Array[]): object {
  const certificates = [certificate, ...chain].map((der) => ({ rawBytes: Buffer.from(der).toString("base64") }));
  const digest = createHash("sha256").update(artifact).digest("base64");
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: { x509CertificateChain: { certificates }, tlogEntries: [], timestampVerificationData: {} },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest },
      signature: sign("sha256", artifact, key).toString("base64"),
    },
  };
}

/** A trusted root of one certificate authority. */
export function trustedRootOf({ certificate }: Authority): string {
  const authority = {
    subject: { organization: "suite", commonName: "suite" },
    uri: "https://ca.example",
    certChain: { certificates: [{ rawBytes: certificate.toString("base64") }] },
    validFor: { start: new Date(Date.now() - HOUR).toISOString() },
  };
  const mediaType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
  return JSON.stringify({
    mediaType,
    tlogs: [],
    certificateAuthorities: [authority],
    ctlogs: [],
    timestampAuthorities: [],
  });
}
