/** Where the commands of the groups `admission` and `policy`, which go by a trust policy, stand, for commands.ts. */
export const policyLoaders = {
  "admission audit": {
    definition: () => import("./commands/admission/audit.ts"),
    run: () => import("./commands/admission/audit.run.ts"),
  },
  "admission manifests": {
    definition: () => import("./commands/admission/manifests.ts"),
    run: () => import("./commands/admission/manifests.run.ts"),
  },
  "admission serve": {
    definition: () => import("./commands/admission/serve.ts"),
    run: () => import("./commands/admission/serve.run.ts"),
  },
  "admission test": {
    definition: () => import("./commands/admission/test.ts"),
    run: () => import("./commands/admission/test.run.ts"),
  },
  "policy check": {
    definition: () => import("./commands/policy/check.ts"),
    run: () => import("./commands/policy/check.run.ts"),
  },
  "policy diff": {
    definition: () => import("./commands/policy/diff.ts"),
    run: () => import("./commands/policy/diff.run.ts"),
  },
  "policy explain": {
    definition: () => import("./commands/policy/explain.ts"),
    run: () => import("./commands/policy/explain.run.ts"),
  },
  "policy export": {
    definition: () => import("./commands/policy/export.ts"),
    run: () => import("./commands/policy/export.run.ts"),
  },
  "policy fmt": {
    definition: () => import("./commands/policy/fmt.ts"),
    run: () => import("./commands/policy/fmt.run.ts"),
  },
  "policy import": {
    definition: () => import("./commands/policy/import.ts"),
    run: () => import("./commands/policy/import.run.ts"),
  },
  "policy init": {
    definition: () => import("./commands/policy/init.ts"),
    run: () => import("./commands/policy/init.run.ts"),
  },
  "policy test": {
    definition: () => import("./commands/policy/test.ts"),
    run: () => import("./commands/policy/test.run.ts"),
  },
};
