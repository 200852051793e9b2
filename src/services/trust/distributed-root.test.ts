import assert from "node:assert/strict";
import { test } from "node:test";
import { testSigstore } from "../../../test/support/sandbox.ts";
import { TsignError } from "../../errors.ts";
import type { SingleTarget, Tuf } from "../tuf/index.ts";
import { readDistributedRoot } from "./distributed-root.ts";

const USAGES: Readonly<Record<string, SingleTarget["usage"]>> = {
  "fulcio_chain.pem": "Fulcio",
  "rekor1.pub": "Rekor",
  "ct_log.pub": "CTFE",
};

/** A repository with these targets, and the usage of some of them. */
function repository(files: Readonly<Record<string, string | Uint8Array>>): Tuf {
  return {
    async target(name) {
      const content = files[name];
      if (content === undefined) throw new TsignError("untrusted", `the repository lists no ${name}`);
      return Buffer.from(content);
    },
    listed: () =>
      Object.keys(files).flatMap((name) =>
        USAGES[name] ? [{ name, usage: USAGES[name], uri: "https://service" }] : [],
      ),
  };
}

async function files() {
  const { trustedRoot, files: all } = await testSigstore();
  const singles = Object.fromEntries(Object.entries(all).filter(([name]) => USAGES[name] !== undefined));
  assert.equal(Object.keys(singles).length, 3);
  const broken = JSON.parse(trustedRoot);
  for (const log of broken.tlogs) delete log.logId;
  return { trustedRoot, singles, broken: JSON.stringify(broken) };
}

test("readDistributedRoot: usable trusted root -> used without a warning", async () => {
  const { trustedRoot, singles } = await files();
  for (const more of [{}, singles]) {
    const warned: string[] = [];
    const tuf = repository({ ...more, "trusted_root.json": trustedRoot });
    const material = await readDistributedRoot(tuf, (text) => warned.push(text));
    assert.ok(material.logs.length > 1 && material.authorities[0]?.validFor.start.getTime() !== 0);
    assert.deepEqual(warned, []);
  }
});

test("readDistributedRoot: no usable trusted root -> single targets with a warning", async () => {
  const { singles, broken } = await files();
  for (const [more, reason] of [
    [{}, /lists no trusted_root.json/],
    [{ "trusted_root.json": broken }, /tlogs\[0\]: missing log ID/],
  ] as const) {
    const warned: string[] = [];
    const { authorities, logs, ctLogs, timestampAuthorities } = await readDistributedRoot(
      repository({ ...singles, ...more }),
      (text) => warned.push(text),
    );
    const [authority] = authorities;
    assert.deepEqual([authorities.length, authority?.roots.length, authority?.intermediates.length], [1, 1, 1]);
    assert.deepEqual([logs.length, ctLogs.length, timestampAuthorities.length], [1, 1, 0]);
    assert.equal(logs[0]?.baseUrl, "https://service");
    assert.equal(warned.length, 1);
    assert.match(warned[0] ?? "", /using the single targets .*fulcio_chain.pem/);
    assert.match(warned[0] ?? "", reason);
  }
});

test("readDistributedRoot: neither, or unusable single targets -> refused", async () => {
  const { singles, broken } = await files();
  const refused = (content: Record<string, string | Uint8Array>) =>
    assert.rejects(readDistributedRoot(repository(content), assert.fail), TsignError);
  await refused({});
  await refused({ "trusted_root.json": broken });
  await refused({ ...singles, "rekor1.pub": "no key" });
  await refused({ ...singles, "ct_log.pub": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" });
  await refused({ ...singles, "fulcio_chain.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" });
});
