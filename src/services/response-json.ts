import { type ServiceName, TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";

/**
 * Parses the JSON of a service's response.
 *
 * @param name of the response in errors: `response of Rekor (rekor.example)`
 * @throws TsignError "service" for another text: the fault is the service's, not that of a document of the user
 */
export function parseResponse(
  bytes: Uint8Array,
  name: string,
  { service, url }: { service: ServiceName; url?: URL | string },
): unknown {
  try {
    return parseJson(bytes, name);
  } catch (cause) {
    if (!(cause instanceof TsignError) || cause.code !== "bad-bundle") throw cause;
    throw new TsignError("service", cause.message, { cause, service, ...(url === undefined ? {} : { url }) });
  }
}
