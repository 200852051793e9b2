import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PASSWORD } from "../support/key-pairs.ts";
import { factory, linesOf, MINUTES } from "../support/monitor-factory.ts";
import { only, WELL } from "../support/monitor-workshop.ts";
import { certify, keyOf } from "../support/sandbox-client.ts";
import { run } from "../support/test-io.ts";

type Factory = Awaited<ReturnType<typeof factory>>;

const SUBJECT = "repo:acme/widget:ref:refs/heads/main";
const SECRET = { env: { COSIGN_PASSWORD: PASSWORD } };

/** Signs a file; `--bundle` in the folder "records" makes it known. */
async function signFile(
  { cwd, ok, as }: Factory,
  { config, bundle }: { config: string; bundle: string },
): Promise<void> {
  writeFileSync(join(cwd, "file"), "content of a file");
  await ok("sign-blob", ...as(config), `--bundle=${bundle}`, "file");
}

/** Signs a file with our key, which the thief has a copy of. */
async function signByKey({ cwd, sigstore }: Factory, bundle: string): Promise<void> {
  writeFileSync(join(cwd, "file"), "content of a file");
  const argv = ["sign-blob", "--yes", "--key=ours.key", "--signing-config=rekor2.json", "--trusted-root=root.json"];
  const { code, stderr } = await run([...argv, `--bundle=${bundle}`, "file"], { cwd, io: sigstore.io, ...SECRET });
  assert.equal(code, 0, stderr);
}

/** What is signed, and what of it nobody ordered: the API of the log and the kind of match of each finding. */
const SITUATIONS: [name: string, act: (shop: Factory) => Promise<unknown>, found: [api: unknown, by: string][]][] = [
  [
    "image signed in the legacy form",
    async (s) => s.ok("sign", ...s.as("rekor1"), "--format=legacy", await s.push("a")),
    [],
  ],
  ["image signed as a bundle, Rekor v1", async (s) => s.ok("sign", ...s.as("rekor1"), await s.push("b")), []],
  ["image signed as a bundle, Rekor v2", async (s) => s.ok("sign", ...s.as("rekor2"), await s.push("c")), []],
  [
    "attestation of an image",
    async (s) => {
      writeFileSync(join(s.cwd, "predicate.json"), "{}");
      await s.ok("attest", ...s.as("rekor2"), "--predicate=predicate.json", await s.push("d"));
    },
    [],
  ],
  [
    "file signed, with its bundle in our records",
    (s) => signFile(s, { config: "rekor1", bundle: "records/f.json" }),
    [],
  ],
  ["file signed by our key, with its bundle in our records", (s) => signByKey(s, "records/k.json"), []],
  [
    "somebody else signs our image",
    async (s) => {
      const image = await s.push("e");
      const who = ["--identity-token", s.sigstore.mint("mallory@example.com")];
      const signing = ["--yes", ...who, "--signing-config=rekor2.json", "--trusted-root=root.json"];
      await s.ok("sign", ...signing, image);
    },
    [],
  ],
  [
    "file signed with our token, and kept by the thief",
    (s) => signFile(s, { config: "rekor1", bundle: "t.json" }),
    [
      [1, "identity"],
      ["ct", "identity"],
    ],
  ],
  [
    "image signed with our token, and pushed nowhere",
    async (s) => s.ok("sign", ...s.as("rekor2"), "--upload=false", "--bundle=u.json", await s.push("g")),
    [
      [2, "identity"],
      ["ct", "identity"],
    ],
  ],
  ["file signed with a copy of our key", (s) => signByKey(s, "stolen.json"), [[2, "key"]]],
  [
    "certificate issued for our token, and nothing signed yet",
    (s) => certify(s.sigstore, keyOf("P-256"), { token: s.sigstore.mintJob(), subject: SUBJECT }),
    [["ct", "identity"]],
  ],
  [
    "our signature deleted from the registry",
    async (s) => {
      const image = await s.push("h");
      await s.ok("sign", ...s.as("rekor2"), image);
      await s.ok("clean", "--force", image);
    },
    [
      [2, "identity"],
      ["ct", "identity"],
    ],
  ],
];

test("monitor: twelve situations -> what we ordered is explained, what nobody ordered is found", async (t) => {
  const shop = await factory(t);
  const { cwd, clock, repository, configure, look } = shop;
  mkdirSync(join(cwd, "records"));
  const made = await run(["generate-key-pair", "--output-key-prefix=ours"], { cwd, ...SECRET });
  assert.equal(made.code, 0, made.stderr);
  configure({ images: [repository], bundles: ["records"], keys: ["ours.pub"], certificates: true });
  for (const [name, act, found] of SITUATIONS) {
    await act(shop);
    const waiting = await look();
    assert.deepEqual(only(linesOf(waiting), "finding"), [], `${name}: too early`);
    clock.now = new Date(clock.now.getTime() + 11 * MINUTES);
    const outcome = await look();
    assert.deepEqual(
      only(linesOf(outcome), "finding").map(({ api, by }) => [api, by]),
      found,
      name,
    );
    for (const { id } of only(linesOf(outcome), "finding")) {
      await shop.ok("monitor", "ack", String(id), "--state=state.json", "--why=seen");
    }
  }
  assert.equal((await look()).code, WELL);
  const { findings } = JSON.parse(readFileSync(join(cwd, "state.json"), "utf8")).state;
  const explained = findings.filter(({ acknowledged }: { acknowledged: { why: string } }) =>
    acknowledged.why.startsWith("stored with "),
  );
  assert.equal(explained.length, 5 * 2 + 1, "entries and certificates of the first five, and the entry by key");
});
