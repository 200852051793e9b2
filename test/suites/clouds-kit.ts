import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";

/** The registries that stand in for the clouds' own, with the user name and password that open each. */
export const REGISTRIES = {
  "ghcr.io": "octo:ghp_token",
  "europe-docker.pkg.dev": "_token:google-token",
  "suite.azurecr.io": "refresh:azure-refresh",
  "123456789012.dkr.ecr.eu-central-1.amazonaws.com": "AWS:ecr-password",
  "public.ecr.aws": "AWS:public-password",
  "registry.cn-hangzhou.aliyuncs.com": "personal:alibaba-password",
  "suite-registry.cn-hangzhou.cr.aliyuncs.com": "instance:alibaba-password of cri-suite",
  "suite.azurecr.io.evil.example": "nobody:nothing",
} as const;

/** A request to a service of a cloud, not to a registry; `secret` is the credential in it. */
export interface ServiceCall {
  readonly host: string;
  readonly path: string;
  readonly secret: string;
}

export interface Clouds {
  /** The variables that send a program's requests here and make it trust the certificates. */
  readonly env: Readonly<Record<string, string>>;
  /** Host and port of Google's metadata server; its other paths are those of Azure. */
  readonly metadata: string;
  /** Credentials that the registries received since the last call, sorted, without duplicates. */
  takeShown(): string[];
  takeCalls(): ServiceCall[];
}

const SERVICES = [
  "oauth2.googleapis.com",
  "login.microsoftonline.com",
  "api.ecr.eu-central-1.amazonaws.com",
  "ecr.eu-central-1.amazonaws.com",
  "api.ecr-public.us-east-1.amazonaws.com",
  "ecr-public.us-east-1.api.aws",
  "cr.cn-hangzhou.aliyuncs.com",
];

/** The clouds and their registries on loopback, behind a proxy that sends every name there. */
export async function startClouds(context: TestContext, cwd: string): Promise<Clouds> {
  const certificate = makeCertificate(cwd, [...Object.keys(REGISTRIES), ...SERVICES]);
  const shown = new Set<string>();
  const calls: ServiceCall[] = [];
  const registries = new Map(Object.keys(REGISTRIES).map((host) => [host, createRegistryHandler({ referrers: true })]));
  const cloud = createTlsServer(certificate, (incoming, outgoing) => {
    void (async () => {
      const host = incoming.headers.host ?? "";
      const registry = registries.get(host);
      const answer = registry
        ? await askRegistry({ host, incoming, shown, registry })
        : await askService(incoming, calls);
      await send(outgoing, answer);
    })();
  });
  const tls = await listen(context, cloud);
  const proxy = createServer();
  proxy.on("connect", (_: IncomingMessage, socket, head: Buffer) => {
    const onwards = connect(tls, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onwards.write(head);
      socket.pipe(onwards).pipe(socket);
    });
    for (const each of [socket, onwards]) each.on("error", () => {});
  });
  const metadata = createServer((incoming, outgoing) => {
    const token = incoming.headers["metadata-flavor"] === "Google" ? "google-token" : "entra-token";
    void send(outgoing, { status: 200, headers: { "metadata-flavor": "Google" }, body: json({ access_token: token }) });
  });
  return {
    env: { HTTPS_PROXY: `http://127.0.0.1:${await listen(context, proxy)}`, SSL_CERT_FILE: join(cwd, "ca.pem") },
    metadata: `127.0.0.1:${await listen(context, metadata)}`,
    takeShown() {
      const taken = [...shown].sort();
      shown.clear();
      return taken;
    },
    takeCalls: () => calls.splice(0),
  };
}

interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

const json = (value: unknown) => JSON.stringify({ expires_in: 3600, token_type: "Bearer", ...(value as object) });
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

