import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BEFORE, PROGRAM } from "./support/program.ts";
import { run, temporaryFolder } from "./support/test-io.ts";
import { selfSigned, tlsAuthority } from "./support/tls-authorities.ts";

/**
 * Which servers are trusted, by Node and by the executable (`npm run test:executable`), which have different TLS libraries. Every
 * case expects what cosign 3.1.2 does.
 */
const LOCAL = ["localhost", "127.0.0.1"];
const PAST = { from: -1000, to: -10 };
const FUTURE = { from: 1000, to: 2000 };

const authority = tlsAuthority("authority");
const other = tlsAuthority("other");
const expiredAuthority = tlsAuthority("expired authority", PAST);

const CERTIFICATES = {
  good: authority.issue(LOCAL),
  "another name": authority.issue(["registry.example", "192.0.2.1"]),
  expired: authority.issue(LOCAL, PAST),
  "not yet valid": authority.issue(LOCAL, FUTURE),
  "self-signed": selfSigned(LOCAL),
  "another key of the authority's name": tlsAuthority("authority").issue(LOCAL),
  "an expired authority": expiredAuthority.issue(LOCAL),
  "a client's": authority.issue([]),
};
type Kind = keyof typeof CERTIFICATES;

const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/** Starts a server that answers 404 to everything; returns its address. */
async function serve(t: TestContext, options: ServerOptions): Promise<string> {
  const server = createServer(options, (_, response) => response.writeHead(404).end());
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `localhost:${(server.address() as AddressInfo).port}`;
}

type Environment = Readonly<Record<string, string>>;

/** Runs tsign as a process. */
async function start(args: readonly string[], env: Environment, cwd: string) {
  const child = spawn(PROGRAM, [...BEFORE, ...args], { cwd, env: { PATH: process.env["PATH"], HOME: cwd, ...env } });
  let stderr = "";
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  const [code] = await once(child, "close");
  return { code: code as number, stderr };
}

/** Runs tsign in this process, which is faster, or the executable. */
async function runEither(args: string[], env: Environment, cwd: string) {
  if (process.env["TSIGN_EXECUTABLE"] !== undefined) return start(args, env, cwd);
  const names = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
  const before = names.map((name) => process.env[name] ?? "");
  for (const name of names) process.env[name] = env[name] ?? "";
  try {
    return await run(args, { cwd, env });
  } finally {
    for (const [index, name] of names.entries()) process.env[name] = before[index];
  }
}

/** A command line that reads a key from a server. */
const readKey = (address: string) => {
  const key = `https://${address}/key.pub`;
  return ["verify-blob", "--key", key, "--signature", "nothing.pem", "--insecure-ignore-tlog", "nothing.pem"];
};

function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  const file = (name: string, content: string) => {
    const path = join(cwd, name);
    writeFileSync(path, content);
    return path;
  };
  const directory = (name: string, ...contents: readonly string[]) => {
    mkdirSync(join(cwd, name));
    for (const [index, content] of contents.entries()) file(`${name}/${index}.0`, content);
    return join(cwd, name);
  };
  const nothing = file("nothing.pem", "");
  const empty = directory("empty");
  /** Reads a key from the server: "trusted" when that reaches it, otherwise the error. */
  const read = async (address: string, env: Environment) => {
    const { code, stderr } = await runEither(readKey(address), env, cwd);
    assert.equal(code, 1, stderr);
    return /the server returned 404/.test(stderr) ? "trusted" : stderr;
  };
  /** Looks for an image in the registry: "trusted" when that reaches it, otherwise the error. */
  const look = async (address: string, flags: string[], env: Environment = {}) => {
    const { code, stderr } = await runEither(["tree", ...flags, `${address}/app:v1`], env, cwd);
    assert.notEqual(code, 0, stderr);
    return /no such image/.test(stderr) ? "trusted" : stderr;
  };
  return { cwd, file, directory, nothing, empty, read, look };
}

const REFUSALS: Readonly<Record<Exclude<Kind, "good">, RegExp>> = {
  "another name": /does not match/,
  expired: /certificate has expired/,
  "not yet valid": /certificate is not yet valid/,
  "self-signed": /certificate is self-signed/,
  "another key of the authority's name": /unknown authority/,
  "an expired authority": /unknown authority/,
  "a client's": /is not for servers/,
};

test("TLS: only a valid certificate for the name, from a trusted authority, is accepted", async (t) => {
  const { read, look, file, empty } = workshop(t);
  const ca = file("ca.pem", authority.cert);
  const env = { SSL_CERT_FILE: ca, SSL_CERT_DIR: empty };
  for (const [kind, certificate] of Object.entries(CERTIFICATES)) {
    const address = await serve(t, certificate);
    const answers = [
      await read(address, env),
      await look(address, [], env),
      await look(address, ["--registry-cacert", ca]),
    ];
    for (const answer of answers) {
      if (kind === "good") assert.equal(answer, "trusted");
      else assert.match(answer, REFUSALS[kind as Exclude<Kind, "good">], kind);
    }
  }
});

