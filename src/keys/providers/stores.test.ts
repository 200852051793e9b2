import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { type Asked, type FakeReply, KINDS, pemOf, refuses, serviceIo } from "../../../test/support/fake-service.ts";
import { messageOf } from "../../format/digest.ts";
import { writeKeyFile } from "../key-file.ts";
import { verifySignature } from "../verify.ts";
import { openGithub } from "./github.ts";
import { openGitlab } from "./gitlab.ts";
import { k8sProvider } from "./k8s.ts";
import { sealedBox } from "./sealed-box.ts";
import type { KeyProvider } from "./types.ts";

const key = KINDS["P-256"]?.() ?? assert.fail();
const PASSWORD = "pässword";
const pair = {
  privateKey: await writeKeyFile({ random: randomBytes }, key, Buffer.from(PASSWORD)),
  publicKey: pemOf(key),
  password: Buffer.from(PASSWORD),
};
const base64 = (text: string) => Buffer.from(text).toString("base64");

async function signsAndVerifies(provider: KeyProvider): Promise<void> {
  const message = Buffer.from("message");
  const { signature } = await (await provider.signer()).sign(message);
  const publicKey = await provider.publicKey();
  assert.equal(publicKey.pem, pair.publicKey);
  assert.ok(await verifySignature({ key: publicKey, message: messageOf(message), signature, hashes: ["sha256"] }));
}

const store = (provider: KeyProvider) => provider.store?.(pair) ?? assert.fail("it keeps nothing");

describe("GitLab", () => {
  const TOKEN = "glpat-secret";
  const env = { GITLAB_TOKEN: TOKEN, GITLAB_HOST: "https://gitlab.test/" };

  /** A server with one project and one group, which stores their variables. */
  function server(kept = new Map<string, string>()) {
    return ({ method, path, headers, json }: Asked): FakeReply => {
      if (headers["private-token"] !== TOKEN) return { status: 401 };
      const [, owner = "", name] =
        /^\/api\/v4\/((?:projects|groups)\/[^/]+)(?:\/variables(?:\/(.+))?)?$/.exec(path) ?? [];
      if (owner !== "projects/a%2Fb" && owner !== "groups/team") return { status: 404 };
      if (method === "POST") {
        const id = `${owner} ${json["key"]}`;
        if (kept.has(id))
          return { status: 400, json: { message: { key: [`(${json["key"]}) has already been taken`] } } };
        kept.set(id, String(json["value"]));
        return { status: 201, json };
      }
      if (name === undefined) return { json: { id: 1 } };
      const value = kept.get(`${owner} ${name}`);
      return value === undefined ? { status: 404 } : { json: { value } };
    };
  }

  for (const reference of ["gitlab://a/b", "gitlab://team"]) {
    test(`a key pair at ${reference} signs and verifies`, async () => {
      const { io, asked } = serviceIo(server(), { env });
      assert.equal((await store(openGitlab(io, reference))).length, 3);
      await signsAndVerifies(openGitlab(io, reference));
      const [password] = asked.filter(({ method }) => method === "POST");
      const stated = { key: "COSIGN_PASSWORD", variable_type: "env_var", masked: false, protected: false };
      assert.deepEqual(password?.json, { ...stated, value: PASSWORD, environment_scope: "*" });
    });
  }

  test("errors are one clear line", async () => {
    const at = (more: Record<string, string | undefined>, reference = "gitlab://a/b") => {
      const variables = Object.fromEntries(
        Object.entries({ ...env, ...more }).filter(([, value]) => value !== undefined),
      );
      return openGitlab(serviceIo(server(), { env: variables as Record<string, string> }).io, reference);
    };
    await refuses(at({ GITLAB_TOKEN: undefined }).signer(), { code: "auth", text: /GITLAB_TOKEN is not set/ });
    await refuses(at({ GITLAB_TOKEN: "wrong-one" }).signer(), {
      code: "auth",
      text: /refused GITLAB_TOKEN/,
      secrets: ["wrong-one"],
    });
    await refuses(at({}, "gitlab://x").signer(), { code: "input", text: /project or group not found/ });
    await refuses(at({}).signer(), { code: "input", text: /variable not found in the project: COSIGN_PASSWORD/ });
    const twice = openGitlab(serviceIo(server(), { env }).io, "gitlab://a/b");
    await store(twice);
    await refuses(store(twice), {
      code: "input",
      text: /cannot create the variable COSIGN_PASSWORD: it already exists/,
    });
    const denied = serviceIo(({ method }) => (method === "POST" ? { status: 403 } : { json: {} }), { env });
    await refuses(store(openGitlab(denied.io, "gitlab://a/b")), {
      code: "auth",
      text: /denied permission .*\n.*role Maintainer/,
      secrets: [TOKEN, PASSWORD],
    });
    const busy = serviceIo(() => ({ status: 429 }), { env });
    await refuses(openGitlab(busy.io, "gitlab://a/b").signer(), {
      code: "service",
      text: /still limits the request rate/,
    });
    const gone = serviceIo(() => undefined, { env });
    await refuses(openGitlab(gone.io, "gitlab://a/b").signer(), {
      code: "network",
      text: /connect to https:\/\/gitlab.test/,
    });
  });
});

