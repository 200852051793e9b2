import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { folder, must, NO_LOG, OFFLINE, run, TSIGN } from "./support.ts";

/** A CA, a server certificate for localhost and registry.example, and a client certificate. */
function makeCertificates(cwd: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=suite CA", "-days", "2");
  for (const [name, extension] of [
    ["server", "subjectAltName=DNS:localhost,DNS:registry.example"],
    ["named", "subjectAltName=DNS:registry.example"],
    ["client", "extendedKeyUsage=clientAuth"],
  ] as const) {
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(join(cwd, "ext"), extension);
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...sign);
  }
}

async function registry(
  context: TestContext,
  options: { cwd: string; kind: "tls" | "mtls"; certificate: string },
): Promise<string> {
  const { cwd, kind, certificate } = options;
  const ports = join(folder(context), "ports");
  const args = [
    "-portfile",
    ports,
    "-cert",
    `${certificate}.pem`,
    "-key",
    `${certificate}.key`,
    "-client-ca",
    "ca.pem",
  ];
  const child = spawn("treg", [...args, "-listen", `r,referrers,${kind}`], { cwd, stdio: "ignore" });
  context.after(() => child.kill());
  for (let attempt = 0; attempt < 200 && !existsSync(ports); attempt++) await setTimeout(50);
  return `localhost:${readFileSync(ports, "utf8").trim().split(" ")[1]}`;
}

/** Pushes, signs and verifies with the given registry flags. */
async function roundTrip(address: string, flags: string[], cwd: string): Promise<string> {
  const pushed = await must(TSIGN, ["sandbox", "push", "tls:v1", ...flags], { cwd, env: { TSIGN_SANDBOX: address } });
  const image = pushed.stdout.trim();
  await must(TSIGN, ["sign", "--key", "cosign.key", ...OFFLINE, ...flags, image], { cwd });
  await must(TSIGN, ["verify", "--key", "cosign.pub", NO_LOG, ...flags, image], { cwd });
  return image;
}

test("registries over TLS: wrong CA, name or client certificate -> refused", async (context) => {
  const cwd = folder(context);
  makeCertificates(cwd);
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const ca = ["--registry-cacert", "ca.pem"];
  const client = ["--registry-client-cert", "client.pem", "--registry-client-key", "client.key"];
  const refused = async (image: string, flags: string[], reason: RegExp, env = {}) => {
    const result = await run(TSIGN, ["verify", "--key", "cosign.pub", NO_LOG, ...flags, image], { cwd, env });
    assert.equal(result.code, 1);
    assert.match(result.stderr, reason);
  };

  const plain = await registry(context, { cwd, kind: "tls", certificate: "server" });
  const image = await roundTrip(plain, ca, cwd);
  await roundTrip(plain, ["--allow-insecure-registry"], cwd);
  await refused(image, [], /unknown authority|self-signed/);
  await refused(image, [], /unknown authority|self-signed/, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  // Like Go programs: the system's certificate authorities, which SSL_CERT_FILE names.
  const system = { SSL_CERT_FILE: join(cwd, "ca.pem") };
  await must(TSIGN, ["verify", "--key", "cosign.pub", NO_LOG, image], { cwd, env: system });
  await refused(image, ["--registry-cacert", "missing.pem"], /read missing.pem/);
  await refused(image, ["--registry-cacert", "cosign.pub"], /missing PEM block of type CERTIFICATE/);

  const mutual = await registry(context, { cwd, kind: "mtls", certificate: "server" });
  const guarded = await roundTrip(mutual, [...ca, ...client], cwd);
  await refused(guarded, ca, /connect to|alert/);
  await refused(guarded, [...ca, "--registry-client-cert", "client.pem"], /requires --registry-client-key/);

  const named = await registry(context, { cwd, kind: "tls", certificate: "named" });
  const elsewhere = await roundTrip(named, [...ca, "--registry-server-name", "registry.example"], cwd);
  await refused(elsewhere, ca, /connect to/);
});
