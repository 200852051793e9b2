import process from "node:process";
import { compareMany } from "./many.ts";

/**
 * Compares `verify` and `sign` of many images with cosign, see many.ts:
 *
 *     npm run bench:images               30 images, as `npm run bench` does at its end
 *     npm run bench:images -- 1000       as many; takes some minutes
 *
 * COSIGN is the path of the cosign to compare with.
 */
const count = Number(process.argv[2] ?? 30);
await compareMany(count, count > 100 ? 3 : 5);
process.exit(0);