describe("GitHub", () => {
  const TOKEN = "ghp_secret";
  const secret = randomBytes(32);
  const box = Buffer.from(x25519.getPublicKey(Uint8Array.from(secret)));

  test("sealedBox: another implementation can open the box", () => {
    assert.equal(Buffer.from(open(sealedBox({ random: randomBytes }, Buffer.from("hello"), box))).toString(), "hello");
    assert.throws(() => open(Buffer.from(sealedBox({ random: randomBytes }, Buffer.from("hello"), box)).reverse()));
  });

  /** crypto_box_seal_open of libsodium. */
  function open(sealed: Uint8Array): Uint8Array {
    const sender = Uint8Array.from(sealed.slice(0, 32));
    const shared = x25519.getSharedSecret(Uint8Array.from(secret), sender);
    const out = new Uint32Array(8);
    const words = (bytes: Uint8Array) => new Uint32Array(Uint8Array.from(bytes).buffer);
    hsalsa(words(Buffer.from("expand 32-byte k")), words(shared), new Uint32Array(4), out);
    const nonce = blake2b(Uint8Array.from([...sender, ...box]), { dkLen: 24 });
    return xsalsa20poly1305(new Uint8Array(out.buffer), nonce).decrypt(Uint8Array.from(sealed.slice(32)));
  }

  const hosts: [Record<string, string>, string, string][] = [
    [{}, "github://me/repo", "https://api.github.com/repos/me/repo"],
    [{ GITHUB_HOST: "https://ghe.test" }, "github://org", "https://ghe.test/api/v3/orgs/org"],
    [{ GITHUB_HOST: "ghe.test" }, "github://org", "https://ghe.test/api/v3/orgs/org"],
  ];
  for (const [env, reference, base] of hosts) {
    test(`writes a key pair to ${base}`, async () => {
      const { io, asked } = serviceIo(
        ({ method }) => (method === "PUT" ? { status: 201 } : { json: { key_id: "7", key: box.toString("base64") } }),
        { env: { ...env, GITHUB_TOKEN: TOKEN } },
      );
      await store(openGithub(io, reference));
      const written = asked.map(({ method, request, json }) => {
        assert.ok(request.url.href.startsWith(`${base}/actions/secrets/`), request.url.href);
        const encrypted = json["encrypted_value"];
        const value = encrypted ? Buffer.from(open(Buffer.from(String(encrypted), "base64"))).toString() : undefined;
        return [method, request.url.pathname.split("/").at(-1), value];
      });
      assert.deepEqual(written, [
        ["GET", "public-key", undefined],
        ["PUT", "COSIGN_PASSWORD", PASSWORD],
        ["PUT", "COSIGN_PRIVATE_KEY", pair.privateKey],
        ["PUT", "COSIGN_PUBLIC_KEY", pair.publicKey],
      ]);
      assert.ok(asked.every(({ headers }) => headers["authorization"] === `Bearer ${TOKEN}`));
    });
  }

  test("errors are one clear line, and secrets cannot be read back", async () => {
    const failing = (status: number, env: Record<string, string> = { GITHUB_TOKEN: TOKEN }) =>
      store(openGithub(serviceIo(() => ({ status }), { env }).io, "github://me/repo"));
    const secrets = [TOKEN, PASSWORD];
    await refuses(failing(200, {}), { code: "auth", text: /GITHUB_TOKEN is not set/ });
    await refuses(failing(401), { code: "auth", text: /refused GITHUB_TOKEN/, secrets });
    await refuses(failing(403), { code: "auth", text: /denied permission .*\n.*Secrets: write/, secrets });
    await refuses(failing(404), { code: "input", text: /me\/repo not found at https:\/\/api.github.com/, secrets });
    await refuses(failing(429), { code: "service", text: /still limits the request rate/, secrets });
    const { io } = serviceIo(() => assert.fail());
    for (const ask of ["signer", "publicKey", "facts"] as const) {
      await refuses(openGithub(io, "github://me")[ask](), {
        code: "input",
        text: /does not return secrets.*\n.*env:\/\/COSIGN_PRIVATE_KEY/,
      });
    }
    await refuses(() => openGithub(io, "github://a/b/c"), { code: "input", text: /invalid GitHub reference/ });
  });
});

