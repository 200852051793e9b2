import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writePem } from "../src/format/pem.ts";
import { implicit, sequence } from "../src/sandbox/pki/der.ts";
import { extension } from "../src/sandbox/pki/x509.ts";
import { foundry } from "./support/authorities.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG } from "./support/test-io.ts";

const EMAIL = "dev@corp.example";
const NAME = extension("2.5.29.17", sequence(implicit(1, Buffer.from(EMAIL))));
const pem = (...certificates: readonly Uint8Array[]) =>
  certificates.map((der) => writePem("CERTIFICATE", der)).join("");

/** Certificates with one name and ten keys, each certified by each. The leaf has the same identity as the valid one. */
function hostileChain() {
  const { newKey, make } = foundry();
  const keys = Array.from({ length: 10 }, newKey);
  const chain = keys.flatMap((key) => keys.map((issuerKey) => make({ name: "CA", key, issuer: "CA", issuerKey })));
  const key = newKey();
  const leaf = make({ name: undefined, key, issuer: "CA", issuerKey: keys[0] ?? key, more: [NAME] });
  return { key, leaf, chain };
}

test("verify: hostile certificate chains beside a valid signature -> verified in bounded time, in any order", async (t) => {
  const { tsign, image, cwd } = await storageWorkshop(t);
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(cwd, name), content);
  const generated = await tsign("generate", image);
  assert.equal(generated.code, 0, generated.stderr);
  write("payload", generated.stdout);
  const attach = async (made: {
    key: ReturnType<typeof hostileChain>["key"];
    leaf: Buffer;
    chain: readonly Buffer[];
  }) => {
    write("signature", sign("sha256", Buffer.from(generated.stdout), made.key.privateKey).toString("base64"));
    write("leaf.pem", pem(made.leaf));
    write("chain.pem", pem(...made.chain));
    const files = ["--payload", "payload", "--signature", "signature", "--certificate", "leaf.pem"];
    const attached = await tsign("attach", "signature", ...files, "--certificate-chain", "chain.pem", image);
    assert.equal(attached.code, 0, attached.stderr);
  };
  for (let count = 0; count < 14; count++) await attach(hostileChain());
  const { newKey, make } = foundry();
  const [root, middle, own] = [newKey(), newKey(), newKey()];
  const trusted = make({ name: "CA", key: root, issuer: "CA", issuerKey: root });
  write("root.pem", pem(trusted));
  const who = ["--certificate-identity", EMAIL, "--certificate-oidc-issuer-regexp", ".*", "--ca-roots", "root.pem"];
  const verify = () => tsign("verify", LEGACY, NO_LOG, "--insecure-ignore-sct", ...who, image);
  const started = performance.now();
  const refused = await verify();
  assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
  assert.equal(refused.code, 12, refused.stderr);
  assert.match(refused.stderr, /no valid path to a trusted root|stopped after/);
  const intermediate = make({ name: "middle", key: middle, issuer: "CA", issuerKey: root });
  const leaf = make({ name: undefined, key: own, issuer: "middle", issuerKey: middle, more: [NAME] });
  await attach({ key: own, leaf, chain: [intermediate, trusted] });
  const verified = await verify();
  assert.equal(verified.code, 0, verified.stderr);
});
