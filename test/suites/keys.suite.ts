import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  COSIGN,
  COSIGN_2,
  folder,
  LEGACY,
  must,
  NO_LOG,
  OFFLINE,
  pushImage,
  registries,
  run,
  TSIGN,
} from "./support.ts";

/**
 * Every kind of key, in every form, in both directions between tsign and the real cosign. What cosign cannot do is
 * listed here and checked: the suite fails if a later cosign can do it.
 */
const KINDS: Record<string, () => KeyObject> = {
  "rsa-2048": () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  "rsa-3072": () => generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey,
  "rsa-4096": () => generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey,
  "p-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "p-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "p-521": () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  ed25519: () => generateKeyPairSync("ed25519").privateKey,
};
/** cosign assumes SHA-256 for every key unless a flag names another hash. */
const DIGEST: Record<string, string[]> = {
  "p-384": ["--signature-digest-algorithm", "sha384"],
  "p-521": ["--signature-digest-algorithm", "sha512"],
};

interface Form {
  sign(program: string, key: string, subject: string): string[];
  verify(key: string, subject: string): string[];
  image: boolean;
}

const FORMS: Record<string, Form> = {
  "image bundle": {
    image: true,
    sign: (_, key, subject) => ["sign", "--key", key, ...OFFLINE, subject],
    verify: (key, subject) => ["verify", "--key", key, NO_LOG, subject],
  },
  "image legacy": {
    image: true,
    sign: (_, key, subject) => ["sign", "--key", key, ...OFFLINE, LEGACY, subject],
    verify: (key, subject) => ["verify", "--key", key, NO_LOG, LEGACY, subject],
  },
  "blob bundle": {
    image: false,
    sign: (_, key, subject) => ["sign-blob", "--key", key, ...OFFLINE, "--bundle", `${subject}.json`, subject],
    verify: (key, subject) => ["verify-blob", "--key", key, NO_LOG, "--bundle", `${subject}.json`, subject],
  },
  "blob legacy": {
    image: false,
    sign: (_, key, subject) => [
      "sign-blob",
      "--key",
      key,
      ...OFFLINE,
      LEGACY,
      "--output-signature",
      `${subject}.sig`,
      subject,
    ],
    verify: (key, subject) => ["verify-blob", "--key", key, NO_LOG, "--signature", `${subject}.sig`, subject],
  },
};

/** An Ed25519 bundle without a digest, which cosign makes but no program can verify. */
const COSIGN_CANNOT_SIGN = new Set(["ed25519 blob bundle"]);

async function makeKeys(context: TestContext): Promise<string> {
  const cwd = folder(context);
  for (const [kind, generate] of Object.entries(KINDS)) {
    writeFileSync(join(cwd, `${kind}.pem`), generate().export({ type: "pkcs8", format: "pem" }));
    await must(TSIGN, ["import-key-pair", "--key", `${kind}.pem`, "--output-key-prefix", kind], { cwd });
  }
  await must(TSIGN, ["generate-key-pair", "--output-key-prefix", "other"], { cwd });
  return cwd;
}

test("the key matrix", async (context) => {
  const cwd = await makeKeys(context);
  const { ref } = await registries(context);
  let count = 0;
  const subjectOf = async (form: Form): Promise<string> => {
    if (form.image) return pushImage(ref, `keys/i${count++}`, cwd);
    const name = `blob${count++}`;
    writeFileSync(join(cwd, name), `content ${name}`);
    return name;
  };
  for (const kind of Object.keys(KINDS)) {
    for (const [name, form] of Object.entries(FORMS)) {
      for (const [signer, verifier] of [
        [TSIGN, TSIGN],
        [TSIGN, COSIGN],
        [COSIGN, TSIGN],
      ] as const) {
        const who = (program: string) => (program === TSIGN ? "tsign" : "cosign");
        await context.test(`${kind}, ${name}: ${who(signer)} signs, ${who(verifier)} verifies`, async () => {
          const subject = await subjectOf(form);
          const extra = verifier === COSIGN ? (DIGEST[kind] ?? []) : [];
          await must(signer, form.sign(signer, `${kind}.key`, subject), { cwd });
          const good = await run(verifier, [...form.verify(`${kind}.pub`, subject), ...extra], { cwd });
          if (signer === COSIGN && COSIGN_CANNOT_SIGN.has(`${kind} ${name}`)) {
            assert.notEqual(good.code, 0, "cosign has learnt this: take it off the list");
            return;
          }
          assert.equal(good.code, 0, good.stderr);
          const other = await run(verifier, form.verify("other.pub", subject), { cwd });
          assert.notEqual(other.code, 0, "another key must not verify");
          if (form.image) return;
          writeFileSync(join(cwd, subject), "tampered");
          const tampered = await run(verifier, [...form.verify(`${kind}.pub`, subject), ...extra], { cwd });
          assert.notEqual(tampered.code, 0, "a changed blob must not verify");
        });
      }
    }
  }
});

test("key files open in tsign, cosign 3 and cosign 2, whichever wrote them", async (context) => {
  const cwd = folder(context);
  writeFileSync(join(cwd, "blob"), "content");
  for (const writer of [TSIGN, COSIGN, COSIGN_2]) {
    const prefix = writer === TSIGN ? "tsign" : writer;
    await must(writer, ["generate-key-pair", "--output-key-prefix", prefix], { cwd });
    for (const reader of [TSIGN, COSIGN, COSIGN_2]) {
      const shown = await must(reader, ["public-key", "--key", `${prefix}.key`], { cwd });
      assert.match(shown.stdout, /BEGIN PUBLIC KEY/);
      const wrong = await run(reader, ["public-key", "--key", `${prefix}.key`], {
        cwd,
        env: { COSIGN_PASSWORD: "wrong" },
      });
      assert.notEqual(wrong.code, 0);
    }
  }
});
