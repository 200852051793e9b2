import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pemOf, refuses } from "../../../test/support/fake-service.ts";
import { temporaryFolder, testIo } from "../../../test/support/test-io.ts";
import { TsignError } from "../../errors.ts";
import { loadTrust, type TrustFiles } from "./sources.ts";

const certificate = (name: string) =>
  readFileSync(new URL(`../../../fixtures/certs/${name}.pem`, import.meta.url), "utf8");
const NEEDS = new Set(["authorities", "logs", "ctLogs", "timestampAuthorities"] as const);

test("loadTrust: flags take precedence over variables, which are used only without a trusted root", async (t) => {
  const cwd = temporaryFolder(t);
  const file = (name: string, content: string) => {
    writeFileSync(join(cwd, name), content);
    return name;
  };
  const load = (files: TrustFiles, env: Record<string, string> = {}, needs: readonly string[] = []) =>
    loadTrust(testIo({ cwd, env, io: { http: () => Promise.reject(new TsignError("network", "TUF was asked")) } }), {
      files,
      needs: new Set(needs) as typeof NEEDS,
      warn: assert.fail,
    });
  const key = file("log.pub", pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey));
  const root = file("root.pem", certificate("root"));
  const other = file("other.pem", certificate("other-root"));
  const middle = file("middle.pem", certificate("intermediate"));
  const chain = file("chain.pem", certificate("intermediate") + certificate("root"));
  const signer = file("signer.pem", certificate("leaf") + certificate("intermediate") + certificate("root"));

  const counts = ({ authorities }: Awaited<ReturnType<typeof load>>) =>
    authorities.map(({ roots, intermediates }) => [roots.length, intermediates.length]);
  assert.deepEqual(counts(await load({})), []);
  assert.deepEqual(counts(await load({ certificateChain: chain })), [[1, 1]]);
  assert.deepEqual(counts(await load({ caRoots: root, caIntermediates: middle })), [[1, 1]]);
  assert.deepEqual(counts(await load({ caRoots: root, certificateChain: chain })), [[2, 1]]);
  assert.deepEqual(counts(await load({ caIntermediates: middle })), [], "an intermediate alone is no trust");
  assert.equal((await load({ timestampCertificateChain: signer })).timestampAuthorities.length, 1);

  const env = {
    SIGSTORE_ROOT_FILE: chain,
    SIGSTORE_REKOR_PUBLIC_KEY: key,
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: key,
    SIGSTORE_TSA_CERTIFICATE_FILE: signer,
  };
  const named = await load({}, env, [...NEEDS]);
  assert.deepEqual([counts(named), named.logs.length, named.ctLogs.length], [[[1, 1]], 1, 1]);
  assert.equal(named.timestampAuthorities.length, 1);
  const flags = await load({ caRoots: other }, env, [...NEEDS]);
  assert.deepEqual(counts(flags), [[1, 0]], "the flag's root, and not the variable's");
  const mediaType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
  const trustedRoot = file("trusted.json", JSON.stringify({ mediaType }));
  const fromRoot = await load({ trustedRoot, caRoots: other }, env, [...NEEDS]);
  assert.deepEqual([counts(fromRoot), fromRoot.logs], [[[1, 0]], []], "variables do not add to a trusted root");

  for (const part of NEEDS) await refuses(load({}, {}, [part]), { code: "network", text: /TUF was asked/ });
  await refuses(load({}, { SIGSTORE_ROOT_FILE: chain }, ["logs"]), { code: "network", text: /TUF was asked/ });
  for (const [files, variables, text] of [
    [{ caRoots: key }, {}, /log\.pub does not contain a certificate/],
    [{ caRoots: "none.pem" }, {}, /none\.pem/],
    [{}, { SIGSTORE_REKOR_PUBLIC_KEY: file("empty", "") }, /empty does not contain a public key/],
    [{}, { SIGSTORE_REKOR_PUBLIC_KEY: root }, /root\.pem contains an invalid public key/],
    [{}, { SIGSTORE_ROOT_FILE: key }, /log\.pub does not contain a certificate/],
  ] as const)
    await refuses(load(files, variables), { code: "input", text });
});
