import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { HttpRequest } from "../src/io/io.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { PASSWORD, writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

/** An image, a key pair `a` and a file, in a sandbox with all services whose trust comes from TUF. */
async function workshop(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a");
  for (const [name, content] of Object.entries({
    "tuf_root.json": sigstore.files["tuf_root.json"],
    "rekor1.json": sigstore.signingConfig.rekor1Tsa,
    "none.json": '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}',
    "predicate.json": '{"a":1}',
    file: "text",
    token: sigstore.mint("alice@example.com"),
  })) {
    writeFileSync(join(cwd, name), content);
  }
  const ref = parseReference(`${sigstore.registry}/team/app:v1`);
  const store = await openRegistry(testIo({ cwd, io: sigstore.io }), ref, PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const env = { COSIGN_PASSWORD: PASSWORD, TUF_MIRROR: sigstore.at.tuf, TUF_ROOT_JSON: join(cwd, "tuf_root.json") };
  const sent: string[] = [];
  const io = {
    ...sigstore.io,
    http: (request: HttpRequest) => {
      sent.push(`${request.method} ${request.url.pathname}`);
      return sigstore.io.http(request);
    },
  };
  /** Runs a command, and returns its requests besides reading ones, and the files that it created or changed. */
  const tsign = async (...argv: string[]) => {
    const before = filesBelow(cwd);
    sent.length = 0;
    const outcome = await run(argv, { cwd, env, io });
    const changes = [...filesBelow(cwd)].filter(([path, content]) => before.get(path) !== content);
    return {
      ...outcome,
      changing: sent.filter((each) => !/^(GET|HEAD) /.test(each)),
      files: changes.map(([path]) => path).toSorted(),
    };
  };
  return { tsign, sigstore, image: `${ref.name}@${digest}`, name: ref.name, digest };
}

function filesBelow(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return new Map(
    names.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path, "latin1")];
    }),
  );
}

const KEYED = ["--key", "a.key"];
const KEYLESS = ["--identity-token", "token"];

for (const [words, more, target, written] of [
  ["sign", [], "image", []],
  ["sign", ["--format=both"], "image", []],
  ["sign", ["--bundle=out.json"], "image", ["out.json"]],
  ["attest", ["--predicate=predicate.json"], "image", []],
  ["attest", ["--predicate=predicate.json", "--format=both"], "image", []],
  ["sign-blob", ["--bundle=out.json"], "file", ["out.json"]],
  ["attest-blob", ["--predicate=predicate.json", "--bundle=out.json"], "file", ["out.json"]],
] as const) {
  for (const who of [KEYED, KEYLESS]) {
    test(`${words} --dry-run ${[...more, ...who].join(" ")}: nothing changes; without --dry-run it does`, async (t) => {
      const { tsign, sigstore, image, name, digest } = await workshop(t);
      const config = [...more].join().includes("both") ? ["--signing-config", "rekor1.json"] : [];
      const line = [words, "--yes", ...who, ...config, ...more, target === "image" ? image : "file"];
      const dry = await tsign(...line, "--dry-run");
      assert.equal(dry.code, 0, dry.stderr);
      assert.deepEqual(dry.changing, [], "requests of the dry run");
      assert.deepEqual(dry.files, [], "files of the dry run");
      assert.match(dry.stderr, /^Note: this was a dry run: nothing was stored, written or published$/m);
      assert.match(dry.stdout, new RegExp(`^Would sign ${target === "image" ? image : "file"}$`, "m"));
      assert.match(
        dry.stdout,
        who === KEYED
          ? /^\tsigner: +ECDSA P-256 key a\.key, key ID [0-9a-f]{64}$/m
          : /^\tsigner: +alice@example\.com, with a new key$/m,
      );
      assert.match(
        dry.stdout,
        /^\tpublic: +at 127\.0\.0\.1:1: the digest of the (statement|content), the signature, /m,
      );
      assert.equal(/^\tpublic: .*a certificate with the identity/m.test(dry.stdout), who === KEYLESS);
      if (target === "image") assert.match(dry.stdout, new RegExp(`^\\tstored: +${name}, as a Sigstore bundle`, "m"));
      assert.equal(dry.stdout.includes(`:${digest.replace(":", "-")}.`), more.join().includes("both"));
      for (const path of written) assert.match(dry.stdout, new RegExp(`^\\twritten: +${path}$`, "m"));

      const json = await tsign(...line, "--dry-run", "--json");
      const { result } = jsonAnswer(json, words).document as unknown as { result: Record<string, unknown[]> };
      assert.deepEqual([result["stored"], result["removed"], result["files"]], [[], [], []]);
      const [planned] = result["planned"] as { subject: string; files: string[]; services: { role: string }[] }[];
      assert.equal(planned?.subject, target === "image" ? image : "file");
      assert.deepEqual(planned?.files, written);
      assert.equal(
        planned?.services.some(({ role }) => role === "certificate authority"),
        who === KEYLESS,
      );

      const real = await tsign(...line);
      assert.equal(real.code, 0, real.stderr);
      assert.ok(
        real.changing.some((each) => /^POST .*(log|entries)/.test(each)),
        real.changing.join(),
      );
      assert.equal(
        real.changing.some((each) => /signingCert/.test(each)),
        who === KEYLESS,
      );
      assert.equal(
        real.changing.some((each) => each.startsWith("PUT /v2/")),
        target === "image",
      );
      for (const path of written) assert.ok(real.files.includes(path));
      assert.ok(sigstore.requests.length > 0);
    });
  }
}

