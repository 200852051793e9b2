import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, run, temporaryFolder } from "./support/test-io.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

const ALICE = "alice@example.com";

/** Every place, leaf or not, at which two documents of one shape differ. */
function differing(a: Json | undefined, b: Json | undefined, path: Path = []): Path[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const at = (of: object, key: string) => (of as Record<string, Json>)[key];
  const below = keys.flatMap((key) =>
    differing(at(a, key), at(b, key), [...path, Array.isArray(a) ? Number(key) : key]),
  );
  return path.length > 0 ? [path, ...below] : below;
}

/** A copy of a document with what another one has at a path. */
function exchanged(document: Json, other: Json, path: Path): Json {
  const [key, ...rest] = path;
  if (key === undefined) return structuredClone(other);
  const copy = structuredClone(document) as Record<string, Json>;
  const value = (other as Record<string, Json>)[key];
  const own = copy[key];
  if (rest.length > 0 && own !== undefined && value !== undefined) copy[key] = exchanged(own, value, rest);
  else if (value === undefined) delete copy[key];
  else copy[key] = structuredClone(value);
  return copy as Json;
}

/** Two attestations by one identity, about two files, of two types, a moment apart. */
async function twoAttestations(t: TestContext, flags: readonly string[], root: readonly string[]) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  write("p1.json", '{"one":1}');
  write("p2.json", '{"two":2}');
  write("file1", "first");
  write("file2", "second");
  const tsign = (argv: readonly string[]) => run([...argv], { cwd, io: sigstore.io });
  const types = ["https://example.com/one", "https://example.com/two"];
  for (const n of [1, 2]) {
    const signed = await tsign([
      ...["attest-blob", "--yes", "--identity-token", sigstore.mint(ALICE), ...flags, ...root],
      ...["--type", `${types[n - 1]}`, "--predicate", `p${n}.json`, "--bundle", `b${n}.json`, `file${n}`],
    ]);
    assert.equal(signed.code, 0, signed.stderr);
  }
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verify = (bundle: string, n = 1) =>
    tsign([
      ...["verify-blob-attestation", ...who, "--trusted-root", "root.json", "--type", `${types[n - 1]}`],
      ...["--bundle", bundle, `file${n}`],
    ]);
  const read = (name: string) => JSON.parse(readFileSync(join(cwd, name), "utf8")) as { [key: string]: Json };
  return { verify, write, read };
}

/** Requires that each of two attestations verifies, and none with anything of the other. Returns how much was exchanged. */
async function refusesEveryExchange(
  by: Awaited<ReturnType<typeof twoAttestations>>,
  documents: readonly [Json, Json],
  store: (document: Json) => string = (document) => JSON.stringify(document),
): Promise<number> {
  const { verify, write } = by;
  const [one, two] = documents;
  for (const n of [1, 2]) {
    const good = await verify(`b${n}.json`, n);
    assert.equal(good.code, 0, good.stderr);
  }
  write("same.json", store(one));
  assert.equal((await verify("same.json")).code, 0, "taken apart and put together again");
  const paths = differing(one, two);
  for (const path of paths) {
    write("swapped.json", store(exchanged(one, two, path)));
    const refused = await verify("swapped.json");
    assert.notEqual(refused.code, 0, `${path.join(".")} of the other attestation is accepted`);
    assert.doesNotMatch(refused.stderr, /Verified OK|\n {4}at /, path.join("."));
  }
  return paths.length;
}

for (const config of ["rekor1", "rekor1Tsa", "rekor2"]) {
  test(`${config}: nothing of one attestation's bundle can stand in another's`, async (t) => {
    const by = await twoAttestations(t, ["--signing-config", `${config}.json`], ["--trusted-root", "root.json"]);
    const compared = await refusesEveryExchange(by, [by.read("b1.json"), by.read("b2.json")]);
    assert.ok(compared >= 12, `${compared} fields`);
  });

  test(`${config}: nothing within the statement of one attestation can stand in another's`, async (t) => {
    const by = await twoAttestations(t, ["--signing-config", `${config}.json`], ["--trusted-root", "root.json"]);
    const bundle = by.read("b1.json") as { dsseEnvelope: { payload: string } };
    const statement = (name: string): Json =>
      JSON.parse(Buffer.from((by.read(name) as typeof bundle).dsseEnvelope.payload, "base64").toString());
    const payload = (document: Json) => Buffer.from(JSON.stringify(document)).toString("base64");
    const store = (document: Json) =>
      JSON.stringify({ ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload: payload(document) } });
    const compared = await refusesEveryExchange(by, [statement("b1.json"), statement("b2.json")], store);
    assert.ok(compared >= 5, `${compared} fields`);
  });
}

test("legacy: nothing of one attestation's bundle can stand in another's", async (t) => {
  const by = await twoAttestations(t, [LEGACY, "--signing-config", "rekor1.json"], ["--trusted-root", "root.json"]);
  const compared = await refusesEveryExchange(by, [by.read("b1.json"), by.read("b2.json")]);
  assert.ok(compared >= 6, `${compared} fields`);
});
