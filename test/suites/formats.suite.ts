import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  COSIGN,
  COSIGN_2,
  folderWithKeys,
  LEGACY,
  must,
  NO_LOG,
  OFFLINE,
  pushImage,
  registries,
  run,
  TSIGN,
} from "./support.ts";

const BOTH = [...OFFLINE, "--format", "both"];
/** The forms that each program reads. cosign 2.6 prefers bundles if there are any, and requires a trusted root for them. */
const READERS = [
  { program: TSIGN, flags: [] },
  { program: COSIGN, flags: [] },
  { program: COSIGN, flags: [LEGACY] },
  { program: COSIGN_2, flags: ["--trusted-root", "root.json"] },
];

test("--format both: old and new verifiers accept image and attestation, with its key only", async (t) => {
  const cwd = await folderWithKeys(t, "a", "b");
  const { ref } = await registries(t);
  const image = await pushImage(ref, "app", cwd);
  writeFileSync(join(cwd, "root.json"), '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}');
  writeFileSync(join(cwd, "p.json"), '{"tested":true}');
  await must(TSIGN, ["sign", "--key", "a.key", ...BOTH, image], { cwd });
  await must(TSIGN, ["attest", "--key", "a.key", ...BOTH, "--predicate", "p.json", image], { cwd });
  for (const { program, flags } of READERS) {
    for (const command of ["verify", "verify-attestation"]) {
      const verify = (key: string) => run(program, [command, "--key", key, NO_LOG, ...flags, image], { cwd });
      const good = await verify("a.pub");
      assert.equal(good.code, 0, `${program} ${command} ${flags}: ${good.stderr}`);
      assert.notEqual((await verify("b.pub")).code, 0, `${program} ${command} ${flags}`);
    }
  }
  const tree = await must(TSIGN, ["tree", image], { cwd });
  assert.match(tree.stdout, /\.sig\n.*cosign\/sign.*\.att\n/s);
});

test("--format both: blobs and their attestations", async (t) => {
  const cwd = await folderWithKeys(t, "a", "b");
  writeFileSync(join(cwd, "p.json"), '{"tested":true}');
  writeFileSync(join(cwd, "blob"), "content");
  const blob = ["--bundle", "b.json", "--output-signature", "b.sig", "blob"];
  await must(TSIGN, ["sign-blob", "--key", "a.key", ...BOTH, ...blob], { cwd });
  const attested = ["--predicate", "p.json", "--bundle", "t.json", "--output-signature", "t.sig", "blob"];
  await must(TSIGN, ["attest-blob", "--key", "a.key", ...BOTH, ...attested], { cwd });
  const forms = [
    {
      programs: [TSIGN, COSIGN],
      flags: [],
      of: { "verify-blob": ["--bundle", "b.json"], "verify-blob-attestation": ["--bundle", "t.json"] },
    },
    {
      programs: [TSIGN, COSIGN],
      flags: [LEGACY],
      of: { "verify-blob": ["--signature", "b.sig"], "verify-blob-attestation": ["--signature", "t.sig"] },
    },
    {
      programs: [COSIGN_2],
      flags: [],
      of: { "verify-blob": ["--signature", "b.sig"], "verify-blob-attestation": ["--signature", "t.sig"] },
    },
  ];
  for (const { programs, flags, of } of forms) {
    for (const program of programs) {
      for (const [command, evidence] of Object.entries(of)) {
        const verify = (key: string) =>
          run(program, [command, "--key", key, NO_LOG, ...flags, ...evidence, "blob"], { cwd });
        const good = await verify("a.pub");
        assert.equal(good.code, 0, `${program} ${command} ${evidence}: ${good.stderr}`);
        assert.notEqual((await verify("b.pub")).code, 0, `${program} ${command} ${evidence}`);
      }
    }
  }
});

test("--format: contradictions are refused before anything is signed", async (t) => {
  const cwd = await folderWithKeys(t, "cosign");
  writeFileSync(join(cwd, "blob"), "content");
  for (const [format, old] of [
    ["bundle", "false"],
    ["both", "false"],
    ["legacy", "true"],
  ]) {
    const flags = ["--format", `${format}`, `--new-bundle-format=${old}`, "--bundle", "b.json", "blob"];
    const refused = await run(TSIGN, ["sign-blob", "--key", "cosign.key", ...OFFLINE, ...flags], { cwd });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /cannot be used together/);
    assert.equal(existsSync(join(cwd, "b.json")), false);
  }
  assert.notEqual((await run(TSIGN, ["sign-blob", "--key", "cosign.key", "--format", "new", "blob"], { cwd })).code, 0);
});