/** A registry that issues tokens for its password (Azure: for its refresh token), or accepts the password itself (ECR). */
async function askRegistry(by: {
  host: string;
  incoming: IncomingMessage;
  shown: Set<string>;
  registry: ReturnType<typeof createRegistryHandler>;
}): Promise<Reply> {
  const { host, incoming, shown, registry } = by;
  const { authorization = "" } = incoming.headers;
  const password: string = REGISTRIES[host as keyof typeof REGISTRIES];
  const url = incoming.url ?? "/";
  if (url.startsWith("/oauth2/exchange")) {
    const form = new URLSearchParams(await readText(incoming));
    shown.add(`${host} exchange ${form.get("access_token")} for ${form.get("service")}`);
    return { status: 200, body: json({ refresh_token: "azure-refresh" }) };
  }
  if (url.startsWith("/token")) {
    const form = new URLSearchParams(incoming.method === "POST" ? await readText(incoming) : "");
    const given = form.has("refresh_token") ? basic(`refresh:${form.get("refresh_token")}`) : authorization;
    shown.add(`${host} token ${decode(given)}`);
    const token = { token: "sesame", access_token: "sesame" };
    return given === basic(password) ? { status: 200, body: json(token) } : { status: 401 };
  }
  const isBasic = password.startsWith("AWS:");
  if (authorization !== (isBasic ? basic(password) : "Bearer sesame")) {
    if (isBasic && authorization !== "") shown.add(`${host} ${decode(authorization)}`);
    const challenge = isBasic ? 'Basic realm="ecr"' : `Bearer realm="https://${host}/token",service="${host}"`;
    return { status: 401, headers: { "www-authenticate": challenge } };
  }
  if (isBasic) shown.add(`${host} ${decode(authorization)}`);
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  // The sandbox answers only to names of this machine.
  const local = { ...headers, host: "localhost" };
  return registry({ method: incoming.method ?? "GET", url, headers: local, body: incoming });
}

function decode(authorization: string): string {
  return Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString("utf8");
}

/** Answers of the clouds' services to requests with the suite's secrets. */
async function askService(incoming: IncomingMessage, calls: ServiceCall[]): Promise<Reply> {
  const { host = "", authorization = "" } = incoming.headers;
  const path = (incoming.url ?? "/").split("?")[0] ?? "/";
  const text = await readText(incoming);
  const form = new URLSearchParams(text);
  const signature = /^(\S+) Credential=([^/,]+)/.exec(authorization);
  const secret =
    form.get("client_secret") ?? form.get("client_assertion") ?? form.get("refresh_token") ?? signature?.[2] ?? "";
  calls.push({ host, path, secret });
  if (secret === "wrong") return { status: 401, body: json({ error: "invalid_client" }) };
  const token = (pair: string) => Buffer.from(pair).toString("base64");
  const { searchParams: query } = new URL(incoming.url ?? "/", "https://x");
  if (host === "oauth2.googleapis.com") return { status: 200, body: json({ access_token: "google-token" }) };
  if (host === "login.microsoftonline.com") return { status: 200, body: json({ access_token: "entra-token" }) };
  if (/^api\.ecr\.|^ecr\./.test(host)) {
    const authorizationData = [
      {
        authorizationToken: token("AWS:ecr-password"),
        expiresAt: 2_000_000_000,
        proxyEndpoint: "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com",
      },
    ];
    return {
      status: 200,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: json({ authorizationData }),
    };
  }
  if (/ecr-public/.test(host)) {
    const authorizationData = { authorizationToken: token("AWS:public-password"), expiresAt: 2_000_000_000 };
    return {
      status: 200,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: json({ authorizationData }),
    };
  }
  return { status: 200, headers: { "content-type": "application/json" }, body: json(alibaba(path, incoming, query)) };
}

/** Container Registry of Alibaba Cloud: both generations of its API. */
function alibaba(path: string, { headers }: IncomingMessage, query: URLSearchParams): unknown {
  const expires = 2_000_000_000_000;
  if (path === "/tokens") {
    const password = { tempUserName: "personal", authorizationToken: "alibaba-password", expireDate: expires };
    return { data: password };
  }
  if (headers["x-acs-action"] === "ListInstance" || query.get("Action") === "ListInstance") {
    return { IsSuccess: true, Instances: [{ InstanceName: "suite", InstanceId: "cri-suite" }] };
  }
  const AuthorizationToken = `alibaba-password of ${query.get("InstanceId")}`;
  return { IsSuccess: true, TempUsername: "instance", AuthorizationToken, ExpireTime: expires };
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

async function send(outgoing: ServerResponse, { status, headers = {}, body = "" }: Reply): Promise<void> {
  outgoing.writeHead(status, headers);
  if (typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
  else {
    for await (const piece of body) outgoing.write(piece);
    outgoing.end();
  }
}

async function listen(context: TestContext, server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A CA that the programs trust, and one certificate for all hosts. */
function makeCertificate(cwd: string, hosts: readonly string[]): { key: Buffer; cert: Buffer } {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=suite CA", "-days", "2");
  openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=clouds");
  writeFileSync(join(cwd, "ext"), `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(",")}`);
  const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
  openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", ...sign);
  return { key: readFileSync(join(cwd, "server.key")), cert: readFileSync(join(cwd, "server.pem")) };
}
