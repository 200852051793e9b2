// Keeps compiled code beside the program, where only who could change the program itself can change it. An older Node or a
// read-only folder does without.
process.getBuiltinModule("node:module").enableCompileCache(`${import.meta.dirname}/cache`);
await import("./main.ts");
