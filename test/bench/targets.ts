import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { systemIo } from "../../src/io/system.ts";
import { startSandbox } from "../../src/lib/sandbox.ts";
import { openRegistry, PLAIN_REGISTRY } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";

/** Flags that sign with a key alone. */
export const OFFLINE = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
export const LEGACY = "--new-bundle-format=false";

/** Images, files and services that the cases use. */
export interface Images {
  /** Images signed by key as a bundle, by key in the legacy form, and by an identity; and one with an attestation. */
  readonly bundle: string;
  readonly legacy: string;
  readonly keyless: string;
  readonly attested: string;
  /** The first of them over https, whose authority is in the file. */
  readonly secure: { readonly image: string; readonly ca: string };
  /** Pushes another image. */
  push(name: string): Promise<string>;
  token(): string;
  /** The sandbox's trusted root and signing config, and the variables with which TUF uses it. */
  readonly trustedRoot: string;
  readonly signingConfig: string;
  readonly tuf: Readonly<Record<string, string>>;
  /** `registry/repository:tag` of an image of 60 MB in docker-registry; undefined if that is not installed. */
  readonly large: string | undefined;
  close(): Promise<void>;
}

const EMAIL = "bench@example.com";
/** Flags that verify the identity. */
export const identity = (issuer: string) => ["--certificate-identity", EMAIL, "--certificate-oidc-issuer", issuer];

/** Prepares them; everything is signed by cosign. */
export async function prepareImages(options: {
  folder: string;
  tools: string;
  cosign: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<void>;
}): Promise<Images & { issuer: string }> {
  const { folder, cosign } = options;
  const sandbox = await startSandbox({ folder: join(folder, "sandbox") });
  const { variables } = sandbox;
  const value = (name: string) => variables[name] ?? "";
  const signingConfig = value("TSIGN_SANDBOX_SIGNING_CONFIG");
  const trustedRoot = value("TSIGN_SANDBOX_TRUSTED_ROOT");
  const token = () => sandbox.token({ email: EMAIL });
  const push = (name: string) => sandbox.pushImage(name);
  const [bundle, legacy, keyless, attested] = await Promise.all(["bundle", "legacy", "keyless", "attested"].map(push));
  const key = ["--key", "cosign.key", ...OFFLINE];
  await cosign(["generate-key-pair"]);
  for (const file of ["small", "large"]) await cosign(["sign-blob", ...key, "--bundle", `${file}.json`, file]);
  await cosign(["sign", ...key, bundle ?? ""]);
  await cosign(["sign", ...key, LEGACY, legacy ?? ""]);
  writeFileSync(join(folder, "predicate.json"), JSON.stringify({ passed: true }));
  writeFileSync(join(folder, "policy.cue"), "predicate: passed: true\n");
  writeFileSync(
    join(folder, "policy.rego"),
    "package signature\n\ndefault allow = false\n\nallow {\n  input.predicate.passed == true\n}\n",
  );
  await cosign([
    "attest",
    ...key,
    "--type",
    "https://example.com/check",
    "--predicate",
    "predicate.json",
    attested ?? "",
  ]);
  const services = ["--signing-config", signingConfig, "--trusted-root", trustedRoot, "-y"];
  await cosign(["sign", ...services, "--identity-token", token(), keyless ?? ""]);
  await cosign(["sign-blob", ...services, "--identity-token", token(), "--bundle", "keyless.json", "small"]);
  const front = await secureFront(sandbox.registry, folder);
  const registry = await dockerRegistry(options);
  if (registry) await pushLarge(registry.address);
  const tuf = Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith("TUF_")));
  return {
    bundle: bundle ?? "",
    legacy: legacy ?? "",
    keyless: keyless ?? "",
    attested: attested ?? "",
    secure: { image: (bundle ?? "").replace(sandbox.registry, front.address), ca: front.ca },
    push,
    token,
    trustedRoot,
    signingConfig,
    tuf,
    issuer: sandbox.urls.issuer,
    large: registry && `${registry.address}/large:v1`,
    async close() {
      registry?.child.kill();
      front.close();
      await sandbox.close();
    },
  };
}

/** Serves the registry over https, with a certificate whose authority is in the file `ca`. */
async function secureFront(registry: string, folder: string) {
  const authority = tlsAuthority("bench", { to: 24 * 3600 });
  const [host = "", port = ""] = registry.split(":");
  const server = https.createServer(authority.issue(["localhost"], { to: 24 * 3600 }), (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const passed = http.request({ host, port, method, path, headers: { ...headers, host: registry } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, authority.cert);
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `localhost:${(server.address() as AddressInfo).port}`, ca, close };
}

/** Starts docker-registry with an empty storage folder. */
async function dockerRegistry({ folder, tools }: { folder: string; tools: string }) {
  const program = join(tools, "bin/docker-registry");
  if (!existsSync(program)) return undefined;
  const storage = join(folder, "registry");
  mkdirSync(storage);
  const port = 20_000 + (process.pid % 20_000);
  const config = join(folder, "registry.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const child: ChildProcess = spawn(program, ["serve", config], { stdio: "ignore" });
  const address = `localhost:${port}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    const ready = await fetch(`http://${address}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return { address, child };
    await setTimeout(50);
  }
  throw new Error(`${program} does not answer on port ${port}`);
}

/** Pushes an image of three layers of 20 MB. */
async function pushLarge(registry: string): Promise<void> {
  const store = await openRegistry(systemIo(), parseReference(`${registry}/large`), PLAIN_REGISTRY);
  const put = async (content: Uint8Array, mediaType: string) => ({ ...(await store.putBlob(content)), mediaType });
  const layers = await Promise.all(
    [1, 2, 3].map(() => put(randomBytes(20_000_000), "application/vnd.oci.image.layer.v1.tar")),
  );
  const config = await put(
    Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } })),
    "application/vnd.oci.image.config.v1+json",
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  await store.putManifest(manifest, { mediaType, tag: "v1" });
}
