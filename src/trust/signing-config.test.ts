import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { readSigningConfig, readSigningConfigMessage, selectServices } from "./signing-config.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const NOW = new Date("2026-06-01T00:00:00Z");
const config = (fields: object) => Buffer.from(JSON.stringify({ mediaType: MEDIA_TYPE, ...fields }));
const read = (fields: object) => readSigningConfig(config(fields), "config.json");
const service = (url: string, more: object = {}) => ({
  url,
  majorApiVersion: 1,
  validFor: { start: "2026-01-01T00:00:00Z" },
  operator: new URL(url).host,
  ...more,
});
const EXACT = { selector: "EXACT", count: 1 };

function refused(run: () => unknown, reason: RegExp): void {
  assert.throws(
    run,
    (error) => error instanceof TsignError && error.code === "input" && reason.test(error.message),
    String(reason),
  );
}

const select = (fields: object, now = NOW, random: (below: number) => number = () => 0) => {
  const selected = selectServices(read(fields), { now, random });
  return {
    ca: selected.certificateAuthority?.url.host,
    noCa: selected.noCertificateAuthority,
    oidc: selected.oidcIssuer?.url.host,
    logs: selected.logs.map(({ url }) => url.host),
    tsas: selected.timestampAuthorities.map(({ url }) => url.host),
  };
};

test("readSigningConfig returns services with versions, operators and periods, and the selectors", () => {
  const end = "2027-01-01T00:00:00Z";
  const found = read({
    caUrls: [service("https://ca.example/", { validFor: { start: "2026-01-01T00:00:00Z", end } })],
    oidcUrls: [{ url: "http://oidc.example/" }],
    rekorTlogUrls: [service("https://log.example/", { majorApiVersion: 2 })],
    rekorTlogConfig: { selector: "ANY" },
    tsaUrls: [service("https://tsa.example/")],
    tsaConfig: { selector: "EXACT", count: 2 },
  });
  assert.deepEqual(found.certificateAuthorities, [
    {
      url: new URL("https://ca.example/"),
      version: 1,
      operator: "ca.example",
      validFor: { start: new Date("2026-01-01T00:00:00Z"), end: new Date(end) },
    },
  ]);
  const issuer = {
    url: new URL("http://oidc.example/"),
    version: 0,
    operator: "",
    validFor: { start: new Date(0), end: undefined },
  };
  assert.deepEqual(found.oidcIssuers, [issuer]);
  assert.equal(found.logs[0]?.version, 2);
  assert.deepEqual(found.logSelector, { kind: "any" });
  assert.equal(found.timestampAuthorities[0]?.url.host, "tsa.example");
  assert.deepEqual(found.timestampSelector, { kind: "exact", count: 2 });
  assert.deepEqual(read({ rekorTlogConfig: { selector: "ALL" } }).logSelector, { kind: "all" });
  for (const fields of [{}, { rekorTlogConfig: {} }, { rekorTlogConfig: { selector: "SERVICE_SELECTOR_UNDEFINED" } }]) {
    assert.equal(read(fields).logSelector, undefined);
  }
  const none = { certificateAuthorities: [], oidcIssuers: [], logs: [], timestampAuthorities: [] };
  assert.deepEqual(read({}), { ...none, logSelector: undefined, timestampSelector: undefined });
  assert.deepEqual(readSigningConfigMessage(config({ caUrls: [{ url: "u" }] }), "c"), { caUrls: [{ url: "u" }] });
});

test("readSigningConfig: invalid signing config -> error with the reason", () => {
  refused(
    () => readSigningConfig(Buffer.from("{"), "c.json"),
    /^c\.json is not a valid signing config: not valid JSON/,
  );
  assert.throws(
    () => readSigningConfig(Buffer.from("\ufeff{}"), "c.json"),
    (error) => error instanceof TsignError && /byte order mark/.test(error.hint ?? ""),
    "the reader's hint",
  );
  refused(() => readSigningConfig(Buffer.from("{}"), "c.json"), /expected mediaType/);
  refused(() => read({ mediaType: `${MEDIA_TYPE}x` }), /expected mediaType/);
  refused(() => read({ unknown: 1 }), /unknown/);
  refused(
    () => read({ caUrls: [service("https://a.example/"), { url: "ftp://b.example/" }] }),
    /caUrls\[1\]\.url is not an http/,
  );
  refused(() => read({ tsaUrls: [{}] }), /tsaUrls\[0\]\.url is not an http/);
  refused(() => read({ tsaConfig: { selector: "EXACT" } }), /tsaConfig has selector EXACT without a count/);
  refused(
    () => read({ rekorTlogConfig: { selector: "EXACT", count: 0 } }),
    /rekorTlogConfig has selector EXACT without a count/,
  );
});

