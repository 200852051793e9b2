import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import type { TestEvent } from "node:test/reporters";

// Each test file is a process that loads much of the program. The compile cache is shared by all of them and by later runs.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache");

/**
 * Prints each failure with its reason, then one line: `N passed, N failed`. A run without tests counts as failed, as does a file
 * without tests, or one whose process ended early; Node's runner counts both as passed.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncIterable<string> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const started = new Set<string>();
  const ended = new Set<string>();
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type === "test:summary" && data.file !== undefined) ended.add(data.file);
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { details, skip, file = "", line, name } = data;
    const isFile = data.nesting === 0 && resolve(name) === file; // a file that reported nothing itself
    if (!isFile) started.add(file);
    if (type === "test:fail") {
      const { error } = data.details;
      // The tests inside are already reported.
      if (details.type === "suite" && "failureType" in error && error.failureType === "subtestsFailed") continue;
      count.failed++;
      const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.message);
      yield `\nFAILED ${name} (${relative(process.cwd(), file)}:${line})\n${cause}\n`;
    } else if (details.type === "suite") continue;
    else if (skip !== undefined && skip !== false) {
      count.skipped++;
      yield `skipped: ${name}: ${skip}\n`;
    } else if (isFile) {
      count.failed++;
      yield `\nFAILED ${name}: it has no test, or ended before the first\n`;
    } else count.passed++;
  }
  for (const file of started) {
    if (ended.has(file)) continue;
    count.failed++;
    yield `\nFAILED ${relative(process.cwd(), file)}: it ended before all its tests had run\n`;
  }
  if (count.failed > 0 || count.passed === 0) process.exitCode = 1;
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
  yield `${count.passed} passed, ${count.failed} failed${skipped}\n`;
}
