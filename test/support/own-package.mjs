// Resolves `import "tsign"` to the sources, so that the package need not be built.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const [, module = "index"] = /^tsign(?:\/([\w-]+))?$/.exec(specifier) ?? [];
    if (!/^tsign(?:\/[\w-]+)?$/.test(specifier)) return next(specifier, context);
    return { url: new URL(`../../src/lib/${module}.ts`, import.meta.url).href, shortCircuit: true };
  },
});