test("sign --dry-run without services: nothing becomes public", async (t) => {
  const { tsign, image } = await workshop(t);
  const { code, stdout, changing, files } = await tsign(
    "sign",
    ...KEYED,
    "--signing-config=none.json",
    "--dry-run",
    image,
  );
  assert.equal(code, 0);
  assert.match(stdout, /^\tpublic: +nothing$/m);
  assert.doesNotMatch(stdout, /^\tsent:/m);
  assert.deepEqual([changing, files], [[], []]);
});

test("sign --dry-run: what would fail before the first write -> fails", async (t) => {
  const { tsign, sigstore, image, name } = await workshop(t);
  for (const [args, message] of [
    [[...KEYED, `${name}:missing`], /no such image/],
    [["--key", "missing.key", image], /missing\.key/],
    [["--identity-token", sigstore.mint("a@example.com", {}, { aud: "other" }), image], /audience mismatch/],
    [[image], /no identity token|cannot log in|identity/],
    [[...KEYLESS, "--skip-signed", image], /--skip-signed with --dry-run requires --key/],
    [[...KEYED, "--bundle=no/such/folder/out.json", image], /no\/such\/folder/],
  ] as const) {
    const { code, stderr, stdout, changing } = await tsign("sign", "--yes", "--dry-run", ...args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
    assert.deepEqual(changing, []);
  }
});

test("sign --dry-run --skip-signed: only the images that are left", async (t) => {
  const { tsign, image } = await workshop(t);
  const line = ["sign", "--yes", ...KEYED, "--signing-config=none.json"];
  const before = await tsign(...line, "--skip-signed", "--dry-run", image);
  assert.match(before.stdout, /^Would sign /m, before.stderr);
  assert.equal((await tsign(...line, image)).code, 0);
  const after = await tsign(...line, "--skip-signed", "--dry-run", image);
  assert.equal(after.stdout, "");
  assert.match(after.stderr, /^Already signed: /m);
});

test("attest --dry-run --replace: names what would be removed, and removes nothing", async (t) => {
  const { tsign, image, name } = await workshop(t);
  const line = ["attest", "--yes", ...KEYED, "--signing-config=none.json", "--predicate=predicate.json"];
  assert.equal((await tsign(...line, image)).code, 0);
  const { stdout, changing } = await tsign(...line, "--replace", "--dry-run", image);
  assert.match(stdout, new RegExp(`^\\tremoved: +${name}@sha256:[0-9a-f]{64}$`, "m"));
  assert.deepEqual(changing, []);
  assert.equal((await tsign("verify-attestation", "--key=a.pub", "--insecure-ignore-tlog", image)).code, 0);
});

test("sign --dry-run with a login: says who would log in, and does not", async (t) => {
  const { tsign, image } = await workshop(t);
  const flow = ["--fulcio-auth-flow=device", "--oidc-disable-ambient-providers"];
  const { code, stdout, stderr, changing } = await tsign("sign", ...flow, "--dry-run", image);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\tsigner: +the identity that logs in at 127\.0\.0\.1:1, with a new key$/m);
  assert.deepEqual(changing, []);
});
