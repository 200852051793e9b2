import assert from "node:assert/strict";
import { test } from "node:test";
import { ALWAYS, isWithin, NO_TRUST } from "./material.ts";

test("NO_TRUST is empty, and ALWAYS has no end", () => {
  assert.deepStrictEqual(NO_TRUST, { authorities: [], logs: [], ctLogs: [], timestampAuthorities: [] });
  assert.deepStrictEqual(ALWAYS, { start: new Date(0), end: undefined });
});

test("isWithin includes both ends of the period", () => {
  const [start, end] = [new Date(1000), new Date(2000)];
  const at = (time: number, period: { start: Date; end: Date | undefined } = { start, end }) =>
    isWithin(period, new Date(time));
  assert.deepEqual(
    [at(999), at(1000), at(2000), at(2001), at(9999, { start, end: undefined })],
    [false, true, true, false, true],
  );
});
