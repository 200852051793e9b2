import type { ServerResponse } from "../../../io/io.ts";
import { answer, json, jsonOf, Refused, type Service } from "../../server/service.ts";
import { canonicalEntry } from "./canonical.ts";
import type { Rekor2Log } from "./log.ts";

/** Size limit of an entry: its length is encoded in two octets (C2SP tlog-tiles). */
const MAX_ENTRY = 0xffff;

/** Creates Rekor's API version 2: writing (rekor/v2/rekor_service.proto), and reading by tiles (C2SP tlog-tiles). */
export function createRekor2(log: Rekor2Log): Service {
  const octets = (bytes: Buffer | undefined): ServerResponse => {
    if (!bytes) throw new Refused(404, "tile not found");
    return answer(bytes, { type: "application/octet-stream" });
  };
  return {
    name: "rekor2",
    maxBody: 32 * 1024 * 1024,
    failure: (status, message) => json({ code: status === 400 ? 3 : 2, message, details: [] }, { status }),
    routes: {
      "POST /api/v2/log/entries": async (call) => {
        const entry = await canonicalEntry(jsonOf(call));
        if (entry.body.length > MAX_ENTRY) throw new Refused(400, `the entry is larger than ${MAX_ENTRY} bytes`);
        const index = await log.add(entry);
        return json(log.entry(index, entry, call.faults), { status: 201 });
      },
      "GET /api/v2/checkpoint": () => answer(log.checkpoint(), { type: "text/plain; charset=utf-8" }),
      "GET /api/v2/tile/entries/*path": ({ params }) => octets(log.entries(params["path"] ?? "")),
      "GET /api/v2/tile/*path": ({ params }) => octets(log.tile(params["path"] ?? "")),
    },
  };
}