describe("Kubernetes", () => {
  const SERVER = "https://cluster.test:6443";
  const library =
    (config: { server?: string; context?: string; fails?: Error; insecure?: boolean } = {}) =>
    async () => ({
      KubeConfig: class {
        loadFromDefault() {
          if (config.fails) throw config.fails;
        }
        getCurrentContext = () => config.context ?? "mine";
        getCurrentCluster = () => ({ server: config.server ?? SERVER });
        async applyToHTTPSOptions(options: object) {
          Object.assign(options, { headers: { Authorization: "Bearer k8s-secret" }, ca: Buffer.from("authority") });
          if (config.insecure) Object.assign(options, { rejectUnauthorized: false });
        }
      },
    });

  function cluster(options: { minor?: string; immutable?: boolean } = {}) {
    let secret: { data?: Record<string, string>; immutable?: boolean } | undefined;
    return ({ method, path, json }: Asked): FakeReply => {
      if (path === "/version") return { json: { major: "1", minor: options.minor ?? "35+" } };
      if (method === "GET")
        return secret ? { json: secret } : { status: 404, json: { message: 'secrets "s" not found' } };
      if (secret?.immutable) return { status: 422, json: { message: "field is immutable when `immutable` is set" } };
      assert.equal(path, `/api/v1/namespaces/ns/secrets${method === "PUT" ? "/s" : ""}`);
      secret = json;
      return { status: 201, json };
    };
  }

  test("a key pair in a secret signs and verifies, with the TLS settings and token of the cluster", async () => {
    const { io, asked } = serviceIo(cluster());
    const provider = k8sProvider(io, "k8s://ns/s", library());
    assert.deepEqual(await store(provider), ["Successfully created secret s in namespace ns"]);
    await signsAndVerifies(k8sProvider(io, "k8s://ns/s", library()));
    const created = asked.find(({ method }) => method === "POST")?.json ?? {};
    assert.equal(created["immutable"], true);
    assert.equal((created["data"] as Record<string, string>)["cosign.password"], base64(PASSWORD));
    assert.ok(asked.every(({ headers }) => headers["authorization"] === "Bearer k8s-secret"));
    assert.ok(asked.every(({ request }) => request.tls?.ca === "authority"));
    await refuses(store(provider), {
      code: "input",
      text: /cannot change secret .*field is immutable.*\n.*delete the secret first/,
    });
  });

  test("an existing secret of an old server is updated, and its other data kept", async () => {
    const { io, asked } = serviceIo((one) =>
      one.method === "GET" && one.path !== "/version"
        ? { json: { data: { other: "eA==" } } }
        : cluster({ minor: "20" })(one),
    );
    await store(k8sProvider(io, "k8s://ns/s", library()));
    const updated = asked.find(({ method }) => method === "PUT")?.json ?? {};
    assert.equal((updated["data"] as Record<string, string>)["other"], "eA==");
    assert.ok(!("immutable" in updated));
  });

  const failures: [FakeReply | undefined, string, RegExp][] = [
    [{ status: 401, json: { message: "Unauthorized" } }, "auth", /refused the credentials .*\n.*KUBECONFIG/],
    [
      { status: 403, json: { message: 'User "u" cannot get resource "secrets"' } },
      "auth",
      /denied permission to get secrets in namespace ns.*User "u"/,
    ],
    [{ status: 404, json: { message: 'secrets "s" not found' } }, "input", /secret s in namespace ns not found/],
    [{ status: 404, json: { message: 'namespaces "ns" not found' } }, "input", /namespace ns not found/],
    [{ json: { data: { "cosign.key": "eA==" } } }, "input", /secret ns\/s has no cosign.pub/],
    [{ status: 429 }, "service", /still limits the request rate/],
    [undefined, "network", /connect to https:\/\/cluster.test:6443: connection refused/],
  ];
  for (const [reply, code, text] of failures) {
    test(`${code} ${text} -> one clear line`, () => {
      const provider = k8sProvider(serviceIo(() => reply).io, "k8s://ns/s", library());
      return refuses(provider.publicKey(), { code, text, secrets: ["k8s-secret"] });
    });
  }

  test("a missing or unusable configuration: the error says what to set", async () => {
    const { io } = serviceIo(() => assert.fail());
    const none = library({ server: "http://localhost:8080", context: "loaded-context" });
    const looked = { code: "auth", text: /missing credentials for Kubernetes\nset KUBECONFIG or ~\/.kube\/config/ };
    await refuses(k8sProvider(io, "k8s://ns/s", none).publicKey(), looked);
    const broken = k8sProvider(io, "k8s://ns/s", library({ fails: new Error("ENOENT: no such file: /none") }));
    await refuses(broken.publicKey(), {
      code: "auth",
      text: /unusable Kubernetes configuration: ENOENT: no such file: \/none/,
    });
    const insecure = k8sProvider(io, "k8s://ns/s", library({ insecure: true }));
    const text = /insecure-skip-tls-verify cannot be used with certificate-authority\nremove insecure-skip-tls-verify/;
    await refuses(insecure.publicKey(), { code: "auth", text });
    for (const reference of ["k8s://ns", "k8s://ns/a/b", "k8s:///s", "k8s://NS/s", "k8s://ns/../x"]) {
      await refuses(() => k8sProvider(io, reference), { code: "input", text: /invalid Kubernetes reference/ });
    }
  });
});
