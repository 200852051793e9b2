import { createHook } from "node:async_hooks";
import process from "node:process";

/**
 * Preloaded by `npm test`. Node's test runner follows every promise with an async hook, to know which test an error belongs to that
 * nobody catches; that takes a third of the tests' time. Without the hook such an error would leave its test waiting, so it ends the
 * file instead, which counts as failed.
 */
Object.getPrototypeOf(createHook({})).enable = function () {
  return this;
};

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error) => {
    console.error(error);
    process.exit(1);
  });
}
