import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listKeys, listTokens } from "../src/keys/providers/pkcs11-list.ts";
import type { LoadPackage } from "../src/packages.ts";
import { run, temporaryFolder, testIo } from "./support/test-io.ts";

const pad = (text: string, length: number) => text.padEnd(length);
const handle = (number: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
};

/** A module with one token in slot 7 and two keys on it, as pkcs11js shows it. */
function fakeModule(): { load: LoadPackage; closed: () => number } {
  let closed = 0;
  class PKCS11 {
    load() {}
    C_Initialize() {}
    C_Finalize() {}
    close() {
      closed++;
    }
    C_GetSlotList = () => [handle(7)];
    C_GetTokenInfo = () => ({
      label: pad("token one", 32),
      manufacturerID: pad("maker", 32),
      model: pad("model", 16),
      serialNumber: pad("42", 16),
      flags: 4,
    });
    C_OpenSession = () => handle(1);
    C_CloseSession() {}
    C_Login(_session: Buffer, _user: number, pin: string) {
      if (pin !== "1234") throw new Error("CKR_PIN_INCORRECT:160");
    }
    C_FindObjectsInit() {}
    C_FindObjects = () => [handle(1), handle(2)];
    C_FindObjectsFinal() {}
    C_GetAttributeValue = (_: Buffer, object: Buffer) => [
      { value: Buffer.from(`key ${object[0]}`) },
      { value: Buffer.from([0xab, object[0] ?? 0]) },
    ];
  }
  return { load: async () => ({ PKCS11 }), closed: () => closed };
}

test("listTokens, listKeys: list tokens and keys, and close the module", async (t) => {
  const cwd = temporaryFolder(t);
  const modulePath = join(cwd, "module.so");
  writeFileSync(modulePath, "");
  const { load, closed } = fakeModule();
  const io = testIo({ cwd });
  const token = { slot: 7, label: "token one", manufacturer: "maker", model: "model", serial: "42" };
  assert.deepEqual(await listTokens(io, modulePath, load), [token]);
  const from = { modulePath, slot: 7, pin: async () => "1234" };
  assert.deepEqual(await listKeys(io, from, load), {
    token,
    keys: [
      { label: "key 1", id: Buffer.from([0xab, 1]) },
      { label: "key 2", id: Buffer.from([0xab, 2]) },
    ],
  });
  assert.equal(await listKeys(io, { ...from, slot: 0 }, load), undefined);
  await assert.rejects(listKeys(io, { ...from, pin: async () => "0000" }, load), /wrong PIN/);
  assert.equal(closed(), 4);
});

test("pkcs11-tool: errors name the missing flag", async (t) => {
  const cwd = temporaryFolder(t);
  for (const command of ["list-tokens", "list-keys-uris"]) {
    const none = await run(["pkcs11-tool", command], { cwd });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no PKCS#11 module is named\nhint: .*--module-path, or set COSIGN_PKCS11_MODULE_PATH/);
    const absent = await run(["pkcs11-tool", command], { cwd, env: { COSIGN_PKCS11_MODULE_PATH: "/absent.so" } });
    assert.match(absent.stderr, /PKCS#11 module not found: \/absent\.so/);
    const relative = await run(["pkcs11-tool", command, "--module-path", "module.so"], { cwd });
    assert.match(relative.stderr, /is not absolute: module\.so/);
  }
});

test("piv-tool: errors name what is missing, without secrets", async (t) => {
  const cwd = temporaryFolder(t);
  for (const [argv, instead] of [
    [["reset"], "ykman piv reset"],
    [["set-pin", "--old-pin", "123456", "--new-pin", "654321"], "ykman piv access change-pin"],
    [["unblock", "--puk", "12345678", "--new-PIN", "654321"], "ykman piv access unblock-pin"],
    [["generate-key", "--slot", "signature", "--management-key", "0011"], "ykman piv keys generate"],
    [["attestation", "-o", "json"], "ykman piv keys attest"],
    [["set-puk"], "ykman piv access change-puk"],
    [["set-management-key"], "ykman piv access change-management-key"],
  ] as const) {
    const refused = await run(["piv-tool", ...argv], { cwd });
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, "");
    assert.match(refused.stderr, /direct access to a smart card is not supported\nhint: run `ykman /);
    assert.ok(refused.stderr.includes(instead));
    assert.doesNotMatch(refused.stderr, /123456|654321|12345678|0011/);
  }
});

test("generate-fig-spec: prints every command, under each of its names", async () => {
  const spec = (text: string) =>
    JSON.parse(
      text.replace("const completionSpec: Fig.Spec = ", "").replace(";\nexport default completionSpec;\n", ""),
    );
  const { stdout } = await run(["generate-fig-spec"]);
  for (const name of ["generateFigSpec", "genFigSpec"]) assert.equal((await run([name])).stdout, stdout);
  const names = (from: { subcommands: { name: string[] }[] }) => from.subcommands.map(({ name }) => name[0]);
  const all = names(spec(stdout));
  for (const name of ["sign", "verify", "copy", "upload", "bundle"]) assert.ok(all.includes(name), name);
  for (const name of ["debug", "generate-fig-spec"]) assert.ok(!all.includes(name), name);
  const hidden = names(spec((await run(["generate-fig-spec", "--include-hidden"])).stdout));
  for (const name of ["debug", "generate-fig-spec"]) assert.ok(hidden.includes(name), name);
});
