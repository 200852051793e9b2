import { execFile } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { startSandbox } from "../../src/lib/sandbox.ts";
import { PROGRAM } from "./names.ts";

/** Variables that give `tsign` an identity without asking anybody: a token, or a CI system that issues one. */
const IDENTITY = [
  "SIGSTORE_ID_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "BUILDKITE_AGENT_ACCESS_TOKEN",
  "SPIFFE_ENDPOINT_SOCKET",
];

/** Returns the flags with which everything is signed; undefined when there is neither a key nor an identity. */
export function signingFlags(key: string | undefined, env: NodeJS.ProcessEnv): string[] | undefined {
  // A key needs no service: the signature is not recorded in a log, and can be verified without the network.
  if (key !== undefined) return ["--key", key, "--use-signing-config=false", "--tlog-upload=false", "--yes", "--quiet"];
  return IDENTITY.some((name) => env[name]) ? ["--yes", "--quiet"] : undefined;
}

/** How a release is signed. */
export interface Signing {
  /** The program that signs: main.mjs of the release. */
  readonly program: string;
  readonly flags: readonly string[];
  /** Folder of the release; the signatures go into `signatures` there. */
  readonly folder: string;
}

/** File of each kind of predicate. */
export type Predicates = Readonly<Record<"slsaprovenance1" | "spdxjson" | "cyclonedx", string>>;

async function tsign({ program }: Signing, ...args: string[]): Promise<void> {
  // The signatures of an image belong beside it, wherever the environment puts those of other images.
  const { COSIGN_REPOSITORY: _, ...env } = process.env;
  await promisify(execFile)(process.execPath, [program, ...args], { env });
}

/**
 * Signs container images and all their platforms, and attests how they were made and what they contain. An image with its
 * signatures goes into `signatures` as an OCI layout of the same name, for `tsign load`. The registry in which they are signed is
 * one in memory: signatures name the digest only. Files that both layouts have are links to one.
 *
 * @param images layout and digest of each image, and its predicates
 */
export async function signImages(
  signing: Signing,
  images: readonly { readonly layout: string; readonly digest: string; readonly predicates: Predicates }[],
): Promise<void> {
  await using sandbox = await startSandbox();
  for (const { layout, digest, predicates } of images) {
    const name = `${sandbox.registry}/${PROGRAM}`;
    const image = `${name}@${digest}`;
    await tsign(signing, "load", "--dir", layout, `${name}:signed`);
    await tsign(signing, "sign", ...signing.flags, "--recursive", image);
    for (const [type, predicate] of Object.entries(predicates))
      await tsign(signing, "attest", ...signing.flags, "--type", type, "--predicate", predicate, image);
    const target = join(signing.folder, "signatures", basename(layout));
    await tsign(signing, "save", "--dir", target, image);
    linkBlobs(join(layout, "blobs/sha256"), join(target, "blobs/sha256"));
  }
}

function linkBlobs(from: string, to: string): void {
  for (const name of readdirSync(to)) {
    if (!existsSync(join(from, name))) continue;
    rmSync(join(to, name));
    linkSync(join(from, name), join(to, name));
  }
}

/**
 * Signs files with tsign itself, and attests how they were made and what they contain. The bundles go into `signatures/`:
 * NAME.sigstore.json, NAME.provenance.sigstore.json, NAME.spdx.sigstore.json and NAME.cyclonedx.sigstore.json.
 *
 * @param names files in the release's folder
 */
export async function signFiles(signing: Signing, names: readonly string[], predicates: Predicates): Promise<void> {
  const { flags, folder } = signing;
  mkdirSync(join(folder, "signatures"), { recursive: true });
  const suffixes = { slsaprovenance1: "provenance", spdxjson: "spdx", cyclonedx: "cyclonedx" } as const;
  for (const name of names) {
    const bundle = (suffix: string) => ["--bundle", join(folder, "signatures", `${name}${suffix}.sigstore.json`)];
    await tsign(signing, "sign-blob", ...flags, ...bundle(""), join(folder, name));
    for (const [type, suffix] of Object.entries(suffixes)) {
      const predicate = predicates[type as keyof typeof suffixes];
      const attesting = [...flags, "--type", type, "--predicate", predicate, ...bundle(`.${suffix}`)];
      await tsign(signing, "attest-blob", ...attesting, join(folder, name));
    }
  }
}
