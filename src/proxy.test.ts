import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, isPrivateAddress, isRfc1918, proxyFor } from "./proxy.ts";

test("a proxy is chosen by scheme, and never for this machine", () => {
  const env = { HTTPS_PROXY: "http://secure.example:1", http_proxy: "plain.example:2" };
  assert.equal(proxyFor(new URL("https://registry.example/"), env), "http://secure.example:1");
  assert.equal(proxyFor(new URL("http://registry.example/"), env), "http://plain.example:2");
  for (const local of ["http://localhost:5000", "https://127.3.4.5", "http://[::1]:5000", "http://a.localhost"]) {
    assert.equal(proxyFor(new URL(local), env), undefined, local);
  }
  assert.equal(proxyFor(new URL("https://registry.example/"), {}), undefined);
});

test("NO_PROXY names suffixes, addresses, ranges, ports, or everything", () => {
  const direct = (url: string, rules: string) =>
    proxyFor(new URL(url), { HTTPS_PROXY: "http://p:1", NO_PROXY: rules }) === undefined;
  const cases: [string, string, boolean][] = [
    ["https://registry.example", "registry.example", true],
    ["https://a.registry.example", "registry.example", true],
    ["https://a.registry.example", ".registry.example", true],
    ["https://registry.example", ".registry.example", false],
    ["https://evilregistry.example", "registry.example", false],
    ["https://registry.example:8443", "registry.example:8443", true],
    ["https://registry.example", "registry.example:8443", false],
    ["https://10.1.2.3", "10.0.0.0/8", true],
    ["https://11.1.2.3", "10.0.0.0/8", false],
    ["https://[2001:db8::1]", "2001:db8::/32", true],
    ["https://10.1.2.3", "10.1.2.3", true],
    ["https://anything.example", "x.example, *", true],
    ["https://a.b.example", "*.b.example", true],
  ];
  for (const [url, rules, expected] of cases) assert.equal(direct(url, rules), expected, `${url} with ${rules}`);
});

test("addresses are told apart", () => {
  for (const host of ["localhost", "127.0.0.2", "[::1]", "x.localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["localhost.example", "128.0.0.1", "10.0.0.1"]) assert.ok(!isLoopback(host), host);
  for (const host of ["10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "127.0.0.1"]) {
    assert.ok(isPrivateAddress(host), host);
  }
  for (const host of ["8.8.8.8", "[2001:db8::1]", "registry.example"]) assert.ok(!isPrivateAddress(host), host);
  assert.ok(isRfc1918("172.31.0.1") && !isRfc1918("172.32.0.1") && !isRfc1918("127.0.0.1"));
});
