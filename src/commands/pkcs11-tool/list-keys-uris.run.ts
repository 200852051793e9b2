import { modulePathOf } from "../../cli/options/pkcs11.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import type definition from "./list-keys-uris.ts";

export const run: Run<typeof definition> = async (io, { flags, given }) => {
  const { listKeys } = await import("../../keys/providers/pkcs11-list.ts");
  const modulePath = modulePathOf(io, flags.modulePath);
  const slot = given.has("slotId") ? flags.slotId : await onlySlot(io, modulePath, flags.slotId);
  const found = await listKeys(io, { modulePath, slot, pin: (token) => askPin(io, token, flags) });
  if (!found)
    throw new TsignError("input", `there is no token in slot ${slot}`, {
      hint: "list the tokens with `tsign pkcs11-tool list-tokens`",
    });
  io.stderr.write("\n");
  io.stderr.write(`Listing URIs of keys in slot '${slot}' of PKCS11 module '${modulePath}'\n`);
  const keys: { label: string; id: string; uri: string }[] = [];
  for (const [index, { label, id }] of found.keys.entries()) {
    const hex = Buffer.from(id).toString("hex");
    const path = `token=${encodeURIComponent(found.token.label)};slot-id=${slot};id=${percentEncoded(hex)}`;
    const uri = `pkcs11:${path};object=${encodeURIComponent(label)}?module-path=${modulePath}`;
    keys.push({ label, id: hex, uri });
    io.stdout.write(`Object ${index}\n`);
    for (const line of [`Label: ${label}`, `ID: ${hex}`, `URI: ${uri}`]) io.stdout.write(`\t${line}\n`);
  }
  return { slot, keys };
};

/** Returns the slot of the only token; cosign's default is slot 0, which few modules use. */
async function onlySlot(io: Io, modulePath: string, fallback: number): Promise<number> {
  const { listTokens } = await import("../../keys/providers/pkcs11-list.ts");
  const tokens = await listTokens(io, modulePath);
  const [only, ...others] = tokens.filter(({ label }) => label !== ""); // a token without a label was never initialized
  return only && others.length === 0 ? only.slot : fallback;
}

function percentEncoded(hex: string): string {
  return hex.replace(/../g, "%$&");
}

async function askPin(io: Io, token: string, flags: { pin: string; noInput: boolean }): Promise<string> {
  const pin = flags.pin || io.env["COSIGN_PKCS11_PIN"];
  if (pin) return pin;
  if (!io.tty.stdin || flags.noInput) {
    throw new TsignError("auth", `token "${token}" requires a PIN`, { hint: "pass --pin, or set COSIGN_PKCS11_PIN" });
  }
  return io.tty.prompt(`Enter PIN for PKCS11 token '${token}': `, { secret: true });
}