test("selectServices: newest supported version, then newest service, one per operator", () => {
  const old = { majorApiVersion: 1, validFor: { start: "2025-01-01T00:00:00Z" } };
  const fields = (rekorTlogConfig: object) => ({
    rekorTlogUrls: [
      service("https://one.example/", { majorApiVersion: 2, validFor: { start: "2025-01-01T00:00:00Z" } }),
      service("https://two.example/", { majorApiVersion: 2 }),
      service("https://older.two.example/", {
        majorApiVersion: 2,
        operator: "two.example",
        validFor: { start: "2024-01-01T00:00:00Z" },
      }),
      service("https://v1.example/", old),
      service("https://v3.example/", { majorApiVersion: 3 }),
    ],
    rekorTlogConfig,
  });
  assert.deepEqual(select(fields({ selector: "ALL" })).logs, ["two.example", "one.example"]);
  assert.deepEqual(select(fields(EXACT)).logs, ["two.example"]);
  assert.deepEqual(select(fields({ selector: "EXACT", count: 2 })).logs, ["two.example", "one.example"]);
  refused(
    () => select(fields({ selector: "EXACT", count: 3 })),
    /expected 3 usable transparency log services, found 2: .*v3\.example.* API version 3/,
  );
  const asked: number[] = [];
  const random = (below: number) => asked.push(below) * 0 + 1;
  assert.deepEqual(select(fields({ selector: "ANY" }), NOW, random).logs, ["one.example"]);
  assert.deepEqual(asked, [2]);
  assert.deepEqual(select(fields({ selector: "ANY" })).logs, ["two.example"]);
});

test("selectServices: authority and issuer are the newest usable ones with version 1", () => {
  const newer = { validFor: { start: "2026-03-01T00:00:00Z" } };
  const fields = {
    caUrls: [
      service("https://ca1.example/"),
      service("https://ca2.example/", newer),
      service("https://ca3.example/", { ...newer, majorApiVersion: 2 }),
    ],
    oidcUrls: [service("https://oidc1.example/"), service("https://oidc2.example/", newer)],
    tsaUrls: [service("https://tsa.example/")],
    tsaConfig: EXACT,
  };
  assert.deepEqual(select(fields), {
    ca: "ca2.example",
    noCa: undefined,
    oidc: "oidc2.example",
    logs: [],
    tsas: ["tsa.example"],
  });
  assert.deepEqual(select({}), { ca: undefined, noCa: "", oidc: undefined, logs: [], tsas: [] });
});

test("selectServices: service outside its period -> not used, with the reason", () => {
  const period = { start: "2026-02-01T00:00:00Z", end: "2026-03-01T00:00:00Z" };
  const fields = { caUrls: [service("https://ca.example/", { validFor: period })] };
  assert.equal(select(fields, new Date(period.start)).ca, "ca.example");
  assert.equal(select(fields, new Date(period.end)).ca, "ca.example");
  const before = select(fields, new Date(new Date(period.start).getTime() - 1));
  assert.deepEqual(
    [before.ca, before.noCa],
    [undefined, "https://ca.example/ is not valid before 2026-02-01T00:00:00.000Z"],
  );
  const after = select(fields, new Date(new Date(period.end).getTime() + 1));
  assert.deepEqual([after.ca, after.noCa], [undefined, "https://ca.example/ expired on 2026-03-01T00:00:00.000Z"]);
  const many = ["a", "b", "c", "d"].map((name) => service(`https://${name}.example/`, { majorApiVersion: 9 }));
  assert.equal(select({ caUrls: many }).noCa?.split("; ").length, 3);
  assert.match(select({ caUrls: many }).noCa ?? "", /a\.example\/ has unsupported API version 9; /);
});

test("selectServices: missing selector or too few services -> error naming the kind", () => {
  const rekorTlogUrls = [service("https://log.example/")];
  refused(() => select({ rekorTlogUrls }), /has no selector for transparency log services/);
  refused(() => select({ tsaUrls: rekorTlogUrls }), /has no selector for timestamp authority services/);
  const expired = [
    service("https://log.example/", { validFor: { start: "2025-01-01T00:00:00Z", end: "2025-02-01T00:00:00Z" } }),
  ];
  for (const rekorTlogConfig of [EXACT, { selector: "ALL" }, { selector: "ANY" }]) {
    refused(
      () => select({ rekorTlogUrls: expired, rekorTlogConfig }),
      /expected 1 usable transparency log services, found 0: .*expired/,
    );
  }
  const [first, last] = ["2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"];
  for (const now of [first, last]) {
    const usable = [service("https://log.example/", { validFor: { start: first, end: last } })];
    assert.throws(
      () => select({ rekorTlogUrls: usable, rekorTlogConfig: { selector: "EXACT", count: 2 } }, new Date(now)),
      { message: "signing config: expected 2 usable transparency log services, found 1" },
      "no reason against a service that can be used",
    );
  }
  assert.deepEqual(select({ rekorTlogConfig: EXACT }).logs, []);
});
