import { TsignError } from "../../../errors.ts";
import type { FindInCloud } from "./types.ts";

/** Returns a workflow's token with the user name GITHUB_ACTOR (go-containerregistry, pkg/authn/github). */
export const findInGithub: FindInCloud = async ({ env }) => {
  const { GITHUB_TOKEN: password, GITHUB_ACTOR: actor } = env;
  if (!password) throw new TsignError("auth", "GITHUB_TOKEN is not set");
  return { credentials: { kind: "password", username: actor || "unset", password }, from: "GITHUB_TOKEN" };
};
