// Keeps the compile cache beside the program, so that only users who can change the program can change it. It is optional: an
// older Node or a read-only folder works without.
process.getBuiltinModule("node:module").enableCompileCache(`${import.meta.dirname}/cache`);
await import("./main.ts");
