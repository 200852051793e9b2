import { readFileSync } from "node:fs";
import process from "node:process";
import { withParts } from "../../src/format/parts.ts";
import { systemIo } from "../../src/io/system.ts";
import { main } from "../../src/main.ts";

/** tsign with a clock that is ahead by the milliseconds that the file says which is the first argument. Its command line follows. */
const [file = "", ...argv] = process.argv.slice(2);
const now = () => new Date(Date.now() + Number(readFileSync(file, "utf8")));
process.exitCode = await main(argv, withParts(systemIo(), { now }));
