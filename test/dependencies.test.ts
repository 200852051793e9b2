import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RegistryClientV2 } from "oci-registry-client";
import { challengeResponse, RepositoryClient } from "../src/oci/registry/protocol.ts";

/**
 * Internal modules of dependencies that tsign imports. If a new version moves or changes one, these tests
 * name what is missing and which file needs it.
 */

const read = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));
const installed = (name: string): string => read(`node_modules/${name}/package.json`).version;

/** Imports a module by a path into a package. */
async function inside(name: string, path: string, user: string): Promise<Record<string, unknown>> {
  try {
    return await import(`${name}/${path}`);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return assert.fail(`${name} ${installed(name)} has no ${path}, which ${user} needs: ${cause}`);
  }
}

function functionOf(module: Record<string, unknown>, name: string, needs: string): (...args: unknown[]) => unknown {
  const found = module[name];
  assert.ok(typeof found === "function", `${needs} needs ${name}, which is not there any more`);
  return found as (...args: unknown[]) => unknown;
}

test("@sigstore/verify: exports the log entry checks that src/verify/inclusion.ts imports", async () => {
  assert.equal(installed("@sigstore/verify"), read("package.json").dependencies["@sigstore/verify"]);
  const user = "src/verify/inclusion.ts";
  const tlog = await inside("@sigstore/verify", "dist/tlog/index.js", user);
  const inclusion = functionOf(tlog, "verifyTLogInclusion", user);
  const body = functionOf(tlog, "verifyTLogBody", user);
  const spec = { data: { hash: { value: "00" } }, signature: { content: "AA==" } };
  const entry = {
    kindVersion: { kind: "hashedrekord", version: "0.0.1" },
    canonicalizedBody: Buffer.from(JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.1", spec })),
  };
  assert.throws(() => inclusion(entry, []), { code: "TLOG_MISSING_INCLUSION_ERROR" }, "neither promise nor proof");
  assert.throws(() => inclusion({ ...entry, inclusionPromise: {}, logId: { keyId: Buffer.of() } }, []), "of no log");
  const asked: string[] = [];
  const content = (wrong: string) =>
    Object.fromEntries(
      ["compareSignature", "compareDigest", "compareSignedDigest", "verifySignature"].map((name) => [
        name,
        () => {
          asked.push(name);
          return name !== wrong;
        },
      ]),
    );
  assert.equal(body(entry, content("")), undefined);
  assert.deepEqual(asked, ["compareSignature", "compareSignedDigest"], "what the body of an entry is compared by");
  for (const wrong of ["compareSignature", "compareSignedDigest"]) {
    assert.throws(() => body(entry, content(wrong)), { code: "TLOG_BODY_ERROR" }, wrong);
  }
});

test("oci-registry-client: every request goes through the methods that src/oci/registry/protocol.ts overrides", async () => {
  const name = "oci-registry-client";
  assert.equal(installed(name), read("package.json").dependencies[name]);
  const own = Object.getOwnPropertyDescriptor(RegistryClientV2.prototype, "_api");
  const gone = `${name} ${installed(name)} has no getter _api: src/oci/registry/protocol.ts has to override something else`;
  assert.equal(typeof own?.get, "function", gone);
  const asked: string[] = [];
  const client = new RepositoryClient(
    { registry: "registry.test", repository: "a/b", name: "registry.test/a/b" },
    async (sent) => {
      asked.push(`${sent.method} ${sent.path}`);
      return { status: 200, headers: {}, bytes: Buffer.from('{"token":"t","tags":[]}') };
    },
  );
  await client.ping();
  await client.listTags();
  await client.deleteManifest({ ref: "v1" });
  const pingRes = challengeResponse('Bearer realm="https://auth.test/token",service="s"');
  const login = await client.performLogin({ pingRes, scope: "repository:a/b:pull" });
  assert.deepEqual(login, { type: "Bearer", token: "t" });
  assert.deepEqual(asked, [
    "GET /v2/",
    "GET /v2/a/b/tags/list",
    "DELETE /v2/a/b/manifests/v1",
    "GET https://auth.test/token?service=s&scope=repository%3Aa%2Fb%3Apull",
  ]);
});

test("oci-registry-client: unexpected status -> error with the response; error while sending -> rethrown unchanged", async () => {
  const repository = { registry: "registry.test", repository: "a/b", name: "registry.test/a/b" };
  const answer = {
    status: 404,
    headers: {},
    bytes: Buffer.from(""),
    url: new URL("https://registry.test/v2/?token=secret"),
  };
  const absent = new RepositoryClient(repository, async () => answer);
  const fields = { code: "registry", service: "registry", status: 404, url: "https://registry.test/v2/", answer };
  await assert.rejects(absent.deleteManifest({ ref: "v1" }), fields);
  const error = new Error("it broke");
  await assert.rejects(
    new RepositoryClient(repository, () => Promise.reject(error)).deleteManifest({ ref: "v1" }),
    error,
  );
});

/** Whether Node runs a file as CommonJS: by its ending, else by the package it is in. */
function isCommonJs(url: string): boolean {
  if (/\.[cm]js$/.test(url)) return url.endsWith(".cjs");
  const manifest = findPackageJSON(url);
  return manifest !== undefined && JSON.parse(readFileSync(manifest, "utf8")).type !== "module";
}

test("src: no dynamic import of a CommonJS package, which has no named exports in the built program", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const imports = globSync("src/**/*.ts", { cwd: root }).flatMap((file) => {
    const text = readFileSync(`${root}${file}`, "utf8");
    return [...text.matchAll(/await import\("([a-z@][^":]*)"\)/g)].map(([, name = ""]) => ({ file, name }));
  });
  assert.ok(imports.length > 5, `${imports.length} imports`);
  const wrong = imports.filter(({ name }) => isCommonJs(import.meta.resolve(name)));
  assert.deepEqual(wrong, []);
  assert.ok(isCommonJs(import.meta.resolve("yaml")), "a package that is CommonJS is told apart");
});
