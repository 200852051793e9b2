import assert from "node:assert/strict";
import { BlockList, isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { ipVersion, isInRange } from "./ip-address.ts";

const group = fc.oneof(
  fc.constantFrom("", "0", "ffff", "FE80", "1", "12345", "g", "::"),
  fc.integer({ min: 0, max: 65_535 }).map((value) => value.toString(16)),
);
const octet = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.constantFrom("", "00", "01", "x"));
const ipv4 = fc.array(octet, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
const ipv6 = fc
  .tuple(
    fc.array(group, { minLength: 1, maxLength: 9 }),
    fc.option(fc.oneof(fc.ipV4(), ipv4)),
    fc.option(fc.constantFrom("%eth0", "%", "%a b"), { freq: 9 }),
  )
  .map(([groups, last, zone]) => `${[...groups, ...(last === null ? [] : [last])].join(":")}${zone ?? ""}`);
const anyAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  ipv4,
  ipv6,
  fc.constantFrom(
    "",
    ":",
    "::",
    ":::",
    "::1",
    "1::",
    "::1.2.3.4",
    "1.2.3.4::",
    ":1.2.3.4",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1::8:",
    ":1::8",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "%eth0",
    "::%1",
  ),
);

test("ipVersion: any text -> what node:net says", () => {
  fc.assert(
    fc.property(anyAddress, (text) => assert.equal(ipVersion(text), isIP(text), text)),
    { numRuns: 3000 },
  );
});

test("isInRange: addresses and ranges -> what BlockList says", () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((text) => `::ffff:${text}`),
    fc.constantFrom("127.0.0.1", "::1", "::ffff:7f00:1"),
  );
  const range = fc.oneof(
    fc.tuple(
      fc.oneof(fc.ipV4(), fc.constantFrom("127.0.0.1", "10.0.0.0")),
      fc.integer({ min: 0, max: 32 }),
      fc.constant("ipv4" as const),
    ),
    fc.tuple(
      fc.oneof(fc.ipV6(), fc.constantFrom("::1", "fc00::")),
      fc.integer({ min: 0, max: 128 }),
      fc.constant("ipv6" as const),
    ),
  );
  fc.assert(
    fc.property(address, range, (text, [network, bits, family]) => {
      const list = new BlockList();
      list.addSubnet(network, bits, family);
      assert.equal(
        isInRange(text, network, bits),
        list.check(text, isIP(text) === 6 ? "ipv6" : "ipv4"),
        `${text} in ${network}/${bits}`,
      );
    }),
    { numRuns: 3000 },
  );
});
