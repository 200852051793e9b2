import process from "node:process";
import { exchangeOnBun } from "../../src/io/fetch.ts";
import { check, TRANSPORT_CASES } from "./transport-cases.ts";
import { FILE_CASES } from "./transport-file-cases.ts";

/** Runs the cases with the transport of the executable, under Bun, and prints what differs. */
const cases = [...TRANSPORT_CASES, ...FILE_CASES];
let differences = 0;
for (const each of cases) {
  const difference = await check(each, exchangeOnBun);
  if (difference === undefined) continue;
  differences++;
  process.stdout.write(`${difference}\n`);
}
process.stdout.write(`${cases.length} cases, ${differences} differ\n`);
process.exitCode = differences === 0 ? 0 : 1; // and the process ends by itself, although connections are kept
