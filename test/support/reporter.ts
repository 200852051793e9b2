import { relative } from "node:path";
import process from "node:process";
import type { TestEvent } from "node:test/reporters";

/** Prints what failed and why, then one line: `N passed, N failed`. A run of no test is a failure. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncIterable<string> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { details, skip, file = "", line } = data;
    if (details.type === "suite") continue;
    if (skip !== undefined && skip !== false) {
      count.skipped++;
      yield `skipped: ${data.name}: ${skip}\n`;
    } else if (type === "test:pass") count.passed++;
    else {
      count.failed++;
      const { error } = data.details;
      const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.message);
      yield `\nFAILED ${data.name} (${relative(process.cwd(), file)}:${line})\n${cause}\n`;
    }
  }
  if (count.passed + count.failed === 0) process.exitCode = 1;
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
  yield `${count.passed} passed, ${count.failed} failed${skipped}\n`;
}
