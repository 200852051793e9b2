import { join } from "node:path";
import process from "node:process";
import { withParts } from "../../src/format/parts.ts";
import { systemIo } from "../../src/io/system.ts";
import { main } from "../../src/main.ts";

/**
 * tsign as in a Pod: the files of its service account are those in the folder that is the first argument. Its command line follows.
 */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/";
const [folder = "", ...argv] = process.argv.slice(2);
const real = systemIo();
const at = (path: string) => (path.startsWith(ACCOUNT) ? join(folder, path.slice(ACCOUNT.length)) : path);
const files = withParts(real.files, { read: (path, options) => real.files.read(at(path), options) });
process.exitCode = await main(argv, withParts(real, { files }));
