import type { ServerResponse } from "../../../io/io.ts";
import type { Clock } from "../../server/clock.ts";
import type { FaultSwitches } from "../../server/faults.ts";
import { answer, json, jsonOf, Refused, type Service } from "../../server/service.ts";
import { cosigned, type SandboxWitness } from "../note.ts";
import { spoilt } from "../rekor1/log.ts";
import { canonicalEntry } from "./canonical.ts";
import type { Rekor2Log } from "./log.ts";

/** Size limit of an entry: its length is encoded in two octets (C2SP tlog-tiles). */
const MAX_ENTRY = 0xffff;

/** The log that is shown: with the fault `forked`, another one. */
function shown(log: Rekor2Log, faults: FaultSwitches): Rekor2Log {
  const index = faults.value("forked", "0");
  return index === undefined ? log : log.forked(Number(index));
}

/**
 * Creates Rekor's API version 2: writing (rekor/v2/rekor_service.proto), and reading by tiles (C2SP tlog-tiles).
 *
 * @param witnesses cosign the head with the fault `cosigned`
 */
export function createRekor2(
  log: Rekor2Log,
  { witnesses, clock }: { witnesses: readonly SandboxWitness[]; clock: Clock },
): Service {
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
      "GET /api/v2/checkpoint": ({ faults }) => {
        const size = Number(faults.value("head", "1") ?? log.size);
        const checkpoint = spoilt(faults, shown(log, faults).checkpoint(size));
        const count = Number(faults.value("cosigned", "1") ?? 0);
        const note = witnesses.slice(0, count).reduce((text, witness) => cosigned(text, witness, clock()), checkpoint);
        return answer(note, { type: "text/plain; charset=utf-8" });
      },
      "GET /api/v2/tile/entries/*path": ({ params, faults }) =>
        octets(shown(log, faults).entries(params["path"] ?? "", faults)),
      "GET /api/v2/tile/*path": ({ params, faults }) => octets(shown(log, faults).tile(params["path"] ?? "")),
    },
  };
}