test("TLS: a certificate from an authority that has expired -> refused", async (t) => {
  const { read, file, empty } = workshop(t);
  const address = await serve(t, CERTIFICATES["an expired authority"]);
  const env = { SSL_CERT_FILE: file("old.pem", expiredAuthority.cert), SSL_CERT_DIR: empty };
  assert.match(await read(address, env), /expired/);
});

test("TLS: SSL_CERT_FILE and SSL_CERT_DIR name the trusted authorities, as for Go", async (t) => {
  const { cwd, read, file, directory, nothing, empty } = workshop(t);
  const address = await serve(t, CERTIFICATES.good);
  const ca = file("ca.pem", authority.cert);
  const missing = join(cwd, "missing");
  const trusted: readonly Environment[] = [
    { SSL_CERT_FILE: ca },
    { SSL_CERT_FILE: file("bundle.pem", `text\n${other.cert}${BROKEN}${authority.cert}`), SSL_CERT_DIR: empty },
    { SSL_CERT_FILE: file("lines.pem", authority.cert.replaceAll("\n", "\r\n")), SSL_CERT_DIR: empty },
    { SSL_CERT_DIR: directory("folder", other.cert, "no certificate", authority.cert) },
    { SSL_CERT_FILE: missing, SSL_CERT_DIR: `${missing}:${directory("second", authority.cert)}` },
    { SSL_CERT_FILE: file("leaf.pem", CERTIFICATES.good.cert), SSL_CERT_DIR: empty },
  ];
  for (const env of trusted) assert.equal(await read(address, env), "trusted", JSON.stringify(env));
  const unknown: readonly Environment[] = [
    {},
    { SSL_CERT_FILE: file("other.pem", other.cert), SSL_CERT_DIR: directory("others", other.cert) },
    { SSL_CERT_FILE: file("removed.pem", other.cert), SSL_CERT_DIR: directory("removed", BROKEN) },
  ];
  for (const env of unknown) assert.match(await read(address, env), /unknown authority/, JSON.stringify(env));
  for (const env of [
    { SSL_CERT_FILE: nothing, SSL_CERT_DIR: empty },
    { SSL_CERT_FILE: missing, SSL_CERT_DIR: missing },
    { SSL_CERT_FILE: file("broken.pem", BROKEN), SSL_CERT_DIR: empty },
  ]) {
    assert.match(await read(address, env), /found none|unknown authority/, JSON.stringify(env));
  }
});

test("--registry-cacert: only its authorities are trusted", async (t) => {
  const { look, file, empty } = workshop(t);
  const address = await serve(t, CERTIFICATES.good);
  const ca = file("ca.pem", authority.cert);
  const env = { SSL_CERT_FILE: ca, SSL_CERT_DIR: empty };
  const both = file("both.pem", other.cert + authority.cert);
  assert.equal(await look(address, ["--registry-cacert", both], {}), "trusted");
  assert.match(await look(address, ["--registry-cacert", file("other.pem", other.cert)], env), /unknown authority/);
  assert.equal(await look(address, ["--allow-insecure-registry"], {}), "trusted");
  const named = await serve(t, CERTIFICATES["another name"]);
  const name = ["--registry-cacert", ca, "--registry-server-name"];
  assert.equal(await look(named, [...name, "registry.example"]), "trusted");
  assert.match(await look(named, [...name, "other.example"]), /does not match/);
});

const REFUSED = /the server refused the TLS handshake|connection (reset|closed)/;

test("client certificates: the server's authority accepts one, and refuses none or another's", async (t) => {
  const { look, file } = workshop(t);
  const options = { ...CERTIFICATES.good, requestCert: true, rejectUnauthorized: true, ca: authority.cert };
  const address = await serve(t, options);
  // Under TLS 1.3 a server that refuses may end the connection before its alert is read.
  const older = await serve(t, { ...options, maxVersion: "TLSv1.2" });
  const ca = ["--registry-cacert", file("ca.pem", authority.cert)];
  const flags = (name: string, { cert, key }: { cert: string; key: string }) => [
    ...ca,
    "--registry-client-cert",
    file(`${name}.pem`, cert),
    "--registry-client-key",
    file(`${name}.key`, key),
  ];
  assert.equal(await look(address, flags("client", CERTIFICATES["a client's"])), "trusted");
  assert.equal(await look(older, flags("client12", CERTIFICATES["a client's"])), "trusted");
  assert.match(await look(older, ca), REFUSED);
  assert.match(await look(older, flags("foreign", other.issue([]))), REFUSED);
});

test("TLS: variables for JavaScript runtimes change nothing", async (t) => {
  const { cwd, file, empty } = workshop(t);
  const address = await serve(t, CERTIFICATES.good);
  const env = {
    NODE_EXTRA_CA_CERTS: file("ca.pem", authority.cert),
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_USE_SYSTEM_CA: "1",
    SSL_CERT_FILE: file("other.pem", other.cert),
    SSL_CERT_DIR: empty,
  };
  const { code, stderr } = await start(readKey(address), env, cwd);
  assert.equal(code, 1);
  assert.match(stderr, /unknown authority/);
  assert.match(stderr, /hint: set SSL_CERT_FILE/);
});
