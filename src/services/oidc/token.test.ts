import assert from "node:assert/strict";
import { test } from "node:test";
import { refuses } from "../../../test/support/fake-service.ts";
import { looksLikeToken, plainToken, readIdentityToken, textAround, unexpandedVariable } from "./token.ts";

const part = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const jwt = (claims: unknown, header: unknown = { alg: "none" }) => `${part(header)}.${part(claims)}.c2ln`;
const CLAIMS = { iss: "https://issuer.example", sub: "me", aud: "sigstore", exp: 2_000_000_000 };
const NOW = new Date("2026-01-01T00:00:00Z");
const read = (claims: unknown, now = NOW) => readIdentityToken(jwt(claims), { source: "the file t", now });

test("looksLikeToken: accepts three base64url parts of which the first is a JSON object", () => {
  assert.equal(looksLikeToken(jwt(CLAIMS)), true);
  for (const text of [
    "",
    "a.b",
    "a.b.c",
    `${jwt(CLAIMS)}.d`,
    `${part([])}.b.c`,
    `${part("{")}.b.c`,
    `${jwt(CLAIMS)} `,
    "é.b.c",
  ])
    assert.equal(looksLikeToken(text), false, text);
});

test("plainToken, textAround: remove and name what surrounds a token", () => {
  const token = jwt(CLAIMS);
  for (const [text, around] of [
    [token, undefined],
    [` ${token}\n`, undefined],
    [`"${token}"`, "quotes"],
    [`'${token}'`, "quotes"],
    [`Bearer ${token}`, 'the word "Bearer"'],
    [`Authorization: bearer ${token}`, 'the word "Bearer"'],
    [`"Bearer '${token}'"`, 'the word "Bearer" and quotes'],
    [`\uFEFF${token.slice(0, 9)}\r\n  ${token.slice(9)}`, "line breaks"],
  ] as const) {
    assert.equal(plainToken(text), token, text);
    assert.equal(textAround(text), around, text);
  }
  assert.equal(textAround('"no token"'), undefined);
});

test("unexpandedVariable: distinguishes variables from secrets with a dollar sign", () => {
  for (const text of ["$TOKEN", "${TOKEN}", "$(TOKEN)", "%TOKEN%", "$env:TOKEN", "${{ secrets.TOKEN }}", "'$TOKEN_2'"])
    assert.equal(unexpandedVariable(text), plainToken(text), text);
  for (const text of ["", "TOKEN", "$", "$token", `$${"A".repeat(65)}`, "$A1B2C3D4", "$A B", jwt(CLAIMS)])
    assert.equal(unexpandedVariable(text), undefined, text);
});

test("readIdentityToken: returns the verified e-mail address, else the subject", () => {
  const { subject, isEmail, issuer, audiences, expires } = read(CLAIMS);
  assert.deepEqual([subject, isEmail, issuer, audiences], ["me", false, "https://issuer.example", ["sigstore"]]);
  assert.equal(expires?.getTime(), 2_000_000_000_000);
  for (const verified of [true, "true"]) {
    const token = read({ ...CLAIMS, email: "a@b.example", email_verified: verified });
    assert.deepEqual([token.subject, token.isEmail], ["a@b.example", true]);
  }
  assert.equal(read({ ...CLAIMS, email: "", email_verified: false }).subject, "me");
  assert.equal(read({ ...CLAIMS, email: 7 }).isEmail, false);
  assert.deepEqual(read({ ...CLAIMS, aud: ["a", 7, "b"] }).audiences, ["a", "b"]);
  assert.deepEqual(read({ ...CLAIMS, aud: undefined, exp: undefined }).audiences, []);
  assert.equal(read({ ...CLAIMS, exp: "soon" }).expires, undefined);
});

test("readIdentityToken: refuses what Fulcio would refuse, without the token in the error", async () => {
  const unverified = /unverified e-mail address/;
  const cases: [unknown, RegExp][] = [
    [
      { ...CLAIMS, exp: NOW.getTime() / 1000 },
      /identity token from the file t expired at 2026-01-01T00:00:00.*\nrequest a new token, and check this machine's clock/,
    ],
    [{ ...CLAIMS, iss: 7 }, /has no issuer/],
    [{ ...CLAIMS, email: "a@b.example" }, unverified],
    [{ ...CLAIMS, email: "a@b.example", email_verified: "false" }, unverified],
    [{ ...CLAIMS, sub: "" }, /has no subject/],
    [{ ...CLAIMS, sub: 7 }, /has no subject/],
    [[CLAIMS], /is malformed/],
    ["{", /is malformed/],
  ];
  for (const [claims, text] of cases) await refuses(() => read(claims), { code: "auth", text, secrets: [jwt(claims)] });
  const given = (text: string) => () => readIdentityToken(text, { source: "--identity-token", now: NOW });
  await refuses(given("$TOKEN"), { code: "auth", text: /contains an unexpanded variable: \$TOKEN/ });
  await refuses(given("hunter2"), { code: "auth", text: /does not contain an identity token/, secrets: ["hunter2"] });
});
