import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, isPrivateAddress, isRfc1918, proxyFor } from "./proxy.ts";

test("proxyFor: proxy by scheme, none for loopback addresses", () => {
  const env = { HTTPS_PROXY: "http://secure.example:1", http_proxy: "plain.example:2" };
  const secure = { url: "http://secure.example:1/", shown: "http://secure.example:1", variable: "HTTPS_PROXY" };
  assert.deepEqual(proxyFor(new URL("https://registry.example/"), env), secure);
  const plain = { url: "http://plain.example:2/", shown: "http://plain.example:2", variable: "http_proxy" };
  assert.deepEqual(proxyFor(new URL("http://registry.example/"), env), plain);
  for (const local of ["http://localhost:5000", "https://127.3.4.5", "http://[::1]:5000", "http://a.localhost"]) {
    assert.equal(proxyFor(new URL(local), env), undefined, local);
  }
  assert.equal(proxyFor(new URL("https://registry.example/"), {}), undefined);
});

test("proxyFor: NO_PROXY matches suffixes, addresses, ranges, ports, or everything", () => {
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
    ["https://10.1.2.3", "10.0.0.0/33", false],
    ["https://10.1.2.3", "10.0.0.0/99,10.1.0.0/16", true],
    ["https://10.1.2.3", "10.0.0.0/,/8,10.0.0.0/8/8,10.0.0.0/-1,10.0.0.0/08", false],
    ["https://[2001:db8::1]", "2001:db8::/129", false],
  ];
  for (const [url, rules, expected] of cases) assert.equal(direct(url, rules), expected, `${url} with ${rules}`);
});

test("proxyFor: invalid URL or SOCKS proxy -> error names the variable, never the value", () => {
  const read = (value: string) => proxyFor(new URL("https://registry.example/"), { https_proxy: value });
  const refused: [string, RegExp][] = [
    ["http://bob:canary#x@proxy:3128", /^parse https_proxy: invalid proxy URL$/],
    ["http://bob:canary/x@proxy:3128", /invalid proxy URL/],
    ["http://bob:123/canary@proxy:3128", /invalid proxy URL/],
    ["http://bob:123?canary@proxy:3128", /invalid proxy URL/],
    ["http://bob:123#canary@proxy:3128", /invalid proxy URL/],
    ["http://bob:canary%@proxy:3128", /invalid proxy URL/],
    ["http://bob:canary%ff@proxy:3128", /invalid proxy URL/],
    ["http://bob:canary@proxy:99999", /invalid proxy URL/],
    ["http://", /invalid proxy URL/],
    ["ftp://bob:canary@proxy", /invalid proxy URL/],
    ["socks5://bob:canary@proxy:1080", /^use proxy from https_proxy: SOCKS proxies are not supported$/],
    ["socks5h://proxy:1080", /SOCKS/],
  ];
  for (const [value, message] of refused) {
    assert.throws(
      () => read(value),
      (error: Error & { hint?: string }) => {
        assert.match(error.message, message, value);
        assert.doesNotMatch(`${error.message}${error.hint}`, /canary|bob/);
        return true;
      },
    );
  }
  const taken: [string, string, string][] = [
    ["http://bob:pass%23word@proxy:3128", "http://bob:pass%23word@proxy:3128/", "http://proxy:3128"],
    ["http://bob:two words@proxy:3128\n", "http://bob:two%20words@proxy:3128/", "http://proxy:3128"],
    ["bob:word@proxy:3128", "http://bob:word@proxy:3128/", "http://proxy:3128"],
    ["https://proxy", "https://proxy/", "https://proxy"],
  ];
  for (const [value, url, shown] of taken)
    assert.deepEqual(read(value), { url, shown, variable: "https_proxy" }, value);
});

test("isLoopback, isPrivateAddress: addresses are classified", () => {
  for (const host of ["localhost", "127.0.0.2", "[::1]", "x.localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["localhost.example", "128.0.0.1", "10.0.0.1"]) assert.ok(!isLoopback(host), host);
  for (const host of ["10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]", "127.0.0.1"]) {
    assert.ok(isPrivateAddress(host), host);
  }
  for (const host of ["8.8.8.8", "[2001:db8::1]", "registry.example"]) assert.ok(!isPrivateAddress(host), host);
  assert.ok(isRfc1918("172.31.0.1") && !isRfc1918("172.32.0.1") && !isRfc1918("127.0.0.1"));
});
