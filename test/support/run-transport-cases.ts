import process from "node:process";
import { exchangeOnBun } from "../../src/io/fetch.ts";
import { check, TRANSPORT_CASES } from "./transport-cases.ts";

/** Runs the cases with the transport of the executable, under Bun, and prints what differs. */
let differences = 0;
for (const each of TRANSPORT_CASES) {
  const difference = await check(each, exchangeOnBun);
  if (difference === undefined) continue;
  differences++;
  process.stdout.write(`${difference}\n`);
}
process.stdout.write(`${TRANSPORT_CASES.length} cases, ${differences} differ\n`);
process.exitCode = differences === 0 ? 0 : 1; // and the process ends by itself, although connections are kept
