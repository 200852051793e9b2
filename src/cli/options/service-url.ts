import { TsignError } from "../../errors.ts";
import { flagName } from "../parser/argv.ts";

/**
 * Address of a service.
 *
 * @param key of the flag, for the error
 * @throws TsignError "usage"
 */
export function parseServiceUrl(text: string, key: string): URL {
  const url = URL.parse(text);
  if (url && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new TsignError("usage", `--${flagName(key)} is not an http(s) URL: "${text}"`);
}
