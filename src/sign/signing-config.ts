import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/**
 * Reads a signing config (protobuf-specs, sigstore_trustroot.proto) of which this version can honour only one that asks for
 * nothing a key signature could be without: no log and no timestamp.
 *
 * @throws TsignError "input" for what is no signing config, "unsupported" for one that names services
 */
export function requireNoServices(bytes: Uint8Array, path: string): void {
  let config: unknown;
  try {
    config = parseJson(bytes, path);
  } catch (cause) {
    throw new TsignError("input", `${path} is not a signing config: it is not valid JSON`, { cause });
  }
  if (!isObject(config) || config["mediaType"] !== MEDIA_TYPE) {
    throw new TsignError("input", `${path} is not a signing config: its mediaType is not ${MEDIA_TYPE}`);
  }
  for (const [field, service] of [
    ["rekorTlogUrls", "a transparency log"],
    ["tsaUrls", "a timestamp authority"],
  ] as const) {
    const urls = config[field];
    if (Array.isArray(urls) && urls.length > 0) {
      throw new TsignError("unsupported", `${path} names ${service}, which this version cannot sign with`);
    }
  }
}
